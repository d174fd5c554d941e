"""The sampled loss and its sampler."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from recbole_delta.loss.sampled import sampled_cross_entropy
from recbole_delta.loss.sampler import ItemSampler, hits


def plain(hidden, weight, target):
    return F.cross_entropy(hidden @ weight.T, target)


def problem(n, n_items, dim, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(n, dim, generator=generator, dtype=dtype, requires_grad=True)
    weight = torch.randn(n_items, dim, generator=generator, dtype=dtype, requires_grad=True)
    return hidden, weight, torch.randint(0, n_items, (n,), generator=generator)


def sampled(hidden, weight, target, sampler):
    ids, factor = sampler.draw()
    drawn = ids - 1
    rows = weight[torch.cat([target, drawn])]
    return sampled_cross_entropy(hidden, rows, hits(target, drawn), factor)


def test_the_sampled_denominator_is_the_whole_one_in_expectation():
    """exp(loss) · exp(target's logit) is the denominator; its mean over draws is exact."""
    torch.manual_seed(0)
    hidden, weight, target = problem(1, 40, 6)
    hidden.data /= 3
    whole = plain(hidden, weight, target).exp().item()
    sampler = ItemSampler(torch.arange(1, 41), 5)
    draws = torch.stack([sampled(hidden, weight, target, sampler).exp() for _ in range(4000)])
    error = draws.std().item() / len(draws) ** 0.5
    assert draws.mean().item() == pytest.approx(whole, abs=4 * error)
    assert error < 0.02 * whole


def test_sampled_gradients_come_to_the_plain_ones_with_more_draws():
    torch.manual_seed(0)
    hidden, weight, target = problem(30, 50, 6)
    hidden.data /= 3
    expected = torch.cat([g.flatten() for g in torch.autograd.grad(
        plain(hidden, weight, target), [hidden, weight])])  # fmt: skip
    distance = {}
    for n in (10, 100, 1000):
        sampler = ItemSampler(torch.randint(1, 9, (50,)), n)
        gradients = [
            torch.cat([g.flatten() for g in torch.autograd.grad(
                sampled(hidden, weight, target, sampler), [hidden, weight])])
            for _ in range(400)
        ]  # fmt: skip
        mean = torch.stack(gradients).mean(0)
        distance[n] = ((mean - expected).norm() / expected.norm()).item()
    assert distance[10] > distance[100] > distance[1000]
    assert distance[1000] < 0.005


def test_sampled_gradients_are_those_of_its_value():
    hidden, weight, target = problem(4, 9, 3)
    ids, factor = ItemSampler(torch.arange(1, 10), 6).draw()
    drawn = ids - 1
    found = hits(target, drawn)

    def value(hidden, rows):
        return sampled_cross_entropy(hidden, rows, found, factor.double())

    rows = weight[torch.cat([target, drawn])]
    inputs = [x.detach().clone().requires_grad_() for x in (hidden, rows)]
    assert torch.autograd.gradcheck(value, inputs)


@pytest.mark.parametrize("scale", [0.3, 30.0])
def test_sampled_in_float32(scale):
    """The definition, spelt out in float64; logits of some hundreds overflow nothing."""
    hidden, weight, target = problem(200, 60, 32, torch.float32)
    ids, factor = ItemSampler(torch.arange(1, 61), 40).draw()
    drawn = ids - 1
    logits = scale * hidden.double() @ weight.double().T
    others = logits[:, drawn] + factor.double().log()
    others.masked_fill_(drawn == target[:, None], -torch.inf)
    own = logits.gather(1, target[:, None])
    exact = (torch.cat([own, others], 1).logsumexp(1) - own[:, 0]).mean()
    expected = torch.autograd.grad(exact, [hidden, weight])
    rows = weight[torch.cat([target, drawn])]
    ours = sampled_cross_entropy(scale * hidden, rows, hits(target, drawn), factor)
    assert ours.item() == pytest.approx(exact.item(), rel=1e-5)
    for a, b in zip(torch.autograd.grad(ours, [hidden, weight]), expected):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4 * b.abs().max().item())


@given(st.lists(st.integers(0, 9), max_size=30), st.lists(st.integers(0, 9), max_size=30))
def test_hits_are_all_pairs_of_the_same_item(target, drawn):
    target, drawn = torch.tensor(target), torch.tensor(sorted(drawn))
    expected = torch.nonzero(drawn == target[:, None]).tolist()
    assert torch.stack(hits(target.long(), drawn.long()), 1).tolist() == expected


def test_items_are_drawn_as_often_as_their_counts_say():
    torch.manual_seed(0)
    count = torch.tensor([1, 1, 5, 30, 63])
    sampler = ItemSampler(count, 20)
    ids, factor = zip(*(sampler.draw() for _ in range(2000)))
    often = torch.bincount(torch.cat(ids), minlength=6)[1:] / 2000
    torch.testing.assert_close(often, count * 0.2, rtol=0.1, atol=0)
    # Stratified: never far from what is expected.
    for each in ids[:50]:
        assert (torch.bincount(each, minlength=6)[1:] - count * 0.2).abs().max() < 2
    torch.testing.assert_close(1 / factor[0], (count * 0.2)[ids[0] - 1])
