"""Trainings, each done once a session however many tests ask for it."""

from __future__ import annotations

import copy
import hashlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

import recbole_delta
from recbole_delta.model import MODELS
from support.datasets import SMALL, Prepared

OURS = {model.__name__ for model in MODELS}
DEFAULTS = {
    "MAX_ITEM_LIST_LENGTH": 8,
    "train_batch_size": 16,
    "epochs": 2,
    "show_progress": False,
    "state": "ERROR",
}


class Loaded(Sequence[Any]):
    """The parts of ``load_run``, read when one of them is asked for."""

    def __init__(self, load: Callable[[], tuple[Any, ...]]) -> None:
        self._load = load

    @cached_property
    def _parts(self) -> tuple[Any, ...]:
        return self._load()

    def __getitem__(self, index: Any) -> Any:
        return self._parts[index]

    def __len__(self) -> int:
        return len(self._parts)


@dataclass
class _Done:
    """A training that is over, as it was left."""

    result: recbole_delta.RunResult
    checkpoint: bytes | None
    states: tuple[Any, ...]
    parts: tuple[Any, ...] | None = None
    states_of_parts: tuple[Any, ...] = ()
    given: int = 0


@dataclass
class Runs:
    """Trainings by data set, model and settings.

    Whoever asks gets files in the folder of their test and objects of their own: nothing that a
    test does to them reaches another test. The global random numbers stand where training left
    them. A checkpoint says where its data set lies: at ``folder/here``, a link to the folder of
    the test that runs.
    """

    folder: Path
    _done: dict[tuple[str, ...], _Done] = field(default_factory=dict)

    def lead_to(self, folder: Path) -> None:
        """From now on a test runs that has this folder."""
        self._here.unlink(missing_ok=True)
        self._here.symlink_to(folder)

    @property
    def _here(self) -> Path:
        return self.folder / "here"

    def train(
        self, prepared: Prepared, model: str, name: str, settings: dict[str, Any], anew: bool
    ) -> tuple[recbole_delta.RunResult, Loaded]:
        """Train in the folder of the test, or lay down there what the same training has left.

        Args:
            prepared: the data set, written to ``dataset/name`` there.
            model: name of the model.
            name: of the data set.
            settings: above :data:`DEFAULTS`.
            anew: train, whatever is known, and remember nothing.
        """
        places = {"data_path": "dataset", "checkpoint_dir": "saved"}
        places = {name: str(self._here / folder) for name, folder in places.items()}
        folder = prepared.write(Path(places["data_path"]), name)
        settings = {**DEFAULTS, **places, **(SMALL if model in OURS else {}), **settings}
        if anew:
            result = recbole_delta.run(model, name, settings=settings)
            return result, Loaded(lambda: recbole_delta.load_run(result.checkpoint))
        key = (model, name, _digest(folder), json.dumps(settings, sort_keys=True))
        if key not in self._done:
            result = recbole_delta.run(model, name, settings=settings)
            self._done[key] = _Done(
                copy.deepcopy(result), Path(result.checkpoint).read_bytes(), _random_states()
            )
        else:
            result = _laid_down(self._done[key])
        return result, Loaded(lambda: _parts(self._done[key], result.checkpoint))


def _laid_down(done: _Done) -> recbole_delta.RunResult:
    """The run's result and checkpoint; the file has a name of its own, as that of any run."""
    done.given += 1
    path = Path(done.result.checkpoint)
    path = path.with_name(f"{path.stem}-{done.given}{path.suffix}")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(done.checkpoint)
    _set_random_states(done.states)
    return replace(copy.deepcopy(done.result), checkpoint=str(path))


def _parts(done: _Done, checkpoint: str) -> tuple[Any, ...]:
    if done.parts is None:
        done.parts = recbole_delta.load_run(checkpoint)
        done.states_of_parts = _random_states()
    _set_random_states(done.states_of_parts)
    # In one go: the copies hold each other as the originals do.
    return copy.deepcopy(done.parts)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _random_states() -> tuple[Any, ...]:
    return random.getstate(), np.random.get_state(), torch.get_rng_state()


def _set_random_states(states: tuple[Any, ...]) -> None:
    of_python, of_numpy, of_torch = states
    random.setstate(of_python)
    np.random.set_state(of_numpy)
    torch.set_rng_state(of_torch)
