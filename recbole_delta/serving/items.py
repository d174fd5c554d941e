"""The items of a recommender: ids in the order of the model's rows, and which are recommended."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dataset_prep.errors import DeltaError


class ServedItems:
    """Ids of items and their numbers, padding (0) first and warm items before cold ones.

    Args:
        tokens: ids by number, with that of padding.
        n_warm: items 1 .. ``n_warm`` have training rows.
        advice: what to do about an item that is not there.

    Attributes:
        removed: ids that are recommended no more.
    """

    def __init__(self, tokens: Sequence[str], n_warm: int, advice: str = "add it first") -> None:
        self.tokens = list(tokens)
        self._advice = advice
        self.n_warm = n_warm
        self.removed: set[str] = set()
        self._number = {token: n for n, token in enumerate(self.tokens) if n}

    def __len__(self) -> int:
        """How many numbers are taken, that of padding included."""
        return len(self.tokens)

    @property
    def listed(self) -> list[str]:
        """Ids of the items that are recommended."""
        return [token for token in self._number if token not in self.removed]

    def number(self, token: str, where: str) -> int:
        """The number of an item.

        Args:
            token: id of the item.
            where: what names it, for messages.

        Raises:
            DeltaError: the id is no text, or there is no such item.
        """
        if not isinstance(token, str):
            raise DeltaError(f"{where}: ids are texts, in quotation marks, but one is {token!r}.")
        if token not in self._number:
            raise DeltaError(f"{where}: there is no item {token!r}; {self._advice}.")
        return self._number[token]

    def numbers(self, tokens: Collection[str], where: str) -> Tensor:
        """The numbers of several items, ``[n]`` int64.

        Args:
            tokens: ids of n items.
            where: what names them, for messages.

        Raises:
            DeltaError: these are no ids, or there is no such item.
        """
        if isinstance(tokens, str) or not isinstance(tokens, Collection):
            raise DeltaError(f"{where} takes a list of ids, but is {tokens!r}.")
        return torch.tensor([self.number(token, where) for token in tokens], dtype=torch.int64)

    def is_cold(self, token: str) -> bool:
        """Whether an item has no training rows."""
        return self._number[token] > self.n_warm

    def add(self, tokens: Sequence[str]) -> Tensor:
        """Add what is new among some items, at the end, and recommend all of them.

        Args:
            tokens: ids of n items.

        Returns:
            ``[n]`` int64 numbers of them.
        """
        for token in tokens:
            if token not in self._number:
                self._number[token] = len(self.tokens)
                self.tokens.append(token)
        self.removed.difference_update(tokens)
        return torch.tensor([self._number[token] for token in tokens])

    def remove(self, tokens: Collection[str], where: str = "remove") -> None:
        """Recommend some items no more.

        Args:
            tokens: ids of the items.
            where: what names them, for messages.

        Raises:
            DeltaError: there is no such item.
        """
        self.numbers(tokens, where)
        self.removed.update(tokens)

    def candidates(
        self, allow: Collection[str] | None, deny: Collection[str], cold_only: bool
    ) -> Tensor:
        """Which numbers may be recommended.

        Args:
            allow: ids of the only items to recommend; None for all.
            deny: ids of items not to recommend.
            cold_only: only items without training rows.

        Returns:
            ``[len(self)]`` bool.

        Raises:
            DeltaError: a list has an unknown item.
        """
        candidate = torch.zeros(len(self), dtype=torch.bool)
        if allow is None:
            candidate[1:] = True
        else:
            candidate[self.numbers(allow, "allow")] = True
        candidate[self.numbers(deny, "deny")] = False
        candidate[self.numbers(self.removed, "remove")] = False
        if cold_only:
            candidate[: self.n_warm + 1] = False
        return candidate


def check_new_ids(tokens: Sequence[str]) -> None:
    """Refuse what cannot be an id, or stands there twice.

    Args:
        tokens: ids of items to add.

    Raises:
        DeltaError: one is no line of text, that of padding, or there twice.
    """
    if isinstance(tokens, str):
        raise DeltaError(f"Ids are a list of texts, but here is the text {tokens!r}.")
    seen: set[str] = set()
    for token in tokens:
        if not isinstance(token, str) or not _is_a_line(token) or token == "[PAD]":
            raise DeltaError(f"An item id must be a line of text, but is {token!r}.")
        if token in seen:
            raise DeltaError(f"Item {token!r} is there twice; keep one.")
        seen.add(token)


def matrix_of(tokens: Sequence[str], vectors: Any) -> np.ndarray:
    """The content of items to add, ``[n, c]`` float32.

    Args:
        tokens: ids of n items.
        vectors: their vectors, in any form that NumPy takes.

    Raises:
        DeltaError: they are no matrix of numbers, or not as many as the items.
    """
    if isinstance(vectors, Tensor):
        vectors = vectors.detach().cpu()
    try:
        matrix = np.asarray(vectors, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise DeltaError(
            f"Content vectors are numbers, as many for each item ({error})."
        ) from error
    if matrix.ndim != 2 or len(matrix) != len(tokens):
        raise DeltaError(
            f"Content is a vector for each of the {len(tokens)} items, "
            f"but here is an array of the shape {list(matrix.shape)}."
        )
    return matrix


def _is_a_line(token: str) -> bool:
    """Whether a text can be written as a line: half a surrogate pair, as of a cut emoji, cannot."""
    try:
        return bool(token.encode()) and "\n" not in token
    except UnicodeEncodeError:
        return False
