"""Audio files to vectors: soundfile decodes, torchaudio resamples, an encoder reads segments.

An encoder is ``mel``, which needs no weights; the name of a torchaudio bundle (``WAV2VEC2_BASE``,
``HUBERT_BASE``, ``WAVLM_BASE``, ...), whose weights are downloaded; or the folder of a transformers
audio model.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dataset_prep.encoders.audio_networks import Encoder, audio_network
from dataset_prep.encoders.cache import VectorCache
from dataset_prep.encoders.fingerprint import fingerprint
from dataset_prep.encoders.options import AudioOptions
from dataset_prep.errors import DeltaError

CHUNK = 64
"""Number of files between two writes of the cache."""

SEGMENTS_AT_ONCE = 16
"""Number of segments in a batch."""

SILENT = 1e-5
"""Root mean square below which a file holds no sound (full scale is 1)."""


class AudioEncoder:
    """Audio files to vectors, with a cache on disk.

    Attributes:
        options: how files are cut and encoded.
        name: the encoder's name in names of files.
        fingerprint: hash of the network's files, see
            :func:`dataset_prep.encoders.fingerprint.fingerprint`.

    Args:
        options: how files are cut and encoded.
        cache: folder of the cache; the key is the options, the network's files and the audio
            file's bytes.
        workers: threads that decode; None for one per core, at most 8.
        network: the encoder itself; None to load the one that ``options.encoder`` names.
    """

    def __init__(
        self,
        options: AudioOptions,
        cache: Path,
        workers: int | None = None,
        network: Encoder | None = None,
    ) -> None:
        self.options = options
        self.name = Path(options.encoder).name.lower()
        self._workers = workers or min(8, os.cpu_count() or 1)
        self.fingerprint = fingerprint(options.encoder)
        settings = f"{options!r} {self.fingerprint}"
        digest = hashlib.sha256(settings.encode()).hexdigest()[:16]
        self._cache = cache / f"{self.name}.{digest}"
        self._given = network

    def encode(self, files: Sequence[Path]) -> tuple[list[np.ndarray | None], dict[Path, str]]:
        """Encode files; one that cannot be decoded, is empty or silent has no vector.

        Returns:
            For each file its vector ``[dim]`` or None, and by file the reason why there is none.

        Raises:
            DeltaError: the encoder cannot be loaded, or takes another sample rate.
        """
        reasons: dict[Path, str] = {}

        def encode_part(part: Sequence[Path]) -> list[np.ndarray | None]:
            with ThreadPoolExecutor(self._workers) as pool:
                decoded = list(pool.map(self._segments, part))
            whole = [segments for segments in decoded if isinstance(segments, Tensor)]
            vectors = iter(self._means(whole) if whole else [])
            rows: list[np.ndarray | None] = []
            for path, segments in zip(part, decoded):
                if isinstance(segments, str):
                    reasons[path] = segments
                rows.append(next(vectors) if isinstance(segments, Tensor) else None)
            return rows

        with ThreadPoolExecutor(self._workers) as pool:
            keys = list(pool.map(_digest, files))
        vectors = VectorCache(self._cache).complete(
            dict(zip(keys, files)), encode_part, chunk=CHUNK, label="Encode audio", unit="file"
        )
        # Of files with the same bytes only one was encoded, and only that one has a reason.
        reason = {key: reasons[path] for key, path in zip(keys, files) if path in reasons}
        refused = {path: reason[key] for key, path in zip(keys, files) if key in reason}
        return [vectors.get(key) for key in keys], refused

    def _segments(self, path: Path) -> Tensor | str:
        """Segments ``[n, samples]``, evenly spread over the file; or what is wrong with it."""
        try:
            samples = read_audio(path, self.options.rate)
        except DeltaError as error:
            return str(error)
        length = int(self.options.rate * self.options.seconds)
        if len(samples) <= length:
            # A short file is repeated: silence after it would be averaged with its sound.
            return samples.repeat(-(-length // len(samples)))[:length][None]
        n = min(self.options.segments, -(-len(samples) // length))
        starts = torch.linspace(0, len(samples) - length, n).long()
        return torch.stack([samples[start : start + length] for start in starts])

    @torch.no_grad()
    def _means(self, files: Sequence[Tensor]) -> Iterator[np.ndarray]:
        """For each file's segments the mean of their vectors: ``[dim]``."""
        batches = torch.cat(list(files)).split(SEGMENTS_AT_ONCE)
        vectors = torch.cat([self._network(batch) for batch in batches])
        return (each.mean(0).numpy() for each in vectors.split([len(file) for file in files]))

    @cached_property
    def _network(self) -> Encoder:
        return self._given or audio_network(self.options.encoder, self.options.rate)


def read_audio(path: Path, rate: int) -> Tensor:
    """Decode a file to mono samples ``[n]`` at ``rate`` samples per second.

    Raises:
        DeltaError: the file cannot be decoded, or holds no sound; or what decodes audio is not
            installed.
    """
    try:
        import soundfile
        import torchaudio
    except ImportError as error:
        raise DeltaError(f"{error}; audio needs: pip install 'recbole-delta[audio]'.") from error
    try:
        samples, original = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise DeltaError(f"{path.name} cannot be decoded: {error}") from error
    mono = torch.from_numpy(samples.mean(axis=1))
    if not mono.isfinite().all():
        raise DeltaError(f"{path.name} holds samples that are no numbers.")
    if not len(mono) or not mono.square().mean().sqrt() > SILENT:
        raise DeltaError(f"{path.name} holds no sound.")
    return torchaudio.functional.resample(mono, original, rate)


def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()
