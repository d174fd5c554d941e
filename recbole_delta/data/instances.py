"""Split interaction rows into what is trained on and what is predicted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dataset_prep.format.fields import SPLITS
from recbole_delta.data.sequences import FlatSequences, group_starts, prefix_slices, window_slices


@dataclass(frozen=True)
class Interactions:
    """Rows ordered by user, then time.

    Attributes:
        user: ``[rows]`` int64, equal ids adjacent.
        item: ``[rows]`` int64; ids 1 .. ``n_warm`` are warm.
        split: ``[rows]`` int8 positions in :data:`SPLITS`.
        n_warm: number of items with a training row.
    """

    user: np.ndarray
    item: np.ndarray
    split: np.ndarray
    n_warm: int

    def training(
        self, positions: str, max_length: int, rng: np.random.Generator | None = None
    ) -> Instances:
        """Training data; only training rows are in it, as inputs and as targets.

        Args:
            positions: ``all`` for windows with a loss at every position, ``last`` for one prefix a
                target, ``none`` for targets without a history, for models that know users only.
            max_length: the most items of a window.
            rng: source of the windows' ends in one epoch; without it a user's last window ends at
                the last row.
        """
        rows = self._of("train")
        user, item = self.user[rows], self.item[rows]
        if positions == "none":
            start = stop = np.arange(len(user))
        elif positions == "all":
            start, stop = window_slices(user, max_length, rng)
        else:
            start, stop = prefix_slices(user)
        sequences = _sequences(item, start, stop)
        return Instances("train", sequences, sequences, _tensor(user[stop]), _tensor(item[stop]))

    def training_rows(self) -> tuple[Tensor, Tensor]:
        """Users and items ``[n]`` of all training rows."""
        rows = self._of("train")
        return _tensor(self.user[rows]), _tensor(self.item[rows])

    def train_counts(self) -> np.ndarray:
        """``[n_warm]`` int64 training rows of items 1, 2, ..."""
        return np.bincount(self.item[self._of("train")], minlength=self.n_warm + 1)[1:]

    def evaluation(self, split: str) -> Instances:
        """One case for each target of a split; its history is every earlier row of the user.

        Args:
            split: ``valid`` or ``test``.
        """
        stop = np.flatnonzero(self._of(split))
        start = group_starts(self.user)[stop]
        warm = self.item <= self.n_warm
        warm_before = np.concatenate([[0], np.cumsum(warm)])
        return Instances(
            split,
            _sequences(self.item, start, stop),
            _sequences(self.item[warm], warm_before[start], warm_before[stop]),
            _tensor(self.user[stop]),
            _tensor(self.item[stop]),
        )

    def _of(self, split: str) -> np.ndarray:
        return self.split == SPLITS.index(split)


@dataclass(frozen=True)
class Instances:
    """``n`` sequences with the item that follows each.

    Attributes:
        split: ``train``, ``valid`` or ``test``.
        history: ``n`` sequences of items before the target.
        warm_history: ``n`` such sequences without cold items.
        user: ``[n]`` int64 user ids.
        target: ``[n]`` int64 item ids.
    """

    split: str
    history: FlatSequences
    warm_history: FlatSequences
    user: Tensor
    target: Tensor

    def __len__(self) -> int:
        return len(self.target)

    def share_seen_before(self, most: int) -> float:
        """The share of targets that their own history holds already.

        Args:
            most: cases that are looked at, evenly spread over all.

        Returns:
            From 0 to 1; 0 where there are no cases.
        """
        index = torch.arange(0, len(self), max(1, -(-len(self) // most)))
        row, item = self.history.flat(index)
        seen = row[item == self.target[index][row]].unique()
        return len(seen) / max(1, len(index))


def _sequences(item: np.ndarray, start: np.ndarray, stop: np.ndarray) -> FlatSequences:
    return FlatSequences(_tensor(item), _tensor(start), _tensor(stop))


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.int64))
