"""Mixed precision: every loss with every embedding stays finite and near float32."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from recbole_delta.embedding import EMBEDDINGS, EmbeddingArgs
from recbole_delta.loss import LOSSES, ItemVectors

DIM, N_WARM, N_ITEMS, POSITIONS = 16, 200, 220, 96
LARGEST = 50.0
"""Logits go up to it, either sign: past what e to this power may be in float16 (e^11)."""

DIGITS = {torch.bfloat16: 2**-8, torch.float16: 2**-11}
"""Relative rounding error of a number."""


def embedding_of(mode):
    """One with made-up content, in evaluation mode: its noise would differ between calls."""
    spec, generator = EMBEDDINGS[mode], torch.Generator().manual_seed(0)
    content = torch.empty(0)
    if spec.fit is not None:
        raw = np.random.default_rng(0).normal(size=(N_ITEMS, 48)) * np.linspace(0.01, 30, 48)
        warm = raw[:N_WARM].astype(np.float32)
        content_map = spec.fit(warm, np.arange(1, N_WARM + 1), DIM)
        content = F.pad(content_map(raw.astype(np.float32)), (0, 0, 1, 0))
    options = spec.options() if spec.options else None
    table = torch.nn.init.normal_
    count = torch.arange(1, N_WARM + 1)
    args = EmbeddingArgs(content, N_WARM, DIM, options, generator, count, lambda t: table(t.weight))
    return spec.make(args).eval()


def loss_and_gradients(loss, embedding, hidden, target):
    torch.manual_seed(0)  # the sampled loss draws the same items
    embedding.zero_grad()
    hidden = hidden.clone().requires_grad_()
    value = loss(hidden, target, ItemVectors(embedding, lambda rows: rows))
    value.backward()
    learnt = [p.grad.to_dense() for p in embedding.parameters() if p.grad is not None]
    return value.detach(), hidden.grad, learnt


@pytest.mark.parametrize("dtype", DIGITS, ids=str)
@pytest.mark.parametrize("mode", EMBEDDINGS)
@pytest.mark.parametrize("name", LOSSES)
def test_the_autocast_matrix(name, mode, dtype):
    embedding = embedding_of(mode)
    options = LOSSES[name].options() if LOSSES[name].options else None
    loss = LOSSES[name](torch.arange(1, N_WARM + 1), options)
    loss.use_content(torch.randn(N_WARM, 8, generator=torch.Generator().manual_seed(2)))
    generator = torch.Generator().manual_seed(1)
    hidden = torch.randn(POSITIONS, DIM, generator=generator)
    target = torch.randint(1, N_WARM + 1, (POSITIONS,), generator=generator)
    with torch.no_grad():
        rows = embedding.trained_rows()
        # Along item vectors: a position's largest logit is all that its length allows.
        hidden = rows[torch.randint(1, N_WARM + 1, (POSITIONS,), generator=generator)] + hidden / 99
        hidden *= LARGEST / (hidden @ rows.T).abs().max()
        # Encoders give half precision there: the reference rounds as they do.
        hidden = hidden.to(dtype)
    value, by_hidden, learnt = loss_and_gradients(loss, embedding, hidden.float(), target)
    with torch.autocast("cpu", dtype):
        found, found_by_hidden, found_learnt = loss_and_gradients(loss, embedding, hidden, target)
    assert value > 1
    # What is rounded is the vectors of an adaptor, and with them logits of 50.
    error = 4 * LARGEST * DIGITS[dtype]
    assert found.item() == pytest.approx(value.item(), abs=error)
    assert torch.isfinite(found_by_hidden).all()
    assert (found_by_hidden.float() - by_hidden).norm() <= error * by_hidden.norm()
    if learnt:
        a, b = (torch.cat([each.flatten() for each in part]) for part in (found_learnt, learnt))
        assert torch.isfinite(a).all()
        assert (a - b).norm() <= error * b.norm()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("mode", ["id", "delta", "whitening", "moe", "alphafuse"])
def test_a_run_with_enable_amp_goes_the_way_of_one_without(tiny, train, loss, mode, no_noise):
    settings = {"loss": loss, "item_embedding": mode, "epochs": 3, "sampled_items": 400}
    settings |= {"hidden_dropout_prob": 0.0, "attn_dropout_prob": 0.0, "eval_step": 0}
    half, whole = (train(tiny, enable_amp=amp, **settings)[0].curve for amp in (True, False))
    losses = [[epoch["train_loss"] for epoch in curve] for curve in (half, whole)]
    assert losses[0] == pytest.approx(losses[1], abs=0.1)
