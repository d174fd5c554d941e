"""Item sequences as slices of one flat array: nothing is copied until a batch is made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recbole_delta.compute.ragged import slices


@dataclass(frozen=True)
class FlatSequences:
    """``n`` sequences, sequence i being ``items[start[i]:stop[i]]``; they may overlap.

    Attributes:
        items: ``[rows]`` int64 item ids, a user's rows in order of time.
        start: ``[n]`` int64.
        stop: ``[n]`` int64; equal to ``start`` for an empty sequence.

    Example:
        >>> import torch
        >>> items = torch.tensor([5, 6, 7, 8])
        >>> sequences = FlatSequences(items, start=torch.tensor([0, 0]), stop=torch.tensor([2, 4]))
        >>> item_seq, item_seq_len = sequences.padded(torch.tensor([0, 1]), max_length=3, trim=True)
        >>> item_seq.tolist(), item_seq_len.tolist()
        ([[5, 6, 0], [6, 7, 8]], [2, 3])
    """

    items: Tensor
    start: Tensor
    stop: Tensor

    def __len__(self) -> int:
        return len(self.start)

    @property
    def lengths(self) -> Tensor:
        """``[n]`` numbers of items."""
        return self.stop - self.start

    def padded(self, index: Tensor, max_length: int, trim: bool) -> tuple[Tensor, Tensor]:
        """The last ``max_length`` items of each sequence, padded with 0 on the right.

        Args:
            index: ``[B]`` which sequences.
            max_length: the most items of one sequence.
            trim: pad to the longest of the batch, not to ``max_length``.

        Returns:
            ``item_seq`` ``[B, L]`` and ``item_seq_len`` ``[B]``, int64.
        """
        stop = self.stop[index]
        start = torch.maximum(self.start[index], stop - max_length)
        lengths = stop - start
        width = max(int(lengths.max()), 1) if trim and len(index) else max_length
        step = torch.arange(width)
        position = (start[:, None] + step).clamp_(max=len(self.items) - 1)
        return self.items[position] * (step < lengths[:, None]), lengths

    def flat(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Every item of each sequence, untruncated.

        Args:
            index: ``[B]`` which sequences; they have N items in all.

        Returns:
            ``row`` ``[N]``, a position in ``index``, and ``item`` ``[N]``.
        """
        row, position = slices(self.start[index], self.lengths[index])
        return row, self.items[position]


def group_firsts(users: np.ndarray) -> np.ndarray:
    """The position of each user's first row.

    Args:
        users: ``[rows]`` ids, equal ones adjacent.

    Returns:
        ``[n_users]`` int64.
    """
    return np.flatnonzero(np.r_[len(users) > 0, users[1:] != users[:-1]])


def group_starts(users: np.ndarray) -> np.ndarray:
    """The position of the first row of each row's user.

    Args:
        users: ``[rows]`` ids, equal ones adjacent.

    Returns:
        ``[rows]`` int64.
    """
    first = group_firsts(users)
    return np.repeat(first, np.diff(np.r_[first, len(users)]))


def prefix_slices(users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every row but a user's first is a target, predicted from all of the user's rows before it.

    These are the prefixes of RecBole's ``SequentialDataset.data_augmentation``.

    Args:
        users: ``[rows]`` ids, equal ones adjacent, a user's rows in order of time.

    Returns:
        ``[n]`` ``start`` and ``[n]`` ``stop`` of each prefix; the target stands at ``stop``.

    Example:
        >>> import numpy as np
        >>> start, stop = prefix_slices(np.array([1, 1, 1, 2, 2]))
        >>> list(zip(start.tolist(), stop.tolist()))
        [(0, 1), (0, 2), (3, 4)]
    """
    start = group_starts(users)
    rows = np.arange(len(users))
    is_target = rows > start
    return start[is_target], rows[is_target]


def window_slices(
    users: np.ndarray, length: int, rng: np.random.Generator | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Consecutive windows of at most ``length`` inputs, every row but a user's first a target.

    A window's targets are its items shifted by one. Without ``rng`` the last window of a user is
    the paper's "last L + 1 items", and one with a longer history gets further windows before it
    instead of losing rows. With it, the windows of such a user end elsewhere each time, as many as
    before: an item is predicted now from many and now from few items.

    Args:
        users: ``[rows]`` ids, equal ones adjacent, a user's rows in order of time.
        length: the most inputs of a window, L.
        rng: source of the windows' ends.

    Returns:
        ``[n]`` ``start`` and ``[n]`` ``stop`` of each window's inputs; the last target stands at
        ``stop``.

    Example:
        Five rows of one user, so four targets, in windows of three inputs:

        >>> import numpy as np
        >>> start, stop = window_slices(np.array([1, 1, 1, 1, 1]), length=3)
        >>> list(zip(start.tolist(), stop.tolist()))
        [(0, 1), (1, 4)]
    """
    first = group_firsts(users)
    targets = np.diff(np.r_[first, len(users)]) - 1
    windows = -(-targets // length)
    # What the last window lacks; then the first has the more.
    lacks = np.zeros_like(targets)
    if rng is not None:
        lacks = np.where(windows > 1, rng.integers(windows * length - targets, endpoint=True), 0)
    user = np.repeat(np.arange(len(first)), windows)
    nth_last = windows.cumsum()[user] - 1 - np.arange(len(user))
    stop = (first + targets)[user] - np.where(nth_last, nth_last * length - lacks[user], 0)
    inputs = np.where(nth_last, length, length - lacks[user])
    return np.maximum(first[user], stop - inputs), stop
