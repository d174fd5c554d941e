"""The largest product of each query with each group of vectors, in one pass over the vectors."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

GROUP = 32
"""Vectors of which the largest product is noted."""

BLOCK = 2**12
"""Vectors multiplied at a time: with the queries' products, what the cache holds."""

LEVELS = 127
"""Steps of a byte from zero."""


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


def group_maxima(
    query: Tensor, vectors: Tensor, scale: Tensor, level: Tensor, allowed: Allowed
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
    banned = filled(~allowed.items, len(vectors), True).view(-1, BLOCK)
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
    return _with_offset(largest, offset, mixed, level, allowed.items)


def _with_offset(
    largest: Tensor, offset: Tensor, mixed: Tensor, level: Tensor, allowed: Tensor
) -> Tensor:
    """``largest`` with the offsets of groups that have one for all; −inf where nothing is."""
    if len(offset):
        of_all = offset[:, 0].index_fill(0, mixed, 0.0)
        largest.addmm_(level.reciprocal()[:, None], of_all[None])
    there = filled(allowed, largest.size(1) * GROUP, False).view(-1, GROUP).any(1)
    return largest.index_fill_(1, torch.nonzero(~there).flatten(), -torch.inf)


def largest_groups(largest: Tensor, k: int) -> Tensor:
    """The k groups with the largest values, ``[B, k]`` in ascending order of their numbers."""
    of_block = largest.view(len(largest), -1, BLOCK // GROUP)
    blocks = of_block.amax(2).topk(min(k, of_block.size(1))).indices
    # The k largest are in the k blocks with the largest maxima.
    inside = of_block.gather(1, blocks[..., None].expand(-1, -1, of_block.size(2))).flatten(1)
    place = inside.topk(min(k, inside.size(1))).indices
    block = blocks.gather(1, place // of_block.size(2))
    return (block * of_block.size(2) + place % of_block.size(2)).sort(1).values


@cache
def bytes_are_quick(dim: int) -> bool:
    """Whether torch multiplies bytes faster than float32 here, and right; it is tried once.

    Args:
        dim: dimension of the vectors.
    """
    draw = torch.Generator().manual_seed(0)
    code = torch.randint(-LEVELS, LEVELS + 1, (BLOCK, dim), dtype=torch.int8, generator=draw)
    query, exact = code[:256], code.float()
    product = torch.empty(len(query), BLOCK, dtype=torch.int32)
    try:
        in_bytes = _least_seconds(query, code, product)
    except (AttributeError, RuntimeError):
        return False
    if not torch.equal(product.double(), exact[:256].double() @ exact.double().T):
        return False
    return in_bytes < 0.8 * _least_seconds(exact[:256], exact, product.float())


def _least_seconds(query: Tensor, vectors: Tensor, out: Tensor) -> float:
    turns = []
    for _ in range(5):
        started = time.perf_counter()
        _multiply(query, vectors, out)
        turns.append(time.perf_counter() - started)
    return min(turns)


def _multiply(query: Tensor, vectors: Tensor, out: Tensor) -> None:
    """Products ``[B, n]``, of bytes as int32."""
    if query.dtype == torch.int8:
        torch._int_mm(query, vectors.T, out=out)
    else:
        torch.mm(query, vectors.T, out=out)


def filled(values: Tensor, n: int, value: float) -> Tensor:
    """Values ``[m]``, followed by ``value`` up to ``[n]``."""
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
