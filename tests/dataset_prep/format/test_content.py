"""Content files: vectors by item."""

import numpy as np
import pytest

from dataset_prep.errors import DeltaError
from dataset_prep.format.content import ContentTable, find_content, read_content, write_content


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
