import numpy as np
import pytest
from sklearn.decomposition import PCA

from dataset_prep.errors import DeltaError
from dataset_prep.format.content import ContentTable, find_content, read_content, write_content
from recbole_delta.embedding.content_map import ContentMap


def table(tokens, vectors):
    return ContentTable(tokens, np.array(vectors, dtype=np.float32), "c.safetensors")


def test_rows_follow_the_items_tokens_not_the_files_order(tmp_path):
    write_content(tmp_path / "c.safetensors", ["b", "a", "extra"], np.eye(3))
    rows = read_content(tmp_path / "c.safetensors").align(["a", "b"])
    assert rows.tolist() == [[0, 1, 0], [1, 0, 0]]


def test_a_npy_matrix_with_its_tokens_serves_as_well(tmp_path):
    np.save(tmp_path / "c.npy", np.eye(2, dtype=np.float32))
    (tmp_path / "c.ids.txt").write_text("007\nü\n", encoding="utf-8")
    assert read_content(tmp_path / "c.npy").align(["ü", "007"]).tolist() == [[0, 1], [1, 0]]


def test_identical_doubles_are_accepted():
    assert table(["a", "a"], [[1, 2], [1, 2]]).align(["a"]).tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("tokens", "vectors", "message"),
    [
        (["a", "a"], [[1, 2], [1, 3]], "different vectors for item 'a'"),
        (["a"], [[1, 2]], "no vector for 1 of 2 items .'b'"),
        (["a", "b"], [[1, 2], [np.nan, 1]], "NaN or infinite values for 1 items .'b'"),
        (["a", "b"], [[1, 2], [0, 0]], "a vector of zeros for 1 items .'b'"),
    ],
)
def test_bad_vectors_name_the_file_and_the_item(tokens, vectors, message):
    with pytest.raises(DeltaError, match=message) as error:
        table(tokens, vectors).align(["a", "b"])
    assert "c.safetensors" in str(error.value)


def test_a_content_file_cut_short_is_refused(tmp_path):
    path = tmp_path / "c.safetensors"
    write_content(path, ["a", "b"], np.eye(2))
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DeltaError, match="not a whole content file"):
        read_content(path)


def test_a_pickled_npy_is_not_loaded(tmp_path):
    np.save(tmp_path / "c.npy", np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "c.ids.txt").write_text("a\n")
    with pytest.raises(DeltaError, match="not a whole .npy matrix"):
        read_content(tmp_path / "c.npy")


def test_none_and_several_content_files_are_told_apart(tmp_path):
    with pytest.raises(DeltaError, match="no content file"):
        find_content(tmp_path, "d")
    for encoder in ("x", "y"):
        write_content(tmp_path / f"d.content.{encoder}.safetensors", ["a"], np.ones((1, 2)))
    with pytest.raises(DeltaError, match="several content files"):
        find_content(tmp_path, "d")


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
