"""The exact losses against the plain softmax over all items."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

import recbole_delta.loss.exact
from recbole_delta.loss.exact import chunked_cross_entropy, cross_entropy


def plain(hidden, weight, target):
    return F.cross_entropy(hidden @ weight.T, target)


def with_padding(weight):
    return torch.cat([weight.new_full((1, weight.size(1)), 99.0), weight])


def problem(n, n_items, dim, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(n, dim, generator=generator, dtype=dtype, requires_grad=True)
    weight = torch.randn(n_items, dim, generator=generator, dtype=dtype, requires_grad=True)
    return hidden, weight, torch.randint(0, n_items, (n,), generator=generator)


@pytest.mark.parametrize("loss", [cross_entropy, chunked_cross_entropy])
@given(st.integers(1, 200), st.integers(1, 300), st.integers(1, 9), st.integers(1, 30_000))
@settings(max_examples=60, deadline=None)
def test_value_and_gradients_are_those_of_the_plain_softmax(loss, n, n_items, dim, block):
    hidden, weight, target = problem(n, n_items, dim, seed=n * n_items * dim)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recbole_delta.loss.exact, "BLOCK", block)
        patch.setattr(recbole_delta.loss.exact, "CATALOGUE_BLOCK", block)
        ours = loss(hidden, with_padding(weight), target + 1)
        # Twice, and not by 1: the graph may be used again, and scaled.
        for _ in range(2):
            gradients = torch.autograd.grad(3 * ours, [hidden, weight], retain_graph=True)
    whole = plain(hidden, weight, target)
    torch.testing.assert_close(ours, whole)
    for a, b in zip(gradients, torch.autograd.grad(3 * whole, [hidden, weight])):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("loss", [cross_entropy, chunked_cross_entropy])
@pytest.mark.parametrize(("scale", "tolerance"), [(0.5, 1e-5), (1.0, 1e-5), (30.0, 1e-4)])
def test_in_float32(loss, scale, tolerance):
    """Logits of some hundreds too: no exponential may overflow, though all digits count there."""
    hidden, weight, target = problem(300, 2000, 32, torch.float32)
    exact = plain(hidden.double() * scale, weight.double(), target)
    expected = torch.autograd.grad(exact, [hidden, weight])
    ours = loss(hidden * scale, with_padding(weight), target + 1)
    assert ours.item() == pytest.approx(exact.item(), rel=1e-5)
    for a, b in zip(torch.autograd.grad(ours, [hidden, weight]), expected):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=tolerance * b.abs().max().item())


@pytest.mark.parametrize("loss", [cross_entropy, chunked_cross_entropy])
def test_frozen_rows_get_no_gradient(loss):
    hidden, weight, target = problem(5, 7, 4)
    loss(hidden, with_padding(weight.detach()), target + 1).backward()
    assert hidden.grad.abs().sum() > 0
    assert weight.grad is None


@pytest.mark.parametrize("mode", ["id", "frozen", "delta"])
def test_training_goes_the_same_way(tiny, train, mode, monkeypatch):
    monkeypatch.setattr(recbole_delta.loss.exact, "CATALOGUE_BLOCK", 100)
    settings = {"item_embedding": mode, "epochs": 2, "learning_rate": 1e-3}
    whole, _ = train(tiny, loss="ce", **settings)
    chunked, _ = train(tiny, loss="chunked", **settings)
    losses = [[entry["train_loss"] for entry in each.curve] for each in (whole, chunked)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert chunked.test_result["mrr@10"] == pytest.approx(whole.test_result["mrr@10"], abs=0.02)
