"""The k largest products with each of a million vectors: screened in bytes, chosen in float32.

Most of the time of an exact search goes into products that are nowhere near the best. Here these
are computed from vectors rounded to bytes, which processors multiply three to four times as fast as
float32. How far rounding can move a product is bounded (Cauchy-Schwarz), so what may be among the
best is known for sure, and its products are computed in float32: a few hundred of a million.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

GROUP = 32
"""Vectors that are screened by one bound, and rounded on one scale."""

BLOCK = 2**11
"""Vectors multiplied at a time: with the queries' products, what the cache holds."""

QUERIES_AT_ONCE = 512
"""Queries multiplied at a time: fewer would read the vectors too often."""

ROWS_AT_ONCE = 2**12
"""Vectors gathered at a time for their exact products: 2 MiB at dimension 128."""

MOST_GROUPS = 256
"""Groups a query may leave open on average; where it is more, bytes do not tell it apart."""

LEVELS = 127
"""Steps of a byte from zero."""

TINY = 1e-30
"""In the place of a scale of zero."""

LEAST = torch.finfo(torch.float32).min
"""Below all that may be found, above −inf."""


@dataclass(frozen=True)
class Allowed:
    """What may be found, and what is added to its product.

    Args:
        items: ``[n]`` bool, what may be found.
        offset: ``[n]`` float32, added to the products; None for nothing.
        seen_by: ``[m]`` int64 queries, ascending; ``seen[i]`` is not to be found for it.
        seen: ``[m]`` int64 items.
    """

    items: Tensor
    offset: Tensor | None
    seen_by: Tensor
    seen: Tensor

    def of_queries(self, start: int, stop: int) -> Allowed:
        """The same for a part of the queries, whose numbers begin at 0 again."""
        first, last = torch.searchsorted(self.seen_by, torch.tensor([start, stop])).tolist()
        return Allowed(
            self.items, self.offset, self.seen_by[first:last] - start, self.seen[first:last]
        )


