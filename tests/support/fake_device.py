"""A fake accelerator: tensors in CPU memory that say ``fakegpu:0``, and a mode that watches them.

Within :func:`fake_gpu` an operation that mixes devices raises as on CUDA, where only a CPU number
may stand beside a device's tensors. Operations are counted (views are free), and so are the points
where CUDA makes the host wait for the device. As on Apple's GPUs there may be no float64. What a
fake device cannot show is speed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils import backend_registration
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

aten = torch.ops.aten
NAME = "fakegpu"
CPU = torch.device("cpu")

COUNTS_RESULTS = {
    aten.nonzero.default, aten.masked_select.default, aten._unique2.default,
    aten.unique_dim.default, aten.unique_consecutive.default, aten._coalesce.default,
    aten.bincount.default, aten.equal.default,
}  # fmt: skip
"""Operations whose result has a size, or is a value, that the host must wait for."""

READS_HOST = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default,
              aten._index_put_impl_.default, aten._pack_padded_sequence.default}  # fmt: skip
"""Operations that take CPU tensors beside the device's."""


COPIES = {aten.copy_.default, aten._to_copy.default}


def _gru_cell(
    inputs: torch.Tensor, hidden: torch.Tensor, before: torch.Tensor, *bias: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    if bias and bias[0] is not None:
        inputs, hidden = inputs + bias[0], hidden + bias[1]
    (a, b, c), (d, e, f) = inputs.chunk(3, 1), hidden.chunk(3, 1)
    reset, keep = (a + d).sigmoid(), (b + e).sigmoid()
    new = (c + reset * f).tanh()
    return new + keep * (before - new), torch.cat([reset, keep, new, before, f], 1)


def _gru_cell_backward(
    grad: torch.Tensor, workspace: torch.Tensor, has_bias: bool
) -> tuple[torch.Tensor, ...]:
    reset, keep, new, before, f = workspace.chunk(5, 1)
    of_new = grad * (1 - keep) * (1 - new**2)
    of_keep = grad * (before - new) * keep * (1 - keep)
    of_reset = of_new * f * reset * (1 - reset)
    inputs = torch.cat([of_reset, of_keep, of_new], 1)
    hidden = torch.cat([of_reset, of_keep, of_new * reset], 1)
    return inputs, hidden, grad * keep, inputs.sum(0), hidden.sum(0)


STAND_INS = {
    aten._thnn_fused_gru_cell.default: _gru_cell,
    aten._thnn_fused_gru_cell_backward.default: _gru_cell_backward,
}
"""Operations that torch has for GPUs alone."""


class FakeTensor(torch.Tensor):
    """A tensor in CPU memory that says it is on the device."""

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> FakeTensor:
        layout = {} if inner.is_sparse else {"strides": inner.stride()}
        self = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            dtype=inner.dtype,
            layout=inner.layout,
            device=torch.device(NAME, 0),
            **layout,
        )
        self.inner = inner
        return self

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise RuntimeError(f"{func} on the fake device outside of fake_gpu()")

    def __deepcopy__(self, memo: dict[int, Any]) -> FakeTensor:
        copied = self.detach().clone().requires_grad_(self.requires_grad)
        if isinstance(self, torch.nn.Parameter):
            copied = torch.nn.Parameter(copied, self.requires_grad)
        memo[id(self)] = copied
        return copied

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"FakeTensor({self.inner})"

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def pin_memory(self, device: Any = None) -> torch.Tensor:
        raise RuntimeError("cannot pin a tensor of the device; only CPU memory can be pinned")


