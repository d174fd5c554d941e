"""A limit to memory: a small file must not take much of it by what it claims."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

SPARE = 2**26
"""Numbers that may be made whatever the file's size: 256 MiB of float32."""


class Allowance(TorchDispatchMode):
    """Within the block, tensors of :data:`SPARE` and 8 times ``numbers`` elements may be made.

    Memory that is allocated but not yet written to costs nothing, so a tensor can still be refused
    once it is there.

    Args:
        numbers: number of elements of the tensors in the file.

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
