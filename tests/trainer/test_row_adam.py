"""Row-wise Adam does what torch's own optimizers do."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from recbole_delta.trainer.row_adam import RowAdam


def test_rows_are_updated_as_by_sparse_adam():
    ours = nn.Parameter(torch.randn(9, 4, generator=torch.Generator().manual_seed(0)))
    theirs = nn.Parameter(ours.detach().clone())
    touched = []
    adam = RowAdam([ours], 0.1, lambda table, rows: touched.append((table is ours, len(rows))))
    sparse = torch.optim.SparseAdam([theirs], lr=0.1)
    for ids in ([1, 2, 2], [0, 2], [7, 7, 7, 1], [5]):
        for table, optimizer in ((ours, adam), (theirs, sparse)):
            optimizer.zero_grad()
            F.embedding(torch.tensor(ids), table, sparse=True).pow(3).sum().backward()
        adam.step()
        sparse.step()
        torch.testing.assert_close(ours, theirs)
        assert touched[-1] == (True, len(set(ids)))
    assert set(adam.state[ours]) == {"step", "exp_avg", "exp_avg_sq"}


def test_dense_gradients_are_adams():
    """And either goes on from the state of the other."""
    ours, theirs = (nn.Parameter(torch.arange(1.0, 4.0)) for _ in range(2))
    rest = nn.Parameter(torch.ones(2))
    row_adam = RowAdam([ours, rest], 0.1, lambda *_: pytest.fail("no rows here"))
    adam = torch.optim.Adam([theirs, rest], lr=0.1)
    for turn in range(4):
        for weight, optimizer in ((ours, row_adam), (theirs, adam)):
            optimizer.zero_grad()
            weight.pow(2 + turn).sum().backward()
            optimizer.step()
        torch.testing.assert_close(ours, theirs)
        if turn == 1:
            states = adam.state_dict(), row_adam.state_dict()
            for optimizer, state in zip((row_adam, adam), states):
                optimizer.load_state_dict(state)
    assert torch.equal(rest, torch.ones(2))


def test_rows_that_are_to_be_written_can_be_changed():
    table = nn.Parameter(torch.zeros(5, 2))
    adam = RowAdam([table], 0.1, lambda _, rows: rows.clamp_(-0.01, 0.01))
    F.embedding(torch.tensor([1, 3]), table, sparse=True).sum().backward()
    adam.step()
    expected = torch.zeros(5, 2)
    expected[[1, 3]] = -0.01
    assert torch.equal(table, expected)
