"""From raw files through training to cold and warm metrics; and items that have no content."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from support.originals import write_m2, write_zvuk

import recbole_delta
from dataset_prep import ContentOptions, Filters, prepare
from dataset_prep.encoders.ready import read_vectors
from dataset_prep.errors import DeltaError
from dataset_prep.format.content import read_content


def record(folder) -> dict:
    return json.loads((folder / f"{folder.name}.json").read_text())


def trained(folder, model="SASRecDelta", **settings):
    small = {"hidden_size": 4, "inner_size": 4, "n_heads": 1, "embedding_size": 2, "epochs": 1}
    quiet = {"data_path": str(folder.parent), "show_progress": False, "state": "ERROR"}
    return recbole_delta.run(model, folder.name, settings={**small, **quiet, **settings})


def test_zvuk(tmp_path):
    write_zvuk(tmp_path)
    folder = prepare(
        "zvuk",
        tmp_path / "out",
        raw=tmp_path,
        filters=Filters(above={"play_duration": 60}, users=14, drop_repeats=True),
        protocol="paper",
    )
    result = trained(folder)
    counts = record(folder)["targets"]["test"]
    assert {group: result.test_mode["cases"][group] for group in ("cold", "warm")} == {
        group: counts[group] for group in ("cold", "warm")
    }
    assert result.test_mode["empty_history"]["total"] == counts["empty_history"]


def test_amazon_m2(tmp_path, counting):
    write_m2(tmp_path)
    folder = prepare(
        "amazon-m2",
        tmp_path / "out",
        raw=tmp_path,
        source_options={"locale": "FR"},
        filters=Filters(drop_repeats=True),
        protocol="official_test",
        content=ContentOptions(prefix="query: "),
    )
    # B09 is new, B02 is not.
    assert record(folder)["targets"]["test"] == {"cold": 1, "warm": 1, "empty_history": 0}
    assert "query: title: Chose 1, belle; brand: Marque; color: ; size: ; model: ; material: ; " \
        "author: " in counting.encoded  # fmt: skip
    cases = trained(folder, "ContentMean", valid_metric="NDCG@10").test_mode["cases"]
    assert cases == {"total": 2, "cold": 1, "warm": 1}


@pytest.mark.data
def test_situnes(real_data, tmp_path):
    """Real listens, titles by MiniLM, in one command."""
    folder = prepare(
        "situnes",
        tmp_path,
        raw=real_data("situnes"),
        protocol_options={"cold": "random", "fraction": 0.1},
        content=ContentOptions(without_content="drop"),
    )
    assert len(record(folder)["without_content"]) == 9
    result = trained(folder, hidden_size=16, inner_size=16, epochs=2, valid_candidates="all")
    counts = record(folder)["targets"]["test"]
    assert result.test_mode["cases"]["cold"] == counts["cold"] > 0
    assert result.test_mode["cases"]["warm"] == counts["warm"] > 0
    assert set(result.test_result) >= {"ndcg@10", "ndcg_cold@10", "ndcg_warm@10"}


def test_leave_one_out_without_cold_items(tmp_path, counting):
    """RecBole's own split, which holds no item out: run on demand, with warm figures alone."""
    folder = prepare("ml-100k", tmp_path, protocol="leave_one_out", filters=Filters(core=20))
    with pytest.raises(DeltaError, match="no cold item.*set require_cold: False"):
        trained(folder)
    result = trained(folder, require_cold=False, MAX_ITEM_LIST_LENGTH=10)
    users = record(folder)["steps"][-2]["users"]
    assert result.test_mode["cases"] == {"total": users, "cold": 0, "warm": users}
    assert set(result.test_result) == {
        f"{metric}{group}@10" for metric in ("ndcg", "hit", "mrr") for group in ("", "_warm")
    }


@pytest.fixture
def table(tmp_path):
    """A table of one's own: 40 items of which the last has no line among the items."""
    rng = np.random.default_rng(0)
    rows = [f"u{u},i{i},{t}" for t, (u, i) in enumerate(rng.integers(0, [[30, 40]], (900, 2)))]
    (tmp_path / "rows.csv").write_text("\n".join(["user_id,item_id,timestamp", *rows]) + "\n")
    lines = [f"i{i},title {i}" for i in range(39)]
    (tmp_path / "items.csv").write_text("\n".join(["item_id,title", *lines]) + "\n")
    return {
        "raw": tmp_path,
        "source_options": {"interactions": "rows.csv", "items": "items.csv"},
        "out": tmp_path / "out",
    }


def test_items_without_content_are_dropped_listed_and_counted(table, tmp_path, counting):
    """First those without a line, then those without a vector."""
    matrix = np.random.default_rng(0).normal(size=(37, 4))
    frame = {"item_id": [f"i{i}" for i in range(37)], "vector": matrix.tolist()}
    pl.DataFrame(frame).write_parquet(tmp_path / "v.parquet")
    content = ContentOptions(vectors=tmp_path / "v.parquet", without_content="drop")
    folder = prepare("table", content=content, **table)
    kept = record(folder)
    assert kept["without_content"] == {
        "i39": "the file of items has no line of it",
        "i37": "v.parquet has no vector of it",
        "i38": "v.parquet has no vector of it",
    }
    rows = pl.read_csv(tmp_path / "rows.csv")
    left = rows.filter(~pl.col("item_id").is_in(["i37", "i38", "i39"]))
    step = {s["step"]: s for s in kept["steps"]}["items without content dropped"]
    assert (step["rows"], step["items"]) == (len(left), left["item_id"].n_unique())
    written = pl.read_csv(folder / f"{folder.name}.inter", separator="\t")
    assert sorted(written["item_id:token"]) == sorted(left["item_id"])


