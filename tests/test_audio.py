"""Audio to vectors, on files made here and on real clips where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

torchaudio = pytest.importorskip("torchaudio")
soundfile = pytest.importorskip("soundfile")

from dataset_prep.audio import (  # noqa: E402
    AudioEncoder,
    AudioOptions,
    mel_statistics,
    pooled_features,
    read_audio,
)
from dataset_prep.source import RawData, Source  # noqa: E402
from dataset_prep.vectors import ContentOptions, encode_items  # noqa: E402
from recbole_delta.errors import DeltaError  # noqa: E402


def tone(path, hertz=440.0, rate=22_050, seconds=1.0, channels=1, **kwargs):
    t = np.arange(int(rate * seconds)) / rate
    wave = 0.5 * np.sin(2 * np.pi * hertz * t)
    soundfile.write(path, np.stack([wave] * channels, axis=1), rate, **kwargs)
    return path


@pytest.fixture
def clips() -> list[Path]:
    folder = Path(__file__).parents[2] / "shared" / "data" / "audio-clips-librosa"
    if not folder.is_dir():
        pytest.skip("the audio clips are not beside this checkout")
    return sorted(folder.glob("*.ogg"))


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
    matrix, refused = AudioEncoder(AudioOptions(), tmp_path / "cache").encode(
        [good, broken, silent, empty]
    )
    assert matrix.shape == (4, 192)
    assert matrix[0].any()
    assert not matrix[1:].any()
    assert [path for path, _ in refused] == [broken, silent, empty]
    reasons = [reason for _, reason in refused]
    assert "cannot be decoded" in reasons[0]
    assert "holds no sound" in reasons[1]


def test_a_file_is_encoded_once_by_its_content(tmp_path):
    calls = []

    def network(segments):
        calls.append(len(segments))
        return segments.std(dim=1, keepdim=True).repeat(1, 3) + 1

    options = AudioOptions("counting", seconds=0.5, segments=3)
    first = tone(tmp_path / "a.wav", seconds=2.0)
    copy = tmp_path / "b.wav"
    copy.write_bytes(first.read_bytes())
    encoder = AudioEncoder(options, tmp_path / "cache", network)
    matrix, _ = encoder.encode([first, copy])
    assert calls == [1, 3]  # one probe of the dimension, three segments of one file
    np.testing.assert_array_equal(matrix[0], matrix[1])
    again, _ = AudioEncoder(options, tmp_path / "cache", network).encode([copy])
    assert calls == [1, 3, 1]
    np.testing.assert_array_equal(again[0], matrix[0])
    # Other settings are another encoder.
    other = AudioOptions("counting", seconds=1.0, segments=3)
    AudioEncoder(other, tmp_path / "cache", network).encode([first])
    assert calls == [1, 3, 1, 1, 2]


def test_real_clips_through_mel(clips, tmp_path):
    matrix, refused = AudioEncoder(AudioOptions(), tmp_path).encode(clips)
    assert not refused
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
    encoder = AudioEncoder(options, tmp_path, pooled_features(model))
    matrix, refused = encoder.encode(clips[:4])
    assert matrix.shape == (4, 24)
    assert not refused
    assert len(np.unique(matrix.round(4), axis=0)) == 4


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
        def __init__(self, _):
            pass

        def encode(self, texts, show_progress_bar):
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
    with pytest.raises(DeltaError, match="no audio file for 1 of 2 items, 'c' among them"):
        encode_items(data, items, options, origin, tmp_path)
    (folder / "c.wav").write_bytes(b"RIFF")
    with pytest.raises(DeltaError, match=r"1 audio files have no vector .c.wav.*cannot be decoded"):
        encode_items(data, items, options, origin, tmp_path)
