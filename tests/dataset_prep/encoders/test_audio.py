"""Audio to vectors, on files made here and on real clips where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

torchaudio = pytest.importorskip("torchaudio")
soundfile = pytest.importorskip("soundfile")

from dataset_prep.encoders.audio import AudioEncoder, AudioOptions, read_audio  # noqa: E402
from dataset_prep.encoders.audio_networks import mel_statistics, pooled_features  # noqa: E402
from dataset_prep.encoders.encode_items import ContentOptions, ItemsWithoutContent, encode_items  # noqa: E402
from dataset_prep.errors import DeltaError  # noqa: E402
from dataset_prep.sources.registry import RawData, Source  # noqa: E402


def tone(path, hertz=440.0, rate=22_050, seconds=1.0, channels=1, **kwargs):
    t = np.arange(int(rate * seconds)) / rate
    wave = 0.5 * np.sin(2 * np.pi * hertz * t)
    soundfile.write(path, np.stack([wave] * channels, axis=1), rate, **kwargs)
    return path


@pytest.fixture
def clips(real_data) -> list[Path]:
    return sorted(real_data("audio-clips-librosa").glob("*.ogg"))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.wav", {}),
        ("a.flac", {}),
        ("a.ogg", {"format": "OGG", "subtype": "VORBIS"}),
        ("a.opus", {"format": "OGG", "subtype": "OPUS", "rate": 48_000}),
        ("a.mp3", {"format": "MP3"}),
    ],
)
def test_every_format_is_read_mono_at_the_rate_asked_for(tmp_path, name, options):
    path = tone(tmp_path / name, channels=2, **options)
    samples = read_audio(path, 16_000)
    assert len(samples) == pytest.approx(16_000, rel=0.05)
    # The tone survives: most energy of the middle half second at 440 Hz.
    spectrum = np.abs(np.fft.rfft(samples[4_000:12_000].numpy()))
    assert np.argmax(spectrum) * 2 == pytest.approx(440, abs=4)


def test_mel_statistics_tell_pitches_apart_and_ignore_time(tmp_path):
    encode = mel_statistics(16_000)
    low, high = (
        read_audio(tone(tmp_path / f"{h}.wav", h, seconds=3.0), 16_000) for h in (220, 3000)
    )
    early, late, other = encode(torch.stack([low[:16_000], low[20_000:36_000], high[:16_000]]))
    cosine = torch.nn.functional.cosine_similarity
    assert cosine(early, late, dim=0) > 0.99
    assert cosine(early, other, dim=0) < cosine(early, late, dim=0) - 0.02


def test_broken_silent_and_empty_files_are_listed_not_fatal(tmp_path):
    good = tone(tmp_path / "good.wav")
    broken, silent, empty = (tmp_path / f"{name}.wav" for name in ("broken", "silent", "empty"))
    broken.write_bytes(good.read_bytes()[:30])
    soundfile.write(silent, np.zeros(22_050), 22_050)
    empty.write_bytes(b"")
    files = [good, broken, silent, empty]
    for _ in range(2):
        rows, refused = AudioEncoder(AudioOptions(), tmp_path / "cache").encode(files)
        assert rows[0].shape == (192,)
        assert rows[1:] == [None] * 3
        assert list(refused) == [broken, silent, empty]
        assert "cannot be decoded" in refused[broken]
        assert "holds no sound" in refused[silent]


def test_a_file_is_encoded_once_by_its_content(tmp_path):
    calls = []

    def network(segments):
        calls.append(len(segments))
        return segments.std(dim=1, keepdim=True).repeat(1, 3) + 1

    options = AudioOptions("counting", seconds=0.5, segments=3)
    first = tone(tmp_path / "a.wav", seconds=2.0)
    copy = tmp_path / "b.wav"
    copy.write_bytes(first.read_bytes())
    encoder = AudioEncoder(options, tmp_path / "cache", network=network)
    matrix, _ = encoder.encode([first, copy])
    assert calls == [3]
    np.testing.assert_array_equal(matrix[0], matrix[1])
    again, _ = AudioEncoder(options, tmp_path / "cache", network=network).encode([copy])
    assert calls == [3]
    np.testing.assert_array_equal(again[0], matrix[0])
    # Other settings are another encoder.
    other = AudioOptions("counting", seconds=1.0, segments=3)
    AudioEncoder(other, tmp_path / "cache", network=network).encode([first])
    assert calls == [3, 2]


def test_segments_are_spread_over_the_file_and_a_short_one_is_repeated(tmp_path):
    seen = []

    def network(segments):
        seen.append(segments)
        return segments.std(dim=1, keepdim=True)

    rate, options = 16_000, AudioOptions("watching", seconds=0.5, segments=3)
    ramp = np.arange(4 * rate) / (4 * rate) * 0.9 + 0.05
    soundfile.write(tmp_path / "long.wav", ramp, rate, subtype="FLOAT")
    soundfile.write(tmp_path / "short.wav", ramp[:3000], rate, subtype="FLOAT")
    for name in ("long", "short"):
        AudioEncoder(options, tmp_path, network=network).encode([tmp_path / f"{name}.wav"])
    starts = seen[0][:, 0].numpy() * 1.0
    np.testing.assert_allclose(starts, ramp[[0, 28_000, 56_000]], atol=1e-5)
    np.testing.assert_allclose(seen[1][0, 3000:6000], ramp[:3000], atol=1e-5)


def test_workers_and_batches_change_no_vector(tmp_path):
    files = [tone(tmp_path / f"{n}.wav", 200 + 40 * n, seconds=0.3 * n) for n in range(1, 12)]
    options = AudioOptions(seconds=0.5, segments=3)
    one, _ = AudioEncoder(options, tmp_path / "one", workers=1).encode(files)
    alone = [AudioEncoder(options, tmp_path / f.stem, 1).encode([f])[0][0] for f in files]
    many, _ = AudioEncoder(options, tmp_path / "many", workers=4).encode(files)
    np.testing.assert_array_equal(one, many)
    np.testing.assert_allclose(one, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.data
def test_real_clips_through_mel(clips, tmp_path):
    rows, refused = AudioEncoder(AudioOptions(), tmp_path).encode(clips)
    assert not refused
    matrix = np.stack(rows)
    assert np.isfinite(matrix).all()
    unit = (matrix - matrix.mean(0)) / matrix.std(0)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    similar = unit @ unit.T
    speech = [
        n for n, path in enumerate(clips) if path.stem[0].isdigit() and "robin" not in path.stem
    ]
    rest = [n for n in range(len(clips)) if n not in speech]
    assert len(speech) == 3
    within = similar[np.ix_(speech, speech)][np.triu_indices(3, 1)].mean()
    assert within > similar[np.ix_(speech, rest)].mean() + 0.2


@pytest.mark.data
def test_real_clips_through_a_pipelines_model(clips, tmp_path):
    """The model of a torchaudio bundle with random weights: nothing is downloaded."""
    torch.manual_seed(0)
    model = torchaudio.models.wav2vec2_model(
        **{**dict(extractor_mode="group_norm", extractor_conv_bias=False, aux_num_out=None),
           "extractor_conv_layer_config": [(32, 10, 5), (32, 8, 8), (32, 4, 4)],
           "encoder_embed_dim": 24, "encoder_projection_dropout": 0.0,
           "encoder_pos_conv_kernel": 16, "encoder_pos_conv_groups": 4,
           "encoder_num_layers": 2, "encoder_num_heads": 4, "encoder_attention_dropout": 0.0,
           "encoder_ff_interm_features": 32, "encoder_ff_interm_dropout": 0.0,
           "encoder_dropout": 0.0, "encoder_layer_norm_first": False, "encoder_layer_drop": 0.0}
    )  # fmt: skip
    options = AudioOptions("random-wav2vec2", seconds=2.0, segments=2)
    encoder = AudioEncoder(options, tmp_path, network=pooled_features(model))
    rows, refused = encoder.encode(clips[:4])
    matrix = np.stack(rows)
    assert matrix.shape == (4, 24)
    assert not refused
    assert len(np.unique(matrix.round(4), axis=0)) == 4


def test_a_transformers_model_from_a_folder(tmp_path):
    """Random weights; the vector of a segment is the mean of its frames, as transformers gives."""
    transformers = pytest.importorskip("transformers")
    config = transformers.Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        conv_dim=(8, 8), conv_stride=(5, 4), conv_kernel=(10, 8), num_feat_extract_layers=2,
        num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    folder = tmp_path / "tiny-wav2vec2"
    torch.manual_seed(0)
    model = transformers.Wav2Vec2Model(config).eval()
    model.save_pretrained(folder)
    extractor = transformers.Wav2Vec2FeatureExtractor(sampling_rate=16_000)
    extractor.save_pretrained(folder)
    path = tone(tmp_path / "a.wav", rate=16_000, seconds=0.5)
    options = AudioOptions(str(folder), seconds=0.5, segments=1)
    [row], _ = AudioEncoder(options, tmp_path / "cache").encode([path])
    inputs = extractor(
        [read_audio(path, 16_000).numpy()], sampling_rate=16_000, return_tensors="pt"
    )
    with torch.no_grad():
        expected = model(**inputs).last_hidden_state.mean(1)[0]
    np.testing.assert_allclose(row, expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(DeltaError, match="takes 16000 samples a second, not 8000"):
        AudioEncoder(AudioOptions(str(folder), rate=8_000), tmp_path).encode([path])
    with pytest.raises(DeltaError, match="holds no transformers audio model"):
        AudioEncoder(AudioOptions(str(tmp_path)), tmp_path / "cache").encode([path])
    # Another model in the same folder is another encoder.
    torch.manual_seed(1)
    transformers.Wav2Vec2Model(config).save_pretrained(folder)
    [other], _ = AudioEncoder(options, tmp_path / "cache").encode([path])
    assert np.abs(other - row).max() > 1e-2


def test_an_unknown_bundle_or_rate_is_refused(tmp_path):
    path = tone(tmp_path / "a.wav")
    for encoder, rate, message in (
        ("WAV2VEC3", 16_000, "neither mel, a bundle, nor a model folder"),
        ("WAV2VEC2_BASE", 8_000, "takes 16000 samples a second, not 8000"),
    ):
        with pytest.raises(DeltaError, match=message):
            AudioEncoder(AudioOptions(encoder, rate=rate), tmp_path).encode([path])


def test_audio_and_text_of_an_item_stand_side_by_side(tmp_path, monkeypatch):
    import sentence_transformers

    class Words:
        def __init__(self, name, device):
            pass

        def float(self):
            return self

        def encode(self, texts, batch_size, show_progress_bar):
            return np.array([[len(text), 1.0] for text in texts])

    monkeypatch.setattr(sentence_transformers, "SentenceTransformer", Words)
    folder = tmp_path / "audio"
    folder.mkdir()
    for item, hertz in (("a", 220), ("b", 880)):
        tone(folder / f"{item}.wav", hertz)
    items = pl.DataFrame({"item_id": ["b", "a"], "title": ["long title", "x"]})
    data = RawData(pl.LazyFrame(), items, {"title": "token_seq"}, ())
    origin = Source("toy", lambda _: data, "{title}", "")
    options = ContentOptions(encoder="some/words", audio=folder, prefix="q: ")
    vectors = encode_items(data, items, options, origin, tmp_path)
    assert vectors.name == "mel+words"
    assert vectors.matrix.shape == (2, 192 + 2)
    assert vectors.matrix[:, 192].tolist() == [13, 4]
    items = pl.DataFrame({"item_id": ["b", "c"], "title": ["", ""]})
    with pytest.raises(ItemsWithoutContent, match="1 of 2 items .* 'c' .*no audio file of it"):
        encode_items(data, items, options, origin, tmp_path)
    (folder / "c.wav").write_bytes(b"RIFF")
    with pytest.raises(ItemsWithoutContent, match=r"c.wav cannot be decoded") as error:
        encode_items(data, items, options, origin, tmp_path)
    assert list(error.value.reasons) == ["c"]
