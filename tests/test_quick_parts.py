"""Dropout, row-wise Adam and float32 products do what torch's own do."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from recbole_delta.compute.dropout import AHEAD, Dropout, drop_, use_fast_dropout
from recbole_delta.compute.matmul import quick_float32
from recbole_delta.embedding import DeltaEmbedding
from recbole_delta.trainer.row_adam import RowAdam


@pytest.mark.parametrize("p", [0.001, 0.1, 0.3, 0.5, 0.9, 0.999])
def test_dropout_drops_as_often_as_it_says_and_keeps_the_mean(p):
    torch.manual_seed(0)
    dropped = torch.stack([Dropout(p)(torch.ones(20, 1001)) for _ in range(1000)])
    kept = dropped != 0
    assert kept.float().mean().item() == pytest.approx(1 - p, abs=3e-4)
    assert dropped.mean().item() == pytest.approx(1, rel=3e-4 / (1 - p))
    assert dropped[kept].unique().item() == pytest.approx(1 / (1 - p), rel=1e-6)
    # Independent of the neighbour: eight numbers come from one draw.
    both = (kept[..., 1:] & kept[..., :-1]).float().mean().item()
    assert both == pytest.approx((1 - p) ** 2, abs=5e-4)


def test_dropout_repeats_by_the_seed_and_rests_in_evaluation():
    """An epoch begins with ``train()``: nothing drawn before it plays a part."""
    module, values = Dropout(0.5), torch.randn(7, 9, requires_grad=True)
    torch.manual_seed(1)
    first = module.train()(values)
    assert not torch.equal(first, module(values))
    torch.manual_seed(1)
    assert torch.equal(first, module.train()(values))
    first.sum().backward()
    assert torch.equal(values.grad == 0, first == 0)
    assert module.eval()(values) is values


@pytest.mark.parametrize(("p", "expected"), [(0.0, 1.0), (1.0, 0.0)])
def test_dropout_of_all_and_of_nothing(p, expected):
    assert Dropout(p)(torch.ones(3, 5)).unique().tolist() == [expected]


def test_dropout_is_replaced_wherever_it_stands():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.2), nn.Sequential(nn.Dropout(0.4)))
    use_fast_dropout(model)
    found = [m for m in model.modules() if isinstance(m, nn.Dropout)]
    assert [(type(m), m.p) for m in found] == [(Dropout, 0.2), (Dropout, 0.4)]


def test_no_two_masks_share_their_numbers():
    """Not even where they come from one draw, or are larger than one."""
    torch.manual_seed(0)
    module = Dropout(0.5)
    for n in (1000, AHEAD // 2, AHEAD + 3):
        one, other = module(torch.ones(n)), module(torch.ones(n))
        assert (one == other).float().mean().item() == pytest.approx(0.5, abs=0.06)


def test_a_probability_that_is_changed_applies_at_once():
    torch.manual_seed(0)
    module = Dropout(0.9)
    module(torch.ones(1000))
    module.p = 0.2
    assert (module(torch.ones(1000)) == 0).float().mean().item() == pytest.approx(0.2, abs=0.06)


@pytest.mark.parametrize("kind", [nn.Dropout, Dropout])
def test_dropout_in_place(kind):
    torch.manual_seed(0)
    module, weight = kind(0.25), torch.ones(400, requires_grad=True)
    values = weight * 3
    dropped = drop_(module, values)
    assert dropped.data_ptr() == values.data_ptr()
    assert sorted(dropped.unique().tolist()) == [0, 4]
    dropped.sum().backward()
    assert torch.equal(weight.grad, dropped.detach())
    assert torch.equal(drop_(module.eval(), torch.ones(5)), torch.ones(5))


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


def test_quick_products_are_float32_and_the_setting_comes_back():
    before = torch.get_float32_matmul_precision()
    a = torch.randn(300, 200, generator=torch.Generator().manual_seed(0))
    with quick_float32(torch.device("cpu")):
        product = a @ a.T
    assert torch.get_float32_matmul_precision() == before
    exact = a.double() @ a.double().T
    with pytest.raises(KeyError), quick_float32(torch.device("cpu")):
        {}["the setting comes back after an error too"]
    assert torch.get_float32_matmul_precision() == before
    assert ((product - exact).abs().max() / exact.abs().max()).item() < 1e-6


def test_a_users_own_precision_is_kept():
    torch.set_float32_matmul_precision("high")
    try:
        with quick_float32(torch.device("cpu")):
            assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")
