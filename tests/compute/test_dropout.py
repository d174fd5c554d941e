"""Our dropout does what torch's own does."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from recbole_delta.compute.dropout import AHEAD, Dropout, drop_, use_fast_dropout


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
