"""The k largest products with each of a million vectors: screened in bytes, chosen in float32.

Most of the time of an exact search goes into products that are nowhere near the best. Here these
are computed from vectors rounded to bytes, which processors multiply three to four times as fast as
float32. How far rounding can move a product is bounded (Cauchy-Schwarz), so what may be among the
best is known for sure, and its products are computed in float32: a few hundred of a million.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from recbole_delta.serving.group_maxima import (
    BLOCK,
    GROUP,
    LEVELS,
    Allowed,
    filled,
    group_maxima,
    largest_groups,
)

QUERIES_AT_ONCE = 256
"""Queries multiplied at a time: fewer would read the vectors too often."""

ROWS_AT_ONCE = 2**12
"""Vectors gathered at a time for their exact products: 2 MiB at dimension 128."""

MOST_GROUPS = 256
"""Groups a query may leave open on average; where it is more, bytes do not tell it apart."""

TINY = 1e-30
"""In the place of a scale of zero."""

LEAST = torch.finfo(torch.float32).min
"""Below all that may be found, above −inf."""


class ScreenedVectors:
    """Vectors among which those with the largest products are found.

    Args:
        vectors: ``[n, d]`` float32.
        in_bytes: screen with bytes; where the processor has no quick product of them, groups are
            screened by their exact products.

    Example:
        >>> import torch
        >>> from recbole_delta.serving.group_maxima import Allowed
        >>> from recbole_delta.serving.screening import ScreenedVectors
        >>> vectors = torch.randn(5000, 16)
        >>> query, no_one = torch.randn(3, 16), torch.tensor([], dtype=torch.int64)
        >>> allowed = Allowed(torch.arange(5000) > 0, None, no_one, no_one)
        >>> products, items = ScreenedVectors(vectors, in_bytes=True).best(query, 10, allowed)
        >>> torch.equal(items, (query @ vectors[1:].T).topk(10).indices + 1)
        True
    """

    def __init__(self, vectors: Tensor, in_bytes: bool) -> None:
        self.in_bytes = in_bytes
        self._n, self._dim = vectors.shape
        self._vectors = _in_blocks(vectors)
        n_groups = len(self._vectors) // GROUP
        self._codes = torch.zeros(self._vectors.shape, dtype=torch.int8)
        self._scale, self._moved, self._norm = torch.zeros(3, n_groups)
        self._round(torch.arange(n_groups))

    def put(self, numbers: Tensor, vectors: Tensor) -> None:
        """Replace vectors, and append those beyond the last; all others stay as they are.

        Args:
            numbers: ``[m]`` int64; without gaps where they go beyond the last.
            vectors: ``[m, d]`` float32.
        """
        self._n = max(self._n, int(numbers.max()) + 1)
        if self._n > len(self._vectors):
            self._vectors, self._codes = (
                _in_blocks(each, self._n) for each in (self._vectors, self._codes)
            )
            more = len(self._vectors) // GROUP - len(self._scale)
            self._scale, self._moved, self._norm = (
                F.pad(each, (0, more)) for each in (self._scale, self._moved, self._norm)
            )
        self._vectors[numbers] = vectors
        self._round((numbers // GROUP).unique())

    def best(self, query: Tensor, k: int, allowed: Allowed) -> tuple[Tensor, Tensor]:
        """The k largest products of each query with allowed vectors, offset included.

        Args:
            query: ``[B, d]`` float32.
            k: number of products; where it is near n, sorting all of them is quicker.
            allowed: what may be found.

        Returns:
            ``[B, min(k, n)]`` float32 products, largest first, −inf where fewer are allowed, and as
            many int64 numbers of the vectors.
        """
        k, found = min(k, self._n), []
        for start in range(0, len(query), QUERIES_AT_ONCE):
            part = query[start : start + QUERIES_AT_ONCE]
            mine = allowed.of_queries(start, start + len(part))
            certain = self._best_by_bytes(part, k, mine) if self.in_bytes else None
            found.append(self._best_by_products(part, k, mine) if certain is None else certain)
        products, items = zip(*found)
        return torch.cat(products), torch.cat(items)

    # -- inside ----------------------------------------------------------------------------

    def _round(self, groups: Tensor) -> None:
        """Round the vectors of some groups, and note how far they move at most."""
        vectors, codes = (each.view(-1, GROUP, self._dim) for each in (self._vectors, self._codes))
        for part in groups.split(BLOCK // GROUP):
            exact = vectors[part]
            scale = exact.abs().amax((1, 2)).div_(LEVELS).clamp_(min=TINY)[:, None, None]
            code = (exact / scale).round_()
            codes[part], self._scale[part] = code.to(torch.int8), scale.flatten()
            rounded = code.mul_(scale)
            self._norm[part] = norm = rounded.norm(dim=2).amax(1)
            self._moved[part] = (
                exact.sub_(rounded).norm(dim=2).amax(1).add_(norm, alpha=self._slack)
            )

    @property
    def _slack(self) -> float:
        """Bound of the error of a float32 product of unit vectors, and of what is added to it."""
        return 2 * (self._dim + 16) * torch.finfo(torch.float32).eps

    def _best_by_bytes(
        self, query: Tensor, k: int, allowed: Allowed
    ) -> tuple[Tensor, Tensor] | None:
        """What :meth:`best` returns; None if too many groups may hold one of the best."""
        level = query.abs().amax(1).div_(LEVELS).clamp_(min=TINY)
        code = (query / level[:, None]).round_()
        moved = (query - code * level[:, None]).norm(dim=1)
        upper = group_maxima(code.to(torch.int8), self._codes, self._scale, level, allowed)
        # |q·x − q̂·x̂| ≤ |q|·|x − x̂| + |q − q̂|·|x̂|
        bound = torch.stack([query.norm(dim=1), moved]).div_(level)
        upper.addmm_(bound.T, torch.stack([self._moved, self._norm]))
        first = largest_groups(upper, k)
        products = self._products(query, *_pairs(first), allowed).view(len(query), -1)
        items = _members(first)
        enough = products.topk(k).values[:, -1:] / level[:, None]
        enough = enough.sub_(enough.abs(), alpha=self._slack).clamp_(min=LEAST)
        upper.scatter_(1, first, -torch.inf)
        row, group = torch.nonzero(upper >= enough, as_tuple=True)
        if len(row) > MOST_GROUPS * len(query):
            return None
        more = _side_by_side(
            row, self._products(query, row, group, allowed), len(query), -torch.inf
        )
        where = _side_by_side(row, _members(group[:, None]), len(query), 0)
        return _topk(torch.cat([products, more], 1), torch.cat([items, where], 1), k)

    def _best_by_products(self, query: Tensor, k: int, allowed: Allowed) -> tuple[Tensor, Tensor]:
        """What :meth:`best` returns, without bytes."""
        ones = torch.ones(max(len(query), len(self._scale)))
        largest = group_maxima(
            query, self._vectors, ones[: len(self._scale)], ones[: len(query)], allowed
        )
        group = largest_groups(largest, k)
        products = self._products(query, *_pairs(group), allowed).view(len(query), -1)
        return _topk(products, _members(group), k)

    def _products(self, query: Tensor, row: Tensor, group: Tensor, allowed: Allowed) -> Tensor:
        """The exact products of queries with the members of groups, offset included.

        Args:
            query: ``[B, d]``.
            row: ``[P]`` int64 numbers of queries.
            group: ``[P]`` int64 numbers of groups; with ``row``, in ascending order.
            allowed: what may be found; −inf for other members.

        Returns:
            ``[P, 32]``.
        """
        vectors = self._vectors.view(-1, GROUP, self._dim)
        step = ROWS_AT_ONCE // GROUP
        products = torch.empty(len(row), GROUP)
        for part in range(0, len(row), step):
            rows, groups = row[part : part + step], group[part : part + step]
            torch.bmm(
                vectors[groups], query[rows, :, None], out=products[part : part + step, :, None]
            )
        item = _members(group[:, None])
        if allowed.offset is not None:
            products += filled(allowed.offset, len(self._vectors), 0.0)[item]
        products.masked_fill_(~filled(allowed.items, len(self._vectors), False)[item], -torch.inf)
        pair = row * len(self._scale) + group
        seen = allowed.seen_by * len(self._scale) + allowed.seen // GROUP
        place = torch.searchsorted(pair, seen).clamp_(max=max(len(pair) - 1, 0))
        if len(pair):
            hit = pair[place] == seen
            products[place[hit], allowed.seen[hit] % GROUP] = -torch.inf
        return products


def _in_blocks(rows: Tensor, n: int = 0) -> Tensor:
    """A copy with rows of zeros up to whole blocks that hold ``n`` rows."""
    n = max(n, len(rows))
    return F.pad(rows, (0, 0, 0, -(-n // BLOCK) * BLOCK - len(rows)))


def _pairs(group: Tensor) -> tuple[Tensor, Tensor]:
    """Queries and groups, ``[B·k]`` each, of ``[B, k]`` groups a query."""
    row = torch.arange(len(group)).repeat_interleave(group.size(1))
    return row, group.flatten()


def _members(group: Tensor) -> Tensor:
    """Numbers of the vectors in ``[B, k]`` groups, ``[B, k·32]``."""
    return (group[..., None] * GROUP + torch.arange(GROUP)).flatten(1)


def _side_by_side(row: Tensor, values: Tensor, n_rows: int, filling: float) -> Tensor:
    """Values ``[P, 32]`` of rows ``[P]``, ascending, as ``[n_rows, most · 32]``."""
    count = torch.bincount(row, minlength=n_rows)
    place = torch.arange(len(row)) - (count.cumsum(0) - count)[row]
    table = values.new_full((n_rows, int(count.max()), values.size(1)), filling)
    table[row, place] = values
    return table.flatten(1)


def _topk(products: Tensor, items: Tensor, k: int) -> tuple[Tensor, Tensor]:
    found = products.topk(k)
    return found.values, items.gather(1, found.indices)
