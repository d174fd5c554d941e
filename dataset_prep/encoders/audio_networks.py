"""Encoders of audio segments: statistics of a spectrogram, torchaudio bundles, transformers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dataset_prep.encoders.torchaudio_extension import stand_in_for_extension
from dataset_prep.errors import DeltaError

# On import, before anyone imports torchaudio.
stand_in_for_extension()

Encoder = Callable[[Tensor], Tensor]
"""A function from mono segments ``[n, samples]`` to vectors ``[n, dim]``, both on the CPU."""


def audio_network(encoder: str, rate: int) -> Encoder:
    """Load an encoder.

    Args:
        encoder: ``mel``, a bundle of torchaudio, or the folder of a transformers model.
        rate: samples per second of the segments.

    Raises:
        DeltaError: there is no such encoder, or it takes another sample rate.
    """
    if encoder == "mel":
        return mel_statistics(rate)
    if Path(encoder).is_dir():
        return transformers_encoder(encoder, rate)
    return bundle_encoder(encoder, rate)


def mel_statistics(rate: int, n_mels: int = 64) -> Encoder:
    """An encoder without weights: statistics of each band of the log-mel spectrogram.

    They are the mean, the standard deviation and the mean absolute change over time, so that
    ``dim`` is 3 · ``n_mels``.
    """
    import torchaudio

    transform = torchaudio.transforms.MelSpectrogram(
        rate, n_fft=1024, hop_length=512, n_mels=n_mels, f_max=rate / 2
    )

    def encode(segments: Tensor) -> Tensor:
        log = torch.log(transform(segments) + 1e-6)
        return torch.cat([log.mean(-1), log.std(-1), log.diff(dim=-1).abs().mean(-1)], dim=1)

    return encode


def bundle_encoder(name: str, rate: int) -> Encoder:
    """A bundle of ``torchaudio.pipelines``; its last layer is averaged over time.

    Raises:
        DeltaError: there is no such bundle, it takes another sample rate, or its weights cannot
            be downloaded.
    """
    import torchaudio

    bundle: Any = getattr(torchaudio.pipelines, name, None)
    if not hasattr(bundle, "get_model"):
        raise DeltaError(f"audio encoder {name!r} is neither mel, a bundle, nor a model folder.")
    if bundle.sample_rate != rate:
        raise DeltaError(f"{name} takes {bundle.sample_rate} samples a second, not {rate}.")
    try:
        model = bundle.get_model()
    except OSError as error:
        raise DeltaError(f"The weights of {name} cannot be downloaded: {error}.") from error
    return pooled_features(model)


def pooled_features(model: Any) -> Encoder:
    """A torchaudio model with ``extract_features``; its last layer is averaged over time."""
    device = best_device()
    model.eval().to(device)
    return lambda segments: model.extract_features(segments.to(device))[0][-1].mean(1).cpu()


def transformers_encoder(folder: str, rate: int) -> Encoder:
    """A transformers audio model in a local folder; its last hidden state is averaged over time.

    Raises:
        DeltaError: the folder does not hold such a model, or it takes another sample rate.
    """
    from transformers import AutoFeatureExtractor, AutoModel

    try:
        extractor = AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
        model = AutoModel.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_safetensors=True
        )
    except (OSError, ValueError, KeyError) as error:
        line = str(error).strip().splitlines()[0].rstrip(".")
        raise DeltaError(f"{folder} holds no transformers audio model: {line}.") from error
    if getattr(extractor, "sampling_rate", rate) != rate:
        raise DeltaError(f"{folder} takes {extractor.sampling_rate} samples a second, not {rate}.")
    device = best_device()
    model.eval().to(device)

    def encode(segments: Tensor) -> Tensor:
        inputs = extractor(list(segments.numpy()), sampling_rate=rate, return_tensors="pt")
        return model(**inputs.to(device)).last_hidden_state.mean(1).cpu()

    return encode


def best_device() -> str:
    """``cuda`` if there is a GPU, or else ``cpu``."""
    return "cuda" if torch.cuda.is_available() else "cpu"
