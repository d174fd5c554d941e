"""A sentence-transformers model on one device, or on several with one process each."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import numpy as np
import torch

from dataset_prep.encoders.torchaudio_extension import stand_in_for_extension
from dataset_prep.errors import DeltaError

# On import, so that sentence-transformers may be imported by anyone once this module is.
stand_in_for_extension()

BATCH = {"cpu": 32, "cuda": 256}
"""Number of texts in a batch: many keep a GPU busy, few of like length cost a CPU less padding."""


class TextModel:
    """A model on one device, in single precision: half precision is slow on CPUs and differs.

    Args:
        path: a name that sentence-transformers knows, or a folder.
        device: name of the device in torch, such as ``cuda:0``.

    Raises:
        DeltaError: the model cannot be loaded.
    """

    def __init__(self, path: str, device: str) -> None:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()  # of a second in which weights are loaded
        try:
            self._model = SentenceTransformer(path, device=device).float()
        except (OSError, ValueError, RuntimeError) as error:
            line = str(error).strip().splitlines()[0].rstrip(".")
            raise DeltaError(
                f"The encoder {path} cannot be loaded: {line}; name a model folder, or one "
                "that can be downloaded."
            ) from error
        self._batch_size = BATCH.get(torch.device(device).type, BATCH["cpu"])

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors ``[len(texts), dim]`` float32."""
        return self._model.encode(list(texts), batch_size=self._batch_size, show_progress_bar=False)


class TextModels:
    """One model on several devices at once.

    Args:
        path: a name that sentence-transformers knows, or a folder.
        devices: names of the devices, one process each; a device may be named more than once.
    """

    def __init__(self, path: str, devices: Sequence[str]) -> None:
        self._n = len(devices)
        # Spawned: CUDA and the threads of torch and polars do not survive a fork.
        context = multiprocessing.get_context("spawn")
        free = context.SimpleQueue()
        for device in devices:
            free.put(device)
        self._pool = ProcessPoolExecutor(
            self._n, mp_context=context, initializer=_load, initargs=(path, free, self._n)
        )

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors ``[len(texts), dim]`` float32.

        Raises:
            DeltaError: a process has died.
        """
        parts = [texts[n :: self._n] for n in range(self._n)]
        try:
            done = list(self._pool.map(_encode, [part for part in parts if part]))
        except BrokenProcessPool as error:
            raise DeltaError(
                f"One of {self._n} encoding processes has died: the model does not load there, "
                "memory is short, or a script lacks its `if __name__ == '__main__':`."
            ) from error
        vectors = np.empty((len(texts), done[0].shape[1]), dtype=np.float32)
        for n, part in enumerate(done):
            vectors[n :: self._n] = part
        return vectors

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown()


_loaded: TextModel


def _load(path: str, free: Any, n_processes: int) -> None:
    """Called in a new process: take a device and load the model there."""
    global _loaded
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // n_processes))
    _loaded = TextModel(path, free.get())


def _encode(texts: Sequence[str]) -> np.ndarray:
    return _loaded.encode(texts)
