"""What dataset_prep refuses of ready vectors: one sentence that names the culprit, and nothing written."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save_file
from support.refusals import N_ITEMS, cut


def vectors(**changes) -> dict:
    matrix = np.random.default_rng(0).normal(size=(N_ITEMS, 4)).astype(np.float32)
    return {"tokens": [f"i{i}" for i in range(N_ITEMS)], "matrix": matrix, **changes}


def write_npy(folder, tokens, matrix):
    np.save(folder / "v.npy", matrix)
    (folder / "v.ids.txt").write_text("\n".join(tokens) + "\n")
    return folder / "v.npy"


def write_parquet(folder, tokens, matrix):
    lists = [list(map(float, row)) for row in matrix]
    pl.DataFrame({"item_id": tokens, "vector": lists}).write_parquet(folder / "v.parquet")
    return folder / "v.parquet"


def write_item(folder, tokens, matrix):
    lines = [f"{t}\t{' '.join(map(str, row))}" for t, row in zip(tokens, matrix)]
    text = "item_id:token\tvector:float_seq\n" + "\n".join(lines) + "\n"
    (folder / "v.item").write_text(text)
    return folder / "v.item"


def write_tensors(folder, tokens, matrix):
    packed = np.frombuffer("\n".join(tokens).encode(), dtype=np.uint8)
    save_file({"vectors": np.ascontiguousarray(matrix), "tokens": packed}, folder / "v.safetensors")
    return folder / "v.safetensors"


WRITERS = [write_npy, write_parquet, write_item, write_tensors]


def set_row(value):
    matrix = vectors()["matrix"]
    matrix[3] = value
    return matrix


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokens": [f"i{i}" for i in range(19)], "matrix": np.ones((19, 4))},
         "1 of 20 items have no content, 'i19' among them: v."),
        ({"matrix": set_row(np.nan)}, "NaN or infinite values for 1 items ('i3')"),
        ({"matrix": set_row(0)}, "a vector of zeros for 1 items ('i3')"),
        ({"tokens": ["i1", *(f"i{i}" for i in range(1, 20)), "i0"],
          "matrix": np.eye(21, dtype=np.float32)}, "different vectors for item 'i1'"),
    ],
)  # fmt: skip
def test_ready_vectors(table, tmp_path, writer, change, message):
    path = writer(tmp_path, **vectors(**change))
    assert message in table(content={"vectors": path})


@pytest.mark.parametrize("kind", ["list", "array", "item"])
def test_an_empty_cell_is_no_vector(table, tmp_path, kind):
    lists = [None if n == 3 else [float(n), 1.0] for n in range(N_ITEMS)]
    tokens = [f"i{n}" for n in range(N_ITEMS)]
    if kind == "item":
        lines = [f"{t}\t{' '.join(map(str, v)) if v else ''}" for t, v in zip(tokens, lists)]
        path = tmp_path / "v.item"
        path.write_text("sku:token\tv:float_seq\n" + "\n".join(lines) + "\n")
    else:
        path = tmp_path / "v.parquet"
        dtype = pl.List(pl.Float64) if kind == "list" else pl.Array(pl.Float64, 2)
        pl.DataFrame({"item_id": tokens, "v": pl.Series(lists, dtype=dtype)}).write_parquet(path)
    assert "1 of 20 items have no content, 'i3' among them" in table(content={"vectors": path})


@pytest.mark.parametrize("writer", [write_npy, write_parquet, write_tensors])
def test_ready_vectors_cut_short(table, tmp_path, writer):
    path = cut(writer(tmp_path, **vectors()))
    assert path.name in table(content={"vectors": path})


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("v.csv", lambda p: p.write_text("a"), "should end in .npy, .safetensors, .parquet or .item"),
        ("v.npy", lambda p: np.save(p, np.ones((3, 2))), "needs its item tokens beside it"),
        ("v.npy", lambda p: (np.save(p, np.array([{}], dtype=object)),
                             p.with_suffix(".ids.txt").write_text("a")), "is not a whole .npy"),
        ("v.npy", lambda p: (np.save(p, np.ones((3, 2))), p.with_suffix(".ids.txt").write_text("a")),
         "3 vectors for 1 item tokens"),
        ("v.parquet", lambda p: pl.DataFrame({"item_id": ["a"]}).write_parquet(p),
         "should have a column item_id and one column of lists"),
        ("v.parquet", lambda p: pl.DataFrame(
            {"item_id": ["a", "b"], "v": [[1.0], [1.0, 2.0]]}).write_parquet(p),
         "different lengths"),
        ("v.parquet", lambda p: pl.DataFrame({"item_id": ["a"], "v": [["x"]]}).write_parquet(p),
         "lists of numbers"),
        ("v.item", lambda p: p.write_text("item_id:token\ttitle:token\na\tb\n"),
         "should have item_id:token and one float_seq field"),
        ("v.item", lambda p: p.write_text("item_id:token\tv:float_seq\ni0\t1 x\n"),
         "must hold numbers"),
        ("v.safetensors", lambda p: p.write_bytes(b"\x00" * 64), "is not a whole content file"),
    ],
)  # fmt: skip
def test_files_that_hold_no_vectors(table, tmp_path, name, make, message):
    make(tmp_path / name)
    assert message in table(content={"vectors": tmp_path / name})
