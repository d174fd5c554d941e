"""Draws without replacement, the same on every machine and with every version of a library.

The counts of the paper ("Let It Go? Not Quite", RecSys 2025) depend on
``polars.Series.sample(fraction=0.9, seed=42)`` as it was then, and the numbers behind a seed have
changed in polars since. This is that draw (polars 1.x, at least 163 drawn): a partial Fisher-Yates
shuffle by xoshiro256++ (Blackman & Vigna 2021), seeded through PCG32 (O'Neill 2014), bounded by
Lemire's multiplication (2019).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

MASK = 2**64 - 1


def draw(population: int, n: int, seed: int) -> np.ndarray:
    """Draw ``n`` different whole numbers from 0 to ``population`` - 1.

    Args:
        population: how many numbers there are to draw from.
        n: how many are drawn, at most ``population``.
        seed: seed of the draw; equal seeds give equal numbers.

    Returns:
        ``[n]`` int64, in the order in which they were drawn.

    Example:
        >>> from dataset_prep.interactions.draw import draw
        >>> draw(10, 3, seed=42).tolist()
        [1, 7, 6]
    """
    words = _xoshiro256(_seeded(seed))
    order = list(range(population))
    for place in range(n):
        left = population - place
        zone = ((left << (32 - left.bit_length())) - 1) & 0xFFFFFFFF
        # The high half of a product of 32 bits is uniform if its low half lies in the zone.
        product = next(words) * left
        while product & 0xFFFFFFFF > zone:
            product = next(words) * left
        other = place + (product >> 32)
        order[place], order[other] = order[other], order[place]
    return np.array(order[:n], dtype=np.int64)


def _xoshiro256(state: list[int]) -> Iterator[int]:
    """The upper 32 bits of each output."""
    a, b, c, d = state
    while True:
        yield ((_rotated((a + d) & MASK, 23) + a) & MASK) >> 32
        shifted = (b << 17) & MASK
        c ^= a
        d ^= b
        b ^= c
        a ^= d
        c ^= shifted
        d = _rotated(d, 45)


def _seeded(seed: int) -> list[int]:
    """Four words of 64 bits from eight outputs of PCG32."""
    halves = []
    for _ in range(8):
        seed = (seed * 6364136223846793005 + 11634580027462260723) & MASK
        mixed = (((seed >> 18) ^ seed) >> 27) & 0xFFFFFFFF
        turn = seed >> 59
        halves.append(((mixed >> turn) | (mixed << (-turn & 31))) & 0xFFFFFFFF)
    return [low | high << 32 for low, high in zip(halves[::2], halves[1::2])]


def _rotated(word: int, by: int) -> int:
    return ((word << by) | (word >> (64 - by))) & MASK
