"""What training made of an item: its neighbours by content and by adapted vector, its drift."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from tabulate import tabulate
from torch import Tensor
from torch.nn import functional as F

from dataset_prep.errors import DeltaError, at_least_1
from recbole_delta.embedding.delta import DeltaEmbedding


class Neighbour(NamedTuple):
    """A neighbour's id, and the cosine between its vector and that of the explained item."""

    item: str
    cosine: float


@dataclass(frozen=True)
class Explanation:
    """An item's vector e = c + d, beside its content c.

    Attributes:
        item: id of the item.
        train_count: number of its training rows; 0 for a cold item.
        delta_norm: ‖d‖₂; 0 for a cold item that is not warmed up and borrows nothing.
        cosine: cos(c, e), 1 where nothing has drifted.
        by_content: the items whose contents are nearest to its own, nearest first.
        by_adapted: the items whose vectors e are nearest to its own, nearest first.
    """

    item: str
    train_count: int
    delta_norm: float
    cosine: float
    by_content: tuple[Neighbour, ...]
    by_adapted: tuple[Neighbour, ...]

    @property
    def in_common(self) -> int:
        """How many items are neighbours in both ways."""
        content, adapted = ({n.item for n in near} for near in (self.by_content, self.by_adapted))
        return len(content & adapted)

    def __str__(self) -> str:
        """A line on the item and a table of its neighbours."""
        rows = [
            (near.item, f"{near.cosine:.3f}", adapted.item, f"{adapted.cosine:.3f}")
            for near, adapted in zip(self.by_content, self.by_adapted)
        ]
        header = ("by content", "cos", "by adapted vector", "cos")
        return (
            f"{self.item}: {self.train_count} training rows, ‖d‖ {self.delta_norm:.3f}, "
            f"cos(c, e) {self.cosine:.3f}, {self.in_common} of {len(rows)} neighbours in common\n"
            + tabulate(rows, header, tablefmt="simple", disable_numparse=True)
        )


@dataclass(frozen=True)
class Spaces:
    """Items by content and by adapted vector.

    Attributes:
        items: ids of n items.
        train_count: ``[n]`` numbers of training rows; 0 for cold items.
        content: ``[n, d]`` directions of c, which have unit length.
        adapted: ``[n, d]`` directions of e = c + d, at unit length too.
        delta_norm: ``[n]`` ‖d‖₂, of a borrowed delta too.
        listed: ``[n]`` bool, False for items that were removed: they are nobody's neighbours.
        delta_max: radius of the ball that every d is in.
    """

    items: Sequence[str]
    train_count: np.ndarray
    content: np.ndarray
    adapted: np.ndarray
    delta_norm: np.ndarray
    listed: np.ndarray
    delta_max: float

    @classmethod
    def of(
        cls,
        embedding: DeltaEmbedding,
        items: Sequence[str],
        train_count: np.ndarray,
        removed: Collection[str],
    ) -> Spaces:
        """The two spaces of an embedding.

        Args:
            embedding: embedding of items 1 .. n.
            items: ids of these items.
            train_count: ``[n_warm]`` training rows of the first of them; the others are cold.
            removed: ids of items that are recommended no more.
        """
        with torch.no_grad():
            weight = embedding.weight
            lent = (weight - embedding.content)[embedding.n_warm + 1 :]
            delta = torch.cat([embedding.delta[1:], lent])
        return cls(
            items,
            np.pad(train_count, (0, len(items) - len(train_count))),
            _directions(embedding.content),
            _directions(weight),
            delta.norm(dim=1).cpu().numpy(),
            np.array([item not in removed for item in items]),
            embedding.delta_max,
        )

    @property
    def cosine(self) -> np.ndarray:
        """``[n]`` cos(c, e) of each item."""
        return (self.content * self.adapted).sum(1)

    def place(self, item: str) -> int:
        """The position of an item in :attr:`items`.

        Args:
            item: id of the item.

        Raises:
            DeltaError: there is no such item.
        """
        try:
            return self.items.index(item)
        except ValueError:
            raise DeltaError(f"explain: there is no item {item!r}; add it first.") from None

    def explain(self, item: str, k: int = 10) -> Explanation:
        """An item's drift and its neighbours in both spaces.

        Args:
            item: id of the item; it may be one that was removed.
            k: neighbours in each space; fewer where there are fewer other items.

        Raises:
            DeltaError: there is no such item, or k < 1.

        Example:
            >>> import recbole_delta
            >>> from recbole_delta.quick_start.example import example_data
            >>> result = recbole_delta.run("SASRecDelta", "example", settings=example_data())
            >>> spaces = recbole_delta.Recommender(result.checkpoint).spaces()
            >>> found = spaces.explain("a0", k=5)
            >>> found.train_count > 0, found.delta_norm <= spaces.delta_max
            (True, True)
            >>> {near.item[0] for near in found.by_content}  # its own genre
            {'a'}
        """
        at_least_1("k", k)
        place = self.place(item)
        return Explanation(
            item,
            int(self.train_count[place]),
            float(self.delta_norm[place]),
            float(self.cosine[place]),
            self._nearest(self.content, place, k),
            self._nearest(self.adapted, place, k),
        )

    def _nearest(self, rows: np.ndarray, place: int, k: int) -> tuple[Neighbour, ...]:
        other = self.listed.copy()
        other[place] = False
        cosine = np.where(other, rows @ rows[place], -np.inf)
        nearest = np.argsort(-cosine, kind="stable")[: min(k, other.sum())]
        return tuple(Neighbour(self.items[n], float(cosine[n])) for n in nearest)


def _directions(rows: Tensor) -> np.ndarray:
    """Unit vectors ``[n, d]`` of all rows ``[1 + n, d]`` but that of padding."""
    with torch.no_grad():
        return F.normalize(rows[1:], dim=1).cpu().numpy()