def test_modalities_stand_side_by_side(table, tmp_path, counting):
    """Ready vectors and a text encoder: the columns of both."""
    matrix = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    np.save(tmp_path / "v.npy", matrix)
    (tmp_path / "v.ids.txt").write_text("\n".join(f"i{i}" for i in range(40)) + "\n")
    options = {"encoder": "some/words", "without_content": "drop"}
    content = ContentOptions(vectors=tmp_path / "v.npy", **options)
    folder = prepare("table", content=content, **table)
    [path] = folder.glob("*.content.*.safetensors")
    assert path.name == f"{folder.name}.content.ready+words.safetensors"
    both = read_content(path)
    assert both.vectors.shape == (39, 3 + 4)
    ready = read_vectors(tmp_path / "v.npy")
    np.testing.assert_array_equal(both.vectors[:, :3], ready.align(list(both.tokens)))


def test_broken_audio_follows_the_policy(table, tmp_path):
    soundfile = pytest.importorskip("soundfile")
    clips = tmp_path / "clips"
    clips.mkdir()
    rng = np.random.default_rng(0)
    for i in range(39):
        soundfile.write(clips / f"i{i}.wav", rng.normal(size=4000) * 0.1, 16_000)
    (clips / "i3.wav").write_bytes(b"RIFF")
    soundfile.write(clips / "i4.wav", np.zeros(4000), 16_000)
    content = ContentOptions(audio=clips, without_content="drop")
    folder = prepare("table", content=content, **table)
    reasons = record(folder)["without_content"]
    assert set(reasons) == {"i39", "i3", "i4"}
    assert "i3.wav cannot be decoded" in reasons["i3"]
    assert reasons["i4"] == "i4.wav holds no sound."
    assert trained(folder, "ContentMean").test_mode["cases"]["cold"] > 0


def as_recbole(folder):
    """The table's interactions as plays.inter, without a plays.item."""
    names = {"user_id": "user_id:token", "item_id": "item_id:token", "timestamp": "timestamp:float"}
    rows = pl.read_csv(folder / "rows.csv").rename(names)
    rows.write_csv(folder / "plays.inter", separator="\t")
    return {"name": "plays"}


@pytest.mark.parametrize(
    ("source", "write", "fix"),
    [
        ("table", lambda folder: {"interactions": "rows.csv"}, "(--set items=FILE)"),
        ("recbole", as_recbole, "plays.item)"),
    ],
)
def test_items_with_vectors_need_no_file_of_items(table, tmp_path, counting, source, write, fix):
    matrix = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    np.save(tmp_path / "v.npy", matrix)
    (tmp_path / "v.ids.txt").write_text("\n".join(f"i{i}" for i in range(40)) + "\n")
    table["source_options"] = write(tmp_path)
    for content in (
        ContentOptions(),
        ContentOptions(vectors=tmp_path / "v.npy", encoder="some/words"),
    ):
        with pytest.raises(DeltaError, match="comes without a file of items") as error:
            prepare(source, content=content, **table)
        assert fix in str(error.value)
    folder = prepare(source, content=ContentOptions(vectors=tmp_path / "v.npy"), **table)
    items = pl.read_csv(folder / f"{folder.name}.item", separator="\t")
    assert items.columns == ["item_id:token", "is_cold:token", "train_count:float"]
    assert set(items["item_id:token"]) == {f"i{i}" for i in range(40)}
    [path] = folder.glob("*.content.*.safetensors")
    aligned = read_content(path).align([f"i{i}" for i in range(40)])
    np.testing.assert_array_equal(aligned, matrix)
    assert trained(folder).test_mode["cases"]["cold"] > 0


def test_items_with_audio_need_no_file_of_items(table, tmp_path):
    soundfile = pytest.importorskip("soundfile")
    (tmp_path / "clips").mkdir()
    for i, samples in enumerate(np.random.default_rng(0).normal(size=(40, 4000)) * 0.1):
        soundfile.write(tmp_path / "clips" / f"i{i}.wav", samples, 16_000)
    table["source_options"] = {"interactions": "rows.csv"}
    folder = prepare("table", content=ContentOptions(audio=tmp_path / "clips"), **table)
    assert record(folder)["items"]["all"] == 40


def test_an_item_whose_fields_are_all_empty_has_no_content(table, tmp_path, counting):
    """Of i0 to i3, without a title, only i3 has a brand; their text would else be one: ' ()'."""
    descriptions = {0: ",", 1: '" ",""', 2: ',"\t"', 3: ",Acme"}
    lines = [f"i{i},{descriptions.get(i, f'title {i},')}" for i in range(40)]
    (tmp_path / "items.csv").write_text("\n".join(["item_id,title,brand", *lines]) + "\n")
    template = "{title} ({brand})"
    with pytest.raises(DeltaError, match="3 of 40 items have no content, .* are empty; add it"):
        prepare("table", content=ContentOptions(template=template), **table)
    assert not counting.encoded

    content = ContentOptions(template=template, without_content="drop")
    folder = prepare("table", content=content, **table)
    kept = record(folder)
    reason = "all fields of its text '{title} ({brand})' are empty"
    assert kept["without_content"] == dict.fromkeys(["i0", "i1", "i2"], reason)
    assert kept["items"]["all"] == 37
    assert " (Acme)" in counting.encoded

    content = ContentOptions(template=template, missing="None")
    kept = record(prepare("table", content=content, **table, name="filled"))
    assert (kept["without_content"], kept["items"]["all"]) == ({}, 40)
    assert {"None (None)", "None (Acme)", "title 5 (None)"} <= set(counting.encoded)
