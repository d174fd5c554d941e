"""Flat sequences against plain Python."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recbole_delta.data.sequences import FlatSequences, prefix_slices, window_slices

lengths = st.lists(st.integers(1, 12), min_size=1, max_size=8)


def users_of(lengths):
    return np.repeat(np.arange(len(lengths)), lengths)


@given(lengths)
@settings(deadline=None)
def test_prefixes_are_those_of_recbole(lengths):
    users = users_of(lengths)
    start, stop = prefix_slices(users)
    expected, first = [], 0
    for length in lengths:
        expected += [(first, first + i) for i in range(1, length)]
        first += length
    assert list(zip(start, stop)) == expected


@given(lengths, st.integers(1, 5), st.none() | st.integers(0, 99))
@settings(deadline=None)
def test_windows_make_every_row_but_a_users_first_a_target_once(lengths, width, seed):
    """Wherever they end, and always as many."""
    users = users_of(lengths)
    start, stop = window_slices(users, width, None if seed is None else np.random.default_rng(seed))
    assert len(start) == sum(-(-(length - 1) // width) for length in lengths)
    targets = [row for a, b in zip(start, stop) for row in range(a + 1, b + 1)]
    first = np.cumsum([0, *lengths[:-1]])
    assert sorted(targets) == sorted(set(range(len(users))) - set(first))
    assert all(users[a] == users[b] and 1 <= b - a <= width for a, b in zip(start, stop))


def test_windows_drawn_anew_show_a_target_after_few_and_after_many_items():
    users, rng = users_of([18]), np.random.default_rng(0)
    inputs = [set() for _ in users]
    for _ in range(200):
        for start, stop in zip(*window_slices(users, 5, rng)):
            for target in range(start + 1, stop + 1):
                inputs[target].add(target - start)
    # 17 targets in four windows of five: up to three places are left over.
    assert all(len(seen) == 4 for seen in inputs[5:])


@given(lengths, st.integers(1, 9), st.booleans())
@settings(deadline=None)
def test_padding_and_flattening(lengths, max_length, trim):
    stop = np.cumsum(lengths)
    start = stop - np.array(lengths)
    items = torch.arange(1, stop[-1] + 1)
    sequences = FlatSequences(items, torch.tensor(start), torch.tensor(stop))
    index = torch.arange(len(lengths)).flip(0)
    padded, n = sequences.padded(index, max_length, trim)
    row, item = sequences.flat(index)
    for position, which in enumerate(index.tolist()):
        whole = list(range(start[which] + 1, stop[which] + 1))
        assert padded[position][: n[position]].tolist() == whole[-max_length:]
        assert padded[position][n[position] :].eq(0).all()
        assert item[row == position].tolist() == whole
    assert padded.size(1) == (min(max(lengths), max_length) if trim else max_length)


def test_an_empty_sequence_is_all_padding():
    sequences = FlatSequences(torch.tensor([5]), torch.tensor([1]), torch.tensor([1]))
    padded, n = sequences.padded(torch.tensor([0]), 3, trim=True)
    assert padded.tolist() == [[0]]
    assert n.tolist() == [0]
