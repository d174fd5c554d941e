"""The map from content to rows of a model, fitted on warm items."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from dataset_prep.errors import DeltaError
from recbole_delta.embedding.content_map import ContentMap


def test_reduction_standardises_projects_and_normalises_by_warm_rows():
    rng = np.random.default_rng(0)
    warm, cold = rng.normal(size=(50, 8)) * 3 + 1, rng.normal(size=(5, 8)) * 9 - 4
    reduction = ContentMap.standardised(warm, 4)
    # By hand: statistics and components of the warm rows only.
    mean, std = warm.mean(0), warm.std(0)
    components = PCA(4, svd_solver="full").fit((warm - mean) / std).components_
    expected = ((cold - mean) / std) @ components.T
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(reduction(cold), expected, atol=1e-6)
    alone = ContentMap.standardised(warm, 4)(warm)
    np.testing.assert_array_equal(reduction(warm), alone)


def test_content_of_the_models_dimension_is_not_rotated():
    warm = np.random.default_rng(0).normal(size=(50, 4))
    rows = (warm - warm.mean(0)) / warm.std(0)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(ContentMap.standardised(warm, 4)(warm), rows, atol=1e-6)


@pytest.mark.parametrize(("rows", "width"), [(50, 3), (6, 20)])
def test_content_too_small_for_the_model_is_refused(rows, width):
    with pytest.raises(DeltaError, match="cannot fill an item embedding of dimension 8"):
        ContentMap.standardised(np.random.default_rng(0).normal(size=(rows, width)), 8)


def test_a_map_repeats_from_its_buffers_and_refuses_other_content():
    rng = np.random.default_rng(0)
    warm = rng.normal(size=(50, 8))
    for fitted in (ContentMap.standardised(warm, 4), ContentMap.whitened(warm, 4),
                   ContentMap.standardised(warm, 8), ContentMap.columns(np.array([1, 3]), 8)):  # fmt: skip
        again = ContentMap.stored(fitted.state_dict())
        assert again(warm[:3]).equal(fitted(warm[:3]))
        with pytest.raises(
            DeltaError, match="dimension 5, and the model was trained on dimension 8"
        ):
            fitted(warm[:, :5])


def test_content_without_a_direction_is_refused_and_says_why():
    """All vectors alike, or a one-hot vector of which nothing is kept."""
    with pytest.raises(DeltaError, match="3 items equals the warm items' mean"):
        ContentMap.standardised(np.ones((3, 4)) * [1, 2, 3, 4], 4)(np.array([[1, 2, 3, 4]] * 3))
    with pytest.raises(DeltaError, match="1 items is zero in all 2 dimensions that are kept"):
        ContentMap.columns(np.array([0, 2]), 4)(np.eye(4)[[0, 1, 2]])
