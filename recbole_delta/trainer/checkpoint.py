"""A run in one file, without pickle: tensors as safetensors, everything else as JSON in it."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from dataset_prep.errors import DeltaError
from dataset_prep.files import replacing
from recbole_delta.trainer.metadata import CheckpointMetadata

FORMAT = "recbole_delta-4"
WITHOUT_DIGEST = "recbole_delta-3"
"""An older format, which lacks the digest only; it is still read."""


@dataclass
class Checkpoint:
    """What a training run needs to be evaluated or resumed.

    Attributes:
        model: the model's state dict; the content pipeline is in it.
        catalogue: ``tokens`` of items 1, 2, ... (UTF-8, joined by line feeds) and ``train_count``
            of the warm ones among them, which come first.
        optimizer: the optimizer's state dict; empty for an untrained model.
        generators: states of the random number generators, by :func:`generator_states`.
        metadata: what the run was and how far it came: settings, data, epoch, ...
        path: file that it was read from, for messages.

    Example:
        >>> import numpy as np
        >>> model = torch.nn.Linear(2, 1)
        >>> metadata = CheckpointMetadata(settings={"model": "SASRecDelta"}, data={}, epoch=0,
        ...     cur_step=0, best_valid_score=0.1, best_valid_result=None, curve=[])
        >>> catalogue = catalogue_of(["a", "b"], np.array([3]))  # b is cold
        >>> saved = Checkpoint(model.state_dict(), {}, {}, metadata, catalogue)
        >>> saved.save("model.safetensors")
        >>> loaded = Checkpoint.load("model.safetensors")
        >>> loaded.metadata == metadata, catalogue_tokens(loaded.catalogue)
        (True, ['a', 'b'])
        >>> loaded.load_into(model)
    """

    model: dict[str, Tensor]
    optimizer: dict[str, Any]
    generators: dict[str, Any]
    metadata: CheckpointMetadata
    catalogue: dict[str, Tensor]
    path: str = ""

    def save(self, path: str | Path) -> None:
        """Write the file; an interrupted call leaves the old file or none.

        Args:
            path: path of the file, which is replaced where it exists.

        Raises:
            DeltaError: the file cannot be written.
        """
        tensors = {f"model/{name}": value for name, value in self.model.items()}
        tensors |= {f"catalogue/{name}": value for name, value in self.catalogue.items()}
        optimizer, generators = dict(self.optimizer), dict(self.generators)
        for index, state in optimizer.pop("state", {}).items():
            tensors |= {f"optimizer/{index}/{key}": value for key, value in state.items()}
        for name in [name for name, value in generators.items() if isinstance(value, Tensor)]:
            tensors[f"generator/{name}"] = generators.pop(name)
        header = {"facts": self.metadata.as_json(), "optimizer": optimizer}
        header["generators"] = generators
        text = json.dumps(header, default=_plain)
        # Cloned: safetensors refuses tensors that share memory.
        tensors = {name: value.detach().cpu().clone() for name, value in tensors.items()}
        file_metadata = {"format": FORMAT, "header": text, "sha256": _digest(tensors, text)}
        with replacing(path) as temporary:
            save_file(tensors, temporary, file_metadata)

    @classmethod
    def load(cls, path: str | Path) -> Checkpoint:
        """Read a file written by :meth:`save`.

        Args:
            path: path of the file.

        Raises:
            DeltaError: the file is missing, cut short, damaged, or no checkpoint.
        """
        if not Path(path).is_file():
            raise DeltaError(f"There is no checkpoint {path}.")
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise DeltaError(
                f"{path} is not a whole checkpoint ({error}); train again, or use a copy."
            ) from error
        if metadata.get("format") not in (FORMAT, WITHOUT_DIGEST):
            version = str(metadata.get("format", "of something else"))
            raise DeltaError(
                f"{path} is not a checkpoint of this version of recbole_delta ({FORMAT}), but "
                f"{version}; train again, or use the version that wrote it."
            )
        digest = _digest(tensors, metadata.get("header", ""))
        if metadata["format"] == FORMAT and metadata.get("sha256") != digest:
            raise DeltaError(f"{path} is damaged: it does not match its SHA-256; use a copy.")
        try:
            return cls._unpack(tensors, json.loads(metadata["header"]), str(path))
        except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise DeltaError(
                f"{path} says format {FORMAT} but does not hold it ({error!r}); use a copy."
            ) from error

    @classmethod
    def _unpack(cls, tensors: dict[str, Tensor], header: dict[str, Any], path: str) -> Checkpoint:
        names = ("model", "optimizer", "generator", "catalogue")
        parts: dict[str, dict[str, Tensor]] = {name: {} for name in names}
        for name, value in tensors.items():
            part, _, key = name.partition("/")
            parts[part][key] = value
        optimizer = header["optimizer"]
        if optimizer:
            optimizer["state"] = _by_index(parts["optimizer"])
        generators = {**header["generators"], **parts["generator"]}
        metadata = CheckpointMetadata.from_json(header["facts"])
        catalogue = parts["catalogue"]
        for name in ("tokens", "train_count"):
            catalogue[name]
        return cls(parts["model"], optimizer, generators, metadata, catalogue, path)

    def load_into(
        self, model: torch.nn.Module, optimizer: torch.optim.Optimizer | None = None
    ) -> None:
        """Give a model, and its optimizer if there is one, the state that was saved.

        Args:
            model: model to change in place.
            optimizer: optimizer of this model to change in place, but for its learning rate.

        Raises:
            DeltaError: the checkpoint holds the state of something else.
        """
        try:
            model.load_state_dict(self.model)
            if optimizer is not None:
                # The settings, which are checked, say how to optimise.
                own = optimizer.state_dict()["param_groups"]
                optimizer.load_state_dict({**self.optimizer, "param_groups": own})
                _require_alike(optimizer)
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DeltaError(
                f"{self.path} does not hold the state of this model ({type(error).__name__}); "
                "use it with its own settings, or a whole copy."
            ) from error


def catalogue_of(tokens: Sequence[str], train_count: np.ndarray) -> dict[str, Tensor]:
    """The :attr:`Checkpoint.catalogue` of some items.

    Args:
        tokens: tokens of items 1, 2, ...
        train_count: ``[n_warm]`` int64 training rows of the first of them; the others are cold.
    """
    text = np.frombuffer("\n".join(tokens).encode(), dtype=np.uint8)
    return {"tokens": torch.from_numpy(text.copy()), "train_count": torch.from_numpy(train_count)}


def catalogue_tokens(catalogue: dict[str, Tensor]) -> list[str]:
    """Tokens of items 1, 2, ...

    Args:
        catalogue: :attr:`Checkpoint.catalogue`, its ``tokens`` ``[bytes]`` uint8.
    """
    return bytes(catalogue["tokens"].numpy()).decode().split("\n")


def generator_states(loader: torch.Generator, device: torch.device) -> dict[str, Any]:
    """States of the random number generators that training draws from, by name.

    Args:
        loader: generator of the training data loader; the others are global.
        device: device that this process trains on.
    """
    numpy_state: Any = np.random.get_state()
    on_gpu = {"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {}
    return {
        "torch": torch.get_rng_state(),
        **on_gpu,
        "loader": loader.get_state(),
        "numpy": [numpy_state[0], numpy_state[1].tolist(), *numpy_state[2:]],
        "python": random.getstate(),
    }


def restore_generators(
    states: dict[str, Any], loader: torch.Generator, device: torch.device
) -> None:
    """Set the random number generators to earlier states.

    Args:
        states: states from :func:`generator_states`; those of a run on a CPU hold none for a GPU.
        loader: generator of the training data loader.
        device: device that this process trains on.
    """
    torch.set_rng_state(states["torch"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    loader.set_state(states["loader"])
    np.random.set_state(tuple(states["numpy"]))
    version, internal, gauss = states["python"]
    random.setstate((version, tuple(internal), gauss))


def _require_alike(optimizer: torch.optim.Optimizer) -> None:
    """Every parameter has the same kinds of state, of its shape; ValueError where not."""
    kinds = {frozenset(state) for state in optimizer.state.values()}
    shapes = [
        (value.shape, parameter.shape)
        for parameter, state in optimizer.state.items()
        for value in state.values()
    ]
    if len(kinds) > 1 or any(len(shape) and shape != whole for shape, whole in shapes):
        raise ValueError("a state is missing, or is another parameter's")


def _by_index(tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, _, key = name.partition("/")
        state.setdefault(int(index), {})[key] = value
    return state


def _digest(tensors: dict[str, Tensor], header: str) -> str:
    """SHA-256 of the names, kinds and bytes of the tensors, and of the header."""
    digest = hashlib.sha256(header.encode())
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {value.dtype} {list(value.shape)}".encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """NumPy scalars as numbers; what JSON cannot hold as its text."""
    return value.item() if isinstance(value, (np.generic, Tensor)) else str(value)
