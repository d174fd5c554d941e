"""Each rival keeps what its paper promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dataset_prep.errors import DeltaError
from recbole_delta.embedding import EMBEDDINGS, EmbeddingArgs

N_WARM, N_ITEMS, CONTENT_DIM, DIM = 60, 81, 12, 8


@pytest.fixture
def content() -> np.ndarray:
    rng = np.random.default_rng(0)
    content = rng.normal(size=(N_ITEMS - 1, CONTENT_DIM)) @ rng.normal(size=(CONTENT_DIM,) * 2)
    # Cold items lie elsewhere: statistics that see them would be others.
    content[N_WARM:] += 5
    return content.astype(np.float32)


COUNT = np.random.default_rng(1).integers(1, 50, N_WARM)


def made(content, mode):
    """The embedding of a mode, fitted on the warm part of the content."""
    chosen = EMBEDDINGS[mode]
    rows = F.pad(chosen.fit(content[:N_WARM], COUNT, DIM)(content), (0, 0, 1, 0))
    options = chosen.options() if chosen.options else None
    generator = torch.Generator().manual_seed(0)
    return chosen.make(EmbeddingArgs(rows, N_WARM, DIM, options, generator, nn.init.normal_))


def test_alphafuse_keeps_the_whitened_content_and_learns_in_the_null_space(content):
    embedding = made(content, "alphafuse")
    assert embedding.content.shape == (N_ITEMS, DIM // 2)
    warm = embedding.content[1 : N_WARM + 1].double()
    covariance = torch.cov(warm.T) * (DIM // 2)
    torch.testing.assert_close(covariance, torch.eye(DIM // 2).double(), rtol=1e-4, atol=1e-4)
    # They span the leading directions: all the variance that four directions can hold.
    centred = content[:N_WARM] - content[:N_WARM].mean(0)
    variance = np.linalg.svd(centred, compute_uv=False)[: DIM // 2] ** 2
    axes = np.linalg.lstsq(warm.numpy(), centred, rcond=None)[0]
    assert ((warm.numpy() @ axes) ** 2).sum() == pytest.approx(variance.sum(), rel=1e-3)
    rows = embedding.trained_rows()
    rows.square().sum().backward()
    assert embedding.identity.grad[1:].ne(0).all()
    assert [name for name, _ in embedding.named_parameters()] == ["identity"]
    assert embedding.weight[N_WARM + 1 :, DIM // 2 :].eq(0).all()


def test_llminit_takes_raw_dimensions_of_highest_variance_over_popular_items(content):
    rows = made(content, "llminit").weight[1:].detach()
    popular = np.argsort(-COUNT, kind="stable")[: N_WARM // 10]
    best = np.sort(np.argsort(-content[popular].var(0))[:DIM])
    expected = F.normalize(torch.from_numpy(content[:, best]))
    torch.testing.assert_close(rows, expected)


def test_whitening_shows_the_adaptor_content_without_correlations_of_warm_items(content):
    embedding = made(content, "whitening")
    warm = embedding.content[1 : N_WARM + 1].double()
    covariance = torch.cov(warm.T)
    torch.testing.assert_close(covariance, torch.eye(CONTENT_DIM).double(), rtol=1e-4, atol=1e-4)
    layer = embedding.adaptor[0]
    expected = F.gelu(embedding.content[1:] @ layer.weight.T + layer.bias)
    torch.testing.assert_close(embedding.weight[1:], expected)


def test_the_mixture_of_experts_is_unisrecs_formula(content):
    embedding = made(content, "moe").eval()
    adaptor = embedding.adaptor
    with torch.no_grad():
        adaptor.bias.normal_(), adaptor.gate.normal_()
        x = embedding.content[1:]
        share = torch.softmax(x @ adaptor.gate, -1)
        experts = torch.stack([(x - b) @ w for b, w in zip(adaptor.bias, adaptor.weight)], 1)
        expected = (share[:, :, None] * experts).sum(1)
        torch.testing.assert_close(embedding.weight[1:], expected, rtol=1e-4, atol=1e-5)
        noisy = [embedding.train().trained_rows() for _ in range(2)]
    assert not torch.equal(*noisy)


def test_id_dropout_leaves_an_item_its_content_at_the_stated_rate(content):
    embedding = made(content, "id_dropout")
    ids = torch.arange(1, N_WARM + 1).repeat(200)
    for rows in (embedding(ids), torch.cat([embedding.trained_rows()[1:] for _ in range(200)])):
        dropped = (rows == embedding.content[ids]).all(1).double().mean()
        # 12,000 draws: a standard error of .0046.
        assert dropped == pytest.approx(0.5, abs=0.02)
    embedding.eval()
    assert embedding(ids).ne(embedding.content[ids]).any(1).all()


def test_content_too_small_for_a_mode_is_refused(content):
    for mode in ("llminit", "alphafuse", "delta"):
        with pytest.raises(DeltaError, match="dimension"):
            made(content[:, :3], mode)
