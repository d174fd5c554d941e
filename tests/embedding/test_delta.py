"""Content plus a bounded delta."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from dataset_prep.errors import DeltaError
from recbole_delta.embedding.delta import DeltaEmbedding


def unit_content(n_items=9, dim=6, seed=0):
    rows = F.normalize(torch.randn(n_items, dim, generator=torch.Generator().manual_seed(seed)))
    rows[0] = 0
    return rows


@given(radius=st.floats(0.01, 2), scale=st.floats(0.1, 100), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_projection_moves_a_row_to_the_nearest_point_of_the_ball(radius, scale, seed):
    embedding = DeltaEmbedding(unit_content(), 6, radius)
    wild = scale * torch.randn(7, 6, generator=torch.Generator().manual_seed(seed))
    wild[0] = 0
    embedding.delta.data.copy_(wild)
    embedding.project_()
    norm = wild.norm(dim=1, keepdim=True)
    nearest = torch.where(norm > radius, wild * radius / norm.clamp_min(1e-30), wild)
    torch.testing.assert_close(embedding.delta.data, nearest, rtol=1e-4, atol=1e-6)


def test_the_bound_on_the_delta_bounds_the_drift():
    embedding = DeltaEmbedding(unit_content(200, 8), 198, 0.5, init_std=10.0)
    cosine = F.cosine_similarity(embedding.content[1:199], embedding.trained_rows()[1:])
    assert cosine.min() >= math.sqrt(1 - 0.5**2) - 1e-5


def test_lookup_rows_and_whole_weight_agree():
    embedding = DeltaEmbedding(unit_content(), 6, 0.5, init_std=0.3)
    ids = torch.tensor([[0, 1, 6], [7, 8, 2]])
    torch.testing.assert_close(embedding(ids), embedding.weight[ids])
    torch.testing.assert_close(embedding.trained_rows()[1:], embedding.weight[1:7])
    assert embedding.weight[0].eq(0).all()
    assert torch.equal(embedding.weight[7:], embedding.content[7:])


def test_padding_and_cold_lookups_give_the_delta_no_gradient():
    embedding = DeltaEmbedding(unit_content(), 6, 0.5)
    embedding(torch.tensor([0, 7, 8])).sum().backward()
    assert embedding.delta.grad.eq(0).all()


def test_initial_deltas_depend_on_the_generator_alone():
    def deltas(n_items):
        torch.manual_seed(n_items)
        generator = torch.Generator().manual_seed(7)
        return DeltaEmbedding(unit_content(n_items), 6, generator=generator).delta

    assert torch.equal(deltas(8), deltas(80))


@pytest.mark.parametrize("radius", [-0.1, float("nan")])
def test_a_radius_below_zero_is_refused(radius):
    with pytest.raises(DeltaError, match="delta_max"):
        DeltaEmbedding(unit_content(), 6, radius)


def test_content_that_is_not_unit_is_refused():
    with pytest.raises(DeltaError, match="unit norm"):
        DeltaEmbedding(2 * unit_content(), 6)