class Watch(TorchDispatchMode):
    """Runs operations on CPU memory, and counts.

    Attributes:
        operations: how often each operation ran on the device, by name; views not.
        waits: how often the host waited, by what for.
    """

    def __init__(self, float64: bool) -> None:
        super().__init__()
        self._float64 = float64
        self.operations: Counter[str] = Counter()
        self.waits: Counter[str] = Counter()
        self._pinned: list[torch.Tensor] = []  # held, so that no address is used again

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here, and torch's wrapper against it takes as long as all else."""
        return False

    def reset(self) -> None:
        """Count from 0."""
        self.operations.clear(), self.waits.clear(), self._pinned.clear()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        leaves = [*_leaves((args, kwargs))]
        tensors = [each for each in leaves if isinstance(each, torch.Tensor)]
        fake = [each for each in tensors if isinstance(each, FakeTensor)]
        host = [each for each in tensors if not isinstance(each, FakeTensor)]
        if func in (aten.is_pinned.default, aten._pin_memory.default):
            return self._pin(func, host[0])
        to = [each for each in leaves if isinstance(each, torch.device)]
        on_device = to[0].type == NAME if to else bool(fake)
        if not (fake or on_device):
            return func(*args, **(kwargs or {}))
        if fake and not (func in COPIES or (func in READS_HOST and args[0] is fake[0])):
            _check_devices(func, host)
        self._count(func, fake, host, on_device, args, kwargs or {})
        result = STAND_INS.get(func, func)(*_plain(args), **_plain(kwargs or {}))
        if not on_device or func is aten._local_scalar_dense.default or func is aten.equal.default:
            return result
        if func is aten._pack_padded_sequence.default:
            return FakeTensor(result[0]), result[1]
        if torch.Tag.inplace_view in func.tags:  # the wrapper's own shape changes too
            with no_dispatch():
                func(*args, **(kwargs or {}))
        # What was changed in place is returned as it came.
        known = {id(each.inner): each for each in fake}

        def wrapped(inner: torch.Tensor) -> FakeTensor:
            if inner.dtype == torch.float64 and not self._float64:
                raise TypeError(f"{NAME} has no float64, which {func} gives")
            return known[id(inner)] if id(inner) in known else FakeTensor(inner)

        if isinstance(result, torch.Tensor):
            return wrapped(result)
        return tree_map_only(torch.Tensor, wrapped, result)

    def _pin(self, func: Any, host: torch.Tensor) -> Any:
        if func is aten.is_pinned.default:
            return any(host is each for each in self._pinned)
        self._pinned.append(host.clone())
        return self._pinned[-1]

    def _count(
        self, func: Any, fake: list[Any], host: list[Any], on_device: bool, args: Any, named: Any
    ) -> None:
        name = func.overloadpacket.__name__
        if not func.is_view and func is not aten.detach.default:
            self.operations[name] += 1
        if func is aten._local_scalar_dense.default:
            self.waits["item"] += 1
        elif func in COUNTS_RESULTS:
            self.waits[name.strip("_")] += 1
        elif func is aten.repeat_interleave.Tensor and named.get("output_size") is None:
            self.waits["repeat_interleave without output_size"] += 1
        elif func in READS_HOST and func is not aten._pack_padded_sequence.default:
            self._count_indexing(args)
        elif func in COPIES:
            self._count_copy(func, args, named, on_device)

    def _count_indexing(self, args: Any) -> None:
        indices = [each for each in args[1] if each is not None]
        fills = len(args) > 2 and len(indices) == 1 and args[2].numel() == 1
        if any(each.dtype == torch.bool for each in indices) and not fills:
            self.waits["boolean mask"] += 1
        if any(not isinstance(each, FakeTensor) for each in indices):
            self.waits["copy to the device"] += 1

    def _count_copy(self, func: Any, args: Any, named: Any, on_device: bool) -> None:
        to, source = (args[0], args[1]) if func is aten.copy_.default else (None, args[0])
        to_device = on_device if to is None else isinstance(to, FakeTensor)
        from_device = isinstance(source, FakeTensor)
        without = named.get("non_blocking") or (len(args) > 2 and args[2])
        if from_device and not to_device:
            self.waits["copy to the host"] += 1
        elif to_device and not from_device:
            pinned = any(source is each for each in self._pinned)
            if not (without and pinned):
                self.waits["copy to the device"] += 1


class _Creation(TorchFunctionMode):
    """``torch.tensor(..., device=...)`` writes past the dispatcher; here it copies."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = dict(kwargs or {})
        if func in (torch.tensor, torch.as_tensor) and named.get("device") is not None:
            return func(*args, **{**named, "device": None}).to(named["device"])
        return func(*args, **named)


class _Module:
    """What torch asks of ``torch.fakegpu``."""

    is_initialized = is_available = staticmethod(lambda: True)
    current_device = staticmethod(lambda: 0)
    device_count = staticmethod(lambda: 1)
    _is_in_bad_fork = staticmethod(lambda: False)
    manual_seed_all = staticmethod(lambda seed: None)
    get_amp_supported_dtype = staticmethod(lambda: [torch.bfloat16, torch.float16])


@cache
def register() -> bool:
    """Make the name known to torch, which takes no further device after its first backward pass.

    Returns:
        False where this torch knows no device that is written in Python.
    """
    setup = getattr(backend_registration, "_setup_privateuseone_for_python_backend", None)
    if setup is not None:
        setup(NAME, _Module())
    return setup is not None


@contextmanager
def fake_gpu(float64: bool = True) -> Iterator[Watch]:
    """Within the block, ``torch.device("fakegpu")`` is there; gives what happens on it.

    Args:
        float64: whether it has float64.
    """
    if not register():
        pytest.skip(f"torch {torch.__version__} knows no device that is written in Python")
    with Watch(float64) as watch, _Creation():
        yield watch


def _check_devices(func: Any, host: list[torch.Tensor]) -> None:
    if any(each.dim() for each in host):
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but {func} found one on cpu and one "
            f"on {NAME}:0"
        )


def _leaves(given: Any) -> Iterator[Any]:
    """What torch's ``tree_leaves`` gives for arguments of operations, in a fraction of the time."""
    if isinstance(given, (tuple, list)):
        for each in given:
            yield from _leaves(each)
    elif isinstance(given, dict):
        yield from _leaves(list(given.values()))
    else:
        yield given


def _plain(given: Any) -> Any:
    """The same arguments in CPU memory."""
    if isinstance(given, FakeTensor):
        return given.inner
    if isinstance(given, (tuple, list)):
        return type(given)(_plain(each) for each in given)
    if isinstance(given, dict):
        return {name: _plain(each) for name, each in given.items()}
    return CPU if isinstance(given, torch.device) else given
