"""A stand-in for torchaudio's compiled extension where it cannot be loaded."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any

import torch


def stand_in_for_extension() -> None:
    """Let torchaudio be imported beside a torch for CPUs.

    Its compiled extension is linked to CUDA and fails there. transformers imports torchaudio
    where it is installed, so that failure would take sentence-transformers with it. The
    extension serves only the RNN-T loss and forced alignment, which nothing here uses.
    """
    wanted = importlib.util.find_spec("torchaudio") is not None
    there = {"torchaudio", "torchaudio._extension"} & sys.modules.keys()
    if torch.version.cuda is not None or not wanted or there:
        return

    def unavailable(*_: Any, **__: Any) -> Any:
        raise RuntimeError("this torchaudio function needs a CUDA build of torch")

    extension = ModuleType("torchaudio._extension")
    extension.__dict__.update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False,
        _IS_ALIGN_AVAILABLE=False,
        _check_cuda_version=lambda: None,
        _load_lib=lambda _: False,
        fail_if_no_align=lambda _: unavailable,
    )
    sys.modules["torchaudio._extension"] = extension
