"""Row-wise Adam does what torch's own optimizers do."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from recbole_delta.embedding import DeltaEmbedding
from recbole_delta.trainer.row_adam import RowAdam


def test_rows_are_updated_as_by_sparse_adam():
    ours = nn.Parameter(torch.randn(9, 4, generator=torch.Generator().manual_seed(0)))
    theirs = nn.Parameter(ours.detach().clone())
    adam = RowAdam([ours], 0.1)
    sparse = torch.optim.SparseAdam([theirs], lr=0.1)
    for ids in ([1, 2, 2], [0, 2], [7, 7, 7, 1], [5]):
        for table, optimizer in ((ours, adam), (theirs, sparse)):
            optimizer.zero_grad()
            F.embedding(torch.tensor(ids), table, sparse=True).pow(3).sum().backward()
        adam.step()
        sparse.step()
        torch.testing.assert_close(ours, theirs)
        assert adam.updated_rows(ours).tolist() == sorted(set(ids))
    assert set(adam.state[ours]) == {"step", "exp_avg", "exp_avg_sq"}


def test_dense_gradients_are_adams():
    """And either goes on from the state of the other."""
    ours, theirs = (nn.Parameter(torch.arange(1.0, 4.0)) for _ in range(2))
    rest = nn.Parameter(torch.ones(2))
    row_adam = RowAdam([ours, rest], 0.1)
    adam = torch.optim.Adam([theirs, rest], lr=0.1)
    for turn in range(4):
        for weight, optimizer in ((ours, row_adam), (theirs, adam)):
            optimizer.zero_grad()
            weight.pow(2 + turn).sum().backward()
            optimizer.step()
        torch.testing.assert_close(ours, theirs)
        assert row_adam.updated_rows(ours) is None
        if turn == 1:
            states = adam.state_dict(), row_adam.state_dict()
            for optimizer, state in zip((row_adam, adam), states):
                optimizer.load_state_dict(state)
    assert torch.equal(rest, torch.ones(2))


def test_only_the_rows_that_a_step_has_changed_are_projected():
    content = F.normalize(torch.randn(6, 2, generator=torch.Generator().manual_seed(0)), dim=1)
    content[0] = 0
    embedding = DeltaEmbedding(content, 5, delta_max=0.05, init_std=0.0)
    with torch.no_grad():
        embedding.delta[2] = 1.0  # outside the ball, but untouched by the step
    embedding.use_sparse_gradients(True)
    adam = RowAdam([embedding.delta], 0.1)
    embedding(torch.tensor([1, 3])).sum().backward()
    adam.step()
    embedding.project_(adam.updated_rows(embedding.bounded))
    norm = embedding.delta.norm(dim=1).tolist()
    assert norm == pytest.approx([0, 0.05, 2**0.5, 0.05, 0, 0])
