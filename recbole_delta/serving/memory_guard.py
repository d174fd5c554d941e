"""A file that is small must not take much memory by what it claims."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

SPARE = 2**26
"""Numbers that may be made whatever the size of the file: 256 MiB of float32."""


class Allowance(TorchDispatchMode):
    """Inside, tensors of some times ``numbers`` may be made, all in all.

    Memory that has been asked for but not written to costs nothing yet, so it is in time to refuse
    a tensor when it is there.

    Raises:
        ValueError: more have been made.
    """

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self._left = SPARE + 8 * numbers

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """What ``func`` returns, counted."""
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor) and not func.is_view:
            self._left -= made.numel()
            if self._left < 0:
                raise ValueError(f"its settings make tensors of {list(made.shape)}, it has less")
        return made
