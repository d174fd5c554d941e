"""Audio files to vectors: soundfile decodes, torchaudio resamples, an encoder pools.

``mel`` needs no weights. A name of a torchaudio bundle (``WAV2VEC2_BASE``, ``HUBERT_BASE``,
``WAVLM_BASE``, ...) downloads weights where there is a network. A path is a folder of a
transformers audio model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dataset_prep.cache import VectorCache
from recbole_delta.errors import DeltaError

ENDINGS = (".wav", ".flac", ".ogg", ".opus", ".mp3")
CHUNK = 64
"""Files between two writes of the cache."""

SILENT = 1e-5
"""Root mean square below which a file holds no sound (full scale is 1)."""

Encoder = Callable[[Tensor], Tensor]
"""Mono segments ``[n, samples]`` to vectors ``[n, dim]``."""


@dataclass(frozen=True)
class AudioOptions:
    """How a file is cut and encoded.

    Attributes:
        encoder: ``mel``, a bundle of torchaudio, or the folder of a transformers model.
        rate: samples a second that files are brought to; a bundle's own must be given.
        seconds: length of a segment; vectors of a file's segments are averaged.
        segments: most segments of a file, evenly spread.
    """

    encoder: str = "mel"
    rate: int = 16_000
    seconds: float = 10.0
    segments: int = 3


class AudioEncoder:
    """Vectors of audio files, each content encoded once.

    Args:
        options: how.
        cache: folder of the cache; the key is the options and the file's bytes.
        network: the encoder itself, in place of loading ``options.encoder``.
    """

    def __init__(self, options: AudioOptions, cache: Path, network: Encoder | None = None) -> None:
        self.options = options
        self.name = Path(options.encoder).name.lower()
        settings = hashlib.sha256(repr(options).encode()).hexdigest()[:16]
        self._cache = cache / f"{self.name}.{settings}"
        self._given = network

    def encode(self, files: Sequence[Path]) -> tuple[np.ndarray, list[tuple[Path, str]]]:
        """Vectors ``[len(files), dim]`` float32, and the files that have none with the reason.

        The row of a file without a vector (broken, silent, empty) is zero.
        """
        keys = [hashlib.sha256(path.read_bytes()).digest() for path in files]
        refused: dict[bytes, str] = {}
        dim = self._encode_segments(torch.zeros(1, self._samples)).size(1)

        def encode_part(part: Sequence[Path]) -> np.ndarray:
            rows = np.zeros((len(part), dim), dtype=np.float32)
            for row, path in enumerate(list(part)):
                try:
                    rows[row] = self._encode_file(path)
                except DeltaError as error:
                    refused[hashlib.sha256(path.read_bytes()).digest()] = str(error)
            return rows

        vectors = VectorCache(self._cache).complete(
            dict(zip(keys, files)), encode_part, chunk=CHUNK, label="Encode audio", unit="file"
        )
        matrix = np.stack([vectors[key] for key in keys])
        empty = np.flatnonzero(~matrix.any(axis=1)).tolist()
        reason = "no vector when it was encoded first"
        return matrix, [(files[row], refused.get(keys[row], reason)) for row in empty]

    @property
    def _samples(self) -> int:
        return int(self.options.rate * self.options.seconds)

    def _encode_file(self, path: Path) -> np.ndarray:
        segments = self._cut(read_audio(path, self.options.rate))
        return self._encode_segments(segments).mean(0).numpy()

    def _cut(self, samples: Tensor) -> Tensor:
        """``[n, samples]`` segments, evenly spread; a short file is one padded segment."""
        length = self._samples
        if len(samples) <= length:
            return torch.nn.functional.pad(samples, (0, length - len(samples)))[None]
        n = min(self.options.segments, -(-len(samples) // length))
        starts = torch.linspace(0, len(samples) - length, n).long()
        return torch.stack([samples[start : start + length] for start in starts])

    @torch.no_grad()
    def _encode_segments(self, segments: Tensor) -> Tensor:
        return self._network(segments)

    @cached_property
    def _network(self) -> Encoder:
        if self._given is not None:
            return self._given
        if self.options.encoder == "mel":
            return mel_statistics(self.options.rate)
        if Path(self.options.encoder).is_dir():
            return transformers_encoder(self.options.encoder, self.options.rate)
        return bundle_encoder(self.options.encoder, self.options.rate)


def read_audio(path: Path, rate: int) -> Tensor:
    """Mono samples ``[n]`` at ``rate``.

    Raises:
        DeltaError: the file cannot be decoded, or holds no sound.
    """
    import soundfile
    import torchaudio

    try:
        samples, original = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise DeltaError(f"{path.name} cannot be decoded: {error}") from error
    mono = torch.from_numpy(samples.mean(axis=1))
    if not len(mono) or not mono.square().mean().sqrt() > SILENT:
        raise DeltaError(f"{path.name} holds no sound.")
    return torchaudio.functional.resample(mono, original, rate)


def mel_statistics(rate: int, n_mels: int = 64) -> Encoder:
    """Mean, deviation and mean absolute change over time of each log-mel band: 3 · ``n_mels``."""
    import torchaudio

    transform = torchaudio.transforms.MelSpectrogram(
        rate, n_fft=1024, hop_length=512, n_mels=n_mels, f_max=rate / 2
    )

    def encode(segments: Tensor) -> Tensor:
        log = torch.log(transform(segments) + 1e-6)
        return torch.cat([log.mean(-1), log.std(-1), log.diff(dim=-1).abs().mean(-1)], dim=1)

    return encode


def bundle_encoder(name: str, rate: int) -> Encoder:
    """A bundle of ``torchaudio.pipelines``, its last layer averaged over time.

    Raises:
        DeltaError: an unknown bundle, or another sample rate than its own.
    """
    import torchaudio

    bundle: Any = getattr(torchaudio.pipelines, name, None)
    if not hasattr(bundle, "get_model"):
        raise DeltaError(f"audio encoder {name!r} is neither mel, a bundle, nor a model folder.")
    if bundle.sample_rate != rate:
        raise DeltaError(f"{name} takes {bundle.sample_rate} samples a second, not {rate}.")
    return pooled_features(bundle.get_model())


def pooled_features(model: Any) -> Encoder:
    """A torchaudio model with ``extract_features``, its last layer averaged over time."""
    model.eval()
    return lambda segments: model.extract_features(segments)[0][-1].mean(1)


def transformers_encoder(folder: str, rate: int) -> Encoder:
    """A transformers audio model from a local folder, its last hidden state averaged over time."""
    from transformers import AutoFeatureExtractor, AutoModel

    extractor = AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
    model = AutoModel.from_pretrained(folder, local_files_only=True).eval()

    def encode(segments: Tensor) -> Tensor:
        inputs = extractor(list(segments.numpy()), sampling_rate=rate, return_tensors="pt")
        return model(**inputs).last_hidden_state.mean(1)

    return encode