class ScreenedVectors:
    """Vectors among which those with the largest products are found.

    Args:
        vectors: ``[n, d]`` float32.
        in_bytes: screen with bytes; where the processor has no quick product of them, groups are
            screened by their exact products.

    Example:
        >>> import torch
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

    def __len__(self) -> int:
        """Number n of vectors."""
        return self._n

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
        vectors, codes = (
            each.view(-1, GROUP, self._dim) for each in (self._vectors, self._codes)
        )
        for part in groups.split(BLOCK // GROUP):
            exact = vectors[part]
            scale = exact.abs().amax((1, 2)).div_(LEVELS).clamp_(min=TINY)[:, None, None]
            code = (exact / scale).round_()
            codes[part], self._scale[part] = code.to(torch.int8), scale.flatten()
            rounded = code.mul_(scale)
            self._norm[part] = norm = rounded.norm(dim=2).amax(1)
            self._moved[part] = exact.sub_(rounded).norm(dim=2).amax(1).add_(norm, alpha=self._slack)

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
        upper = self._largest(code.to(torch.int8), self._codes, self._scale, level, allowed)
        # |q·x − q̂·x̂| ≤ |q|·|x − x̂| + |q − q̂|·|x̂|
        bound = torch.stack([query.norm(dim=1), moved]).div_(level)
        upper.addmm_(bound.T, torch.stack([self._moved, self._norm]))
        first = _largest_groups(upper, k)
        products = self._products(query, *_pairs(first), allowed).view(len(query), -1)
        items = _members(first)
        enough = (products.topk(k).values[:, -1:] / level[:, None]).clamp_(min=LEAST)
        upper.scatter_(1, first, -torch.inf)
        row, group = torch.nonzero(upper >= enough, as_tuple=True)
        if len(row) > MOST_GROUPS * len(query):
            return None
        more = _side_by_side(row, self._products(query, row, group, allowed), len(query), -torch.inf)
        where = _side_by_side(row, _members(group[:, None]), len(query), 0)
        return _topk(torch.cat([products, more], 1), torch.cat([items, where], 1), k)

    def _best_by_products(self, query: Tensor, k: int, allowed: Allowed) -> tuple[Tensor, Tensor]:
        """What :meth:`best` returns, without bytes."""
        ones = torch.ones(max(len(query), len(self._scale)))
        largest = self._largest(
            query, self._vectors, ones[: len(self._scale)], ones[: len(query)], allowed
        )
        group = _largest_groups(largest, k)
        products = self._products(query, *_pairs(group), allowed).view(len(query), -1)
        return _topk(products, _members(group), k)

    def _largest(
        self, query: Tensor, vectors: Tensor, scale: Tensor, level: Tensor, allowed: Allowed
    ) -> Tensor:
        """The largest product in each group, ``[B, n_groups]``, in units of a query's ``level``.

        Args:
            query: ``[B, d]`` int8 or float32.
            vectors: ``[n, d]`` of the same type.
            scale: ``[n_groups]`` that of each group's products.
            level: ``[B]`` that of each query's products.
            allowed: what may be found; −inf for a group without.
        """
        n_blocks, groups = len(vectors) // BLOCK, BLOCK // GROUP
        banned = _fill(~allowed.items, len(vectors), True).view(-1, BLOCK)
        n_banned = banned.sum(1).tolist()
        order = allowed.seen.argsort()
        seen_by, seen = allowed.seen_by[order], allowed.seen[order]
        ends_seen = _ends(seen, BLOCK, n_blocks)
        offset, mixed = _by_group(allowed.offset, len(vectors))
        ends_mixed = _ends(mixed, groups, n_blocks)

        kind, lowest = torch.float32, -torch.inf
        if query.dtype == torch.int8:
            kind, lowest = torch.int32, -(2**30)
        product = torch.empty(len(query), BLOCK, dtype=kind)
        grouped = product.view(len(query), groups, GROUP)
        maxima = torch.empty(len(query), groups, dtype=kind)
        largest = torch.empty(len(query), n_blocks * groups)
        for block in range(n_blocks):
            start, here = block * BLOCK, slice(block * groups, (block + 1) * groups)
            if n_banned[block] == BLOCK:
                largest[:, here] = -torch.inf
                continue
            _multiply(query, vectors[start : start + BLOCK], product)
            if n_banned[block]:
                # The smaller of two is found many times as fast as masked elements are filled.
                cap = torch.full((BLOCK,), -lowest, dtype=kind).masked_fill_(banned[block], lowest)
                torch.minimum(product, cap, out=product)
            mine = slice(ends_seen[block], ends_seen[block + 1])
            if mine.start < mine.stop:
                product[seen_by[mine], seen[mine] - start] = lowest
            torch.amax(grouped, 2, out=maxima)
            torch.mul(maxima, scale[here], out=largest[:, here])
            group = mixed[ends_mixed[block] : ends_mixed[block + 1]]
            if len(group):
                each = offset[group] / level[:, None, None]
                each += grouped[:, group - here.start] * scale[group, None]
                largest[:, group] = each.amax(2)
        return self._with_offset(largest, offset, mixed, level, allowed.items)

    def _with_offset(
        self, largest: Tensor, offset: Tensor, mixed: Tensor, level: Tensor, allowed: Tensor
    ) -> Tensor:
        """``largest`` with the offsets of groups that have one for all; −inf where nothing is."""
        if len(offset):
            of_all = offset[:, 0].index_fill(0, mixed, 0.0)
            largest.addmm_(level.reciprocal()[:, None], of_all[None])
        there = _fill(allowed, largest.size(1) * GROUP, False).view(-1, GROUP).any(1)
        return largest.index_fill_(1, torch.nonzero(~there).flatten(), -torch.inf)

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
            torch.bmm(vectors[groups], query[rows, :, None], out=products[part : part + step, :, None])
        item = _members(group[:, None])
        if allowed.offset is not None:
            products += _fill(allowed.offset, len(self._vectors), 0.0)[item]
        products.masked_fill_(~_fill(allowed.items, len(self._vectors), False)[item], -torch.inf)
        pair = row * len(self._scale) + group
        seen = allowed.seen_by * len(self._scale) + allowed.seen // GROUP
        place = torch.searchsorted(pair, seen).clamp_(max=max(len(pair) - 1, 0))
        if len(pair):
            hit = pair[place] == seen
            products[place[hit], allowed.seen[hit] % GROUP] = -torch.inf
        return products


@cache
def bytes_are_quick() -> bool:
    """Whether this processor multiplies bytes faster than float32; it is tried once, in 20 ms."""
    draw = torch.Generator().manual_seed(0)
    code = torch.randint(-LEVELS, LEVELS + 1, (BLOCK, 128), dtype=torch.int8, generator=draw)
    exact = code.float()
    took = []
    try:
        for factor in (code, exact):
            query = factor[:256]
            product = torch.empty(256, BLOCK, dtype=torch.int32 if factor is code else torch.float32)
            turns = []
            for _ in range(5):
                started = time.perf_counter()
                _multiply(query, factor, product)
                turns.append(time.perf_counter() - started)
            took.append(min(turns))
            right = torch.equal(product.double(), exact[:256].double() @ exact.double().T)
            if factor is code and not right:
                return False
    except (AttributeError, RuntimeError):
        return False
    return took[0] < 0.8 * took[1]


def _multiply(query: Tensor, vectors: Tensor, out: Tensor) -> None:
    """Products ``[B, n]``, of bytes as int32."""
    if query.dtype == torch.int8:
        torch._int_mm(query, vectors.T, out=out)
    else:
        torch.mm(query, vectors.T, out=out)


def _in_blocks(rows: Tensor, n: int = 0) -> Tensor:
    """A copy with rows of zeros up to whole blocks that hold ``n`` rows."""
    n = max(n, len(rows))
    return F.pad(rows, (0, 0, 0, -(-n // BLOCK) * BLOCK - len(rows)))


def _fill(values: Tensor, n: int, value: float) -> Tensor:
    return F.pad(values, (0, n - len(values)), value=value)


def _ends(ascending: Tensor, size: int, n: int) -> list[int]:
    """Where those below ``0, size, 2·size, ... n·size`` end."""
    return torch.searchsorted(ascending, torch.arange(n + 1) * size).tolist()


def _by_group(offset: Tensor | None, n: int) -> tuple[Tensor, Tensor]:
    """Offsets ``[n_groups, 32]`` (none without), and the groups in which they differ."""
    if offset is None:
        return torch.empty(0, GROUP), torch.empty(0, dtype=torch.int64)
    grouped = F.pad(offset[None], (0, n - len(offset)), mode="replicate")[0].view(-1, GROUP)
    return grouped, torch.nonzero((grouped != grouped[:, :1]).any(1)).flatten()


def _largest_groups(largest: Tensor, k: int) -> Tensor:
    """The k groups with the largest values, ``[B, k]`` in ascending order of their numbers."""
    of_block = largest.view(len(largest), -1, BLOCK // GROUP)
    blocks = of_block.amax(2).topk(min(k, of_block.size(1))).indices
    # The k largest are in the k blocks with the largest maxima.
    inside = of_block.gather(1, blocks[..., None].expand(-1, -1, of_block.size(2))).flatten(1)
    place = inside.topk(min(k, inside.size(1))).indices
    block = blocks.gather(1, place // of_block.size(2))
    return (block * of_block.size(2) + place % of_block.size(2)).sort(1).values


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
