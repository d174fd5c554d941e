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


def made(content, mode, dim=DIM):
    """The embedding of a mode, fitted on the warm part of the content."""
    chosen = EMBEDDINGS[mode]
    rows = F.pad(chosen.fit(content[:N_WARM], COUNT, dim)(content), (0, 0, 1, 0))
    options = chosen.options() if chosen.options else None
    generator = torch.Generator().manual_seed(0)
    count, init_table = torch.from_numpy(COUNT), nn.init.normal_
    return chosen.make(EmbeddingArgs(rows, N_WARM, dim, options, generator, count, init_table))


def test_alphafuse_adds_ids_in_the_null_space_of_standardised_content(content):
    embedding = made(content, "alphafuse")
    warm = embedding.content[1 : N_WARM + 1].double()
    covariance = DIM * torch.cov(warm.T)
    torch.testing.assert_close(covariance, torch.eye(DIM).double(), rtol=1e-4, atol=1e-4)
    # Its first half spans the leading directions: all the variance that they can hold.
    leading = warm[:, : DIM // 2].numpy()
    centred = content[:N_WARM] - content[:N_WARM].mean(0)
    variance = np.linalg.svd(centred, compute_uv=False)[: DIM // 2] ** 2
    axes = np.linalg.lstsq(leading, centred, rcond=None)[0]
    assert ((leading @ axes) ** 2).sum() == pytest.approx(variance.sum(), rel=1e-3)
    # IDs are learnt in the other half alone, on top of the content.
    own = (embedding.weight - embedding.content).detach()
    assert own[:, : DIM // 2].eq(0).all()
    assert own[N_WARM + 1 :].eq(0).all()
    assert own[1 : N_WARM + 1, DIM // 2 :].std() == pytest.approx(DIM**-0.5, rel=0.2)
    embedding.trained_rows().square().sum().backward()
    assert embedding.identity.grad[1:].ne(0).all()
    assert [name for name, _ in embedding.named_parameters()] == ["identity"]


@pytest.mark.parametrize("mode", ["alphafuse", "liger", "moe"])
def test_a_cosine_is_the_score_of_the_papers_that_have_one(tiny, train, mode):
    _, (_, model, *_) = train(tiny, "SASRecDelta", item_embedding=mode)
    model.eval()
    item_seq, lengths = torch.tensor([[3, 1, 4]]), torch.tensor([3])
    interaction = {model.ITEM_SEQ: item_seq, model.ITEM_SEQ_LEN: lengths}
    with torch.no_grad():
        scores = model.full_sort_predict(interaction)[0, 1:]
        hidden = model.last_position(item_seq, lengths)
        cosine = F.cosine_similarity(hidden, model.item_embedding.weight[1:])
    torch.testing.assert_close(scores, cosine / 0.07)


def test_denserec_shows_ids_and_projected_content_in_turn(content):
    embedding = made(content, "denserec")
    ids = torch.arange(1, N_WARM + 1).repeat(200)
    projected = embedding.content @ embedding.projection.weight.T
    for rows in (embedding(ids), torch.cat([embedding.trained_rows()[1:] for _ in range(200)])):
        dense = torch.isclose(rows, projected[ids], atol=1e-7).all(1)
        own = torch.isclose(rows, embedding.identity[ids], atol=1e-7).all(1)
        assert (dense ^ own).all()
        # 12,000 draws: a standard error of .0046.
        assert dense.double().mean() == pytest.approx(0.5, abs=0.02)
    embedding.eval()
    torch.testing.assert_close(embedding.weight[1 : N_WARM + 1], embedding.identity[1:])
    torch.testing.assert_close(embedding.weight[N_WARM + 1 :], projected[N_WARM + 1 :])


def test_the_gate_opens_with_the_training_rows_of_an_item_and_is_shut_for_cold_ones(content):
    embedding = made(content, "gated")
    share = torch.sigmoid(torch.log1p(torch.from_numpy(COUNT).float()) - np.log(6.0))
    projected = embedding.content @ embedding.projection.weight.T
    warm = (
        share[:, None] * embedding.identity[1:] + (1 - share[:, None]) * projected[1 : N_WARM + 1]
    )
    torch.testing.assert_close(embedding.weight[1 : N_WARM + 1], warm)
    torch.testing.assert_close(embedding.weight[N_WARM + 1 :], projected[N_WARM + 1 :])
    embedding.weight.square().sum().backward()
    assert embedding.gate.weight.grad.ne(0).all()  # how fast it opens is learnt


def test_the_adaptor_of_liger_is_its_formula(content):
    embedding = made(content, "liger").eval()
    hidden = embedding.content[1:]
    for layer, skip in zip(embedding.adaptor.layers, embedding.adaptor.skips):
        linear, norm = layer[0], layer[1]
        inner = hidden @ linear.weight.T + linear.bias
        inner = (inner - inner.mean(1, keepdim=True)) / (
            inner.var(1, keepdim=True, unbiased=False) + norm.eps
        ).sqrt()
        hidden = inner.clamp(min=0) + hidden @ skip.weight.T
    expected = hidden @ embedding.adaptor.end.weight.T
    torch.testing.assert_close(embedding.weight[1:], expected, rtol=1e-4, atol=1e-5)
    assert not any(len(parameter) in (N_WARM + 1, N_ITEMS) for parameter in embedding.parameters())


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


@pytest.mark.parametrize(("mode", "dim"), [("whitening", 12), ("alphafuse", CONTENT_DIM)])
def test_what_only_cold_items_have_does_not_throw_them_out(content, mode, dim):
    content[:N_WARM, -1], content[N_WARM:, -1] = 0, 1  # a tag of new items alone
    rows = made(content, mode, dim=dim).content[1:]
    assert rows[N_WARM:].abs().max() < 10 * rows[:N_WARM].abs().max()


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
