"""The loss block by block is the loss."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import recbole_delta.losses
from recbole_delta.losses import chunked_cross_entropy, cross_entropy


@given(st.integers(1, 40), st.integers(1, 60), st.integers(1, 9), st.integers(1, 5000))
@settings(max_examples=60, deadline=None)
def test_value_and_gradients_are_those_of_the_whole(n, n_items, dim, at_once):
    generator = torch.Generator().manual_seed(n * n_items * dim)
    hidden = torch.randn(n, dim, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(n_items, dim, generator=generator, dtype=torch.float64, requires_grad=True)
    target = torch.randint(0, n_items, (n,), generator=generator)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recbole_delta.losses, "LOGITS_AT_ONCE", at_once)
        chunked = chunked_cross_entropy(hidden, weight, target)
        # Twice, and not by 1: the graph may be used again, and scaled.
        for _ in range(2):
            ours = torch.autograd.grad(3 * chunked, [hidden, weight], retain_graph=True)
    whole = cross_entropy(hidden, weight, target)
    theirs = torch.autograd.grad(3 * whole, [hidden, weight])
    torch.testing.assert_close(chunked, whole)
    for a, b in zip(ours, theirs):
        torch.testing.assert_close(a, b)


def test_frozen_rows_get_no_gradient():
    hidden = torch.randn(5, 4, requires_grad=True)
    weight, target = torch.randn(7, 4), torch.tensor([0, 1, 2, 3, 6])
    chunked_cross_entropy(hidden, weight, target).backward()
    assert hidden.grad.abs().sum() > 0
    assert weight.grad is None


@pytest.mark.parametrize("mode", ["id", "frozen", "delta"])
def test_training_goes_the_same_way(tiny, train, mode, monkeypatch):
    monkeypatch.setattr(recbole_delta.losses, "LOGITS_AT_ONCE", 100)
    settings = {"item_embedding": mode, "epochs": 2, "learning_rate": 1e-3}
    whole, _ = train(tiny, loss="ce", **settings)
    chunked, _ = train(tiny, loss="chunked", **settings)
    losses = [[entry["train_loss"] for entry in each.curve] for each in (whole, chunked)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert chunked.test_result["mrr@10"] == pytest.approx(whole.test_result["mrr@10"], abs=0.02)
