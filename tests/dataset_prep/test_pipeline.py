"""dataset_prep end to end, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from support.datasets import as_polars

import dataset_prep.encoders.text
import dataset_prep.pipeline
from dataset_prep import SOURCES, ContentOptions, Filters, RawData, Source, prepare
from dataset_prep.errors import DeltaError
from dataset_prep.format.content import read_content


def read(path):
    frame = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    return frame.rename(columns=lambda column: column.split(":")[0])


@pytest.mark.slow
def test_ml_100k_keeps_every_count(ml_100k):
    name = ml_100k.name
    record = json.loads((ml_100k / f"{name}.json").read_text())
    # GroupLens states 100,000 ratings of 943 users on 1,682 movies.
    assert record["steps"][0] == {"step": "raw", "rows": 100_000, "users": 943, "items": 1_682}
    rows, items = read(ml_100k / f"{name}.inter"), read(ml_100k / f"{name}.item")
    targets = rows[rows["split"] == "test"]
    cold = set(items.loc[items["is_cold"] == "1", "item_id"])
    n_cold = targets["item_id"].isin(cold).sum()
    assert record["targets"]["test"] == {
        "cold": n_cold,
        "warm": len(targets) - n_cold,
        "empty_history": sum(
            rows.loc[rows["user_id"] == user].index[0] == row
            for row, user in targets["user_id"].items()
        ),
    }
    assert n_cold >= 300
    assert len(targets) - n_cold >= 300
    counts = rows.loc[rows["split"] == "train", "item_id"].value_counts()
    expected = items["item_id"].map(counts).fillna(0).astype(int)
    assert items["train_count"].astype(int).equals(expected)
    assert (items["is_cold"] == "1").equals(expected == 0)
    assert rows["timestamp"].astype(float).is_monotonic_increasing


@pytest.mark.slow
def test_texts_of_similar_movies_are_close(ml_100k):
    [path] = ml_100k.glob("*.content.*.safetensors")
    items = read(ml_100k / f"{ml_100k.name}.item").set_index("movie_title")["item_id"]
    titles = ["Empire Strikes Back, The", "Return of the Jedi", "Piano, The"]
    empire, jedi, piano = read_content(path).align([items[title] for title in titles])
    assert empire @ jedi > empire @ piano + 0.1


@pytest.mark.slow
def test_a_second_run_encodes_nothing_and_writes_the_same_bytes(ml_100k, monkeypatch):
    def load(*_):
        raise AssertionError("the model was loaded though every text is cached")

    monkeypatch.setattr("sentence_transformers.SentenceTransformer", load)
    before = {path.name: path.read_bytes() for path in ml_100k.iterdir()}
    options = {"cold": "random"}
    settings = {"name": ml_100k.name, "filters": Filters(core=5)}
    prepare("ml-100k", ml_100k.parent, protocol_options=options, **settings)
    assert {path.name: path.read_bytes() for path in ml_100k.iterdir()} == before


@pytest.fixture
def toy(monkeypatch, counting):
    """A source whose rows a test can spoil."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        {"user_id": [f"u{u}" for u in rng.integers(0, 12, 300)],
         "item_id": [f"i{i}" for i in rng.integers(0, 20, 300)],
         "timestamp": np.arange(300.0)}
    )  # fmt: skip
    items = pd.DataFrame(
        {"item_id": [f"i{i}" for i in range(20)], "title": list("abcdefghijklmnopqrst")}
    )
    data = {"interactions": rows, "items": items}

    def reader(_):
        frames = {name: as_polars(frame) for name, frame in data.items()}
        types = {"title": "token_seq"}
        return RawData(frames["interactions"].lazy(), frames["items"], types, files=())

    monkeypatch.setitem(SOURCES, "toy", Source("toy", reader, "{title}", "a toy"))
    return data


@pytest.mark.parametrize("protocol", ["item_holdout", "paper"])
def test_a_prepared_set_trains(toy, tmp_path, protocol):
    import recbole_delta

    toy["interactions"].loc[290:, "item_id"] = "i0"
    if protocol == "paper":
        late = toy["interactions"].index >= 285
        toy["interactions"].loc[late, "item_id"] = [f"i{n % 2 * 19}" for n in range(15)]
        early = toy["interactions"].index < 285
        toy["interactions"].loc[early, "item_id"] = (
            toy["interactions"].loc[early, "item_id"].replace("i19", "i1")
        )
    folder = prepare("toy", tmp_path, protocol=protocol)
    settings = {
        "data_path": str(tmp_path),
        "epochs": 1,
        "embedding_size": 2,
        "show_progress": False,
    }
    result = recbole_delta.run("ContentMean", folder.name, settings=settings)
    record = json.loads((folder / f"{folder.name}.json").read_text())
    assert result.test_mode["cases"]["cold"] == record["targets"]["test"]["cold"]


def test_no_shots_give_the_bytes_of_item_holdout(toy, tmp_path):
    plain = prepare("toy", tmp_path, name="plain")
    none = prepare("toy", tmp_path, name="none", protocol_options={"shots": 0})
    one = prepare("toy", tmp_path, name="one", protocol_options={"shots": 1})
    for ending in ("inter", "item"):
        expected = (plain / f"plain.{ending}").read_bytes()
        assert (none / f"none.{ending}").read_bytes() == expected
        assert (one / f"one.{ending}").read_bytes() != expected
    records = [json.loads((each / f"{each.name}.json").read_text()) for each in (plain, none)]
    assert [each.pop("protocol_options") for each in records] == [{}, {"shots": 0}]
    assert [each.pop("name") for each in records] == ["plain", "none"]
    assert records[0] == records[1]


def test_with_shots_no_item_need_be_cold_and_the_share_is_unknown(toy, tmp_path):
    import recbole_delta

    folder = prepare("toy", tmp_path, protocol_options={"cold": "random", "shots": 3})
    record = json.loads((folder / f"{folder.name}.json").read_text())
    assert record["targets"]["test"]["cold"] == 0
    assert record["cold_share"]["value"] is None
    settings = {"data_path": str(tmp_path), "embedding_size": 2, "show_progress": False}
    with pytest.raises(DeltaError, match="set require_cold: False"):
        recbole_delta.run("ContentMean", folder.name, settings=settings)
    result = recbole_delta.run(
        "ContentMean", folder.name, settings={**settings, "require_cold": False}
    )
    assert result.test_mode["cases"] == {"cold": 0, **dict.fromkeys(
        ("warm", "total"), record["targets"]["test"]["warm"])}  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "ml-100K"}, "Unknown data set 'ml-100K'"),
        ({"name": "ml-100k"}, "name must not be ml-100k"),
        ({"name": "../elsewhere"}, "name must be letters"),
        (
            {"protocol": "leave_two_out"},
            "protocol must be one of global_time | item_holdout | leave_one_out | official_test | paper",
        ),
        ({"filters": Filters(core=1000)}, "No interaction is left after 1000-core"),
        ({"filters": Filters(above={"rating": 3})}, "no column 'rating' to filter by"),
        ({"filters": Filters(users=13)}, "Cannot draw 13 users; there are 12"),
        ({"source_options": {"category": "x"}}, "toy has no option 'category'"),
        ({"protocol_options": {"fraction": 0.9}}, "leaves no cold or no warm item"),
        ({"protocol_options": {"shots": -1}}, "shots must be a whole number >= 0, but is -1"),
        (
            {"content": ContentOptions(encoder="/nowhere/model")},
            "/nowhere/model is not a sentence-transformers",
        ),
        ({"content": ContentOptions(template="{colour}")}, "no field 'colour'; the fields are"),
    ],
)
def test_bad_options_write_nothing(toy, tmp_path, options, message):
    out = tmp_path / "out"
    with pytest.raises(DeltaError) as error:
        prepare(**{"source": "toy", "out": out, **options})
    assert message in str(error.value)
    assert not list(out.glob("[!.]*"))


def test_items_without_text_or_with_two_are_refused(toy, tmp_path):
    whole = toy["items"]
    toy["items"] = whole.iloc[1:]
    with pytest.raises(
        DeltaError, match="1 of 20 items have no content, 'i0' among them: .* no line of it"
    ):
        prepare("toy", tmp_path)
    # One and the same line twice is accepted, as of vectors.
    toy["items"] = pd.concat([whole, whole.iloc[:1]])
    prepare("toy", tmp_path)
    toy["items"] = pd.concat([whole, whole.iloc[:1].assign(title="another")])
    with pytest.raises(DeltaError, match="Item 'i0' occurs twice"):
        prepare("toy", tmp_path)


def test_an_interrupted_run_leaves_the_old_data_set(toy, tmp_path, monkeypatch):
    folder = prepare("toy", tmp_path)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full_disk(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(dataset_prep.pipeline, "write_content", full_disk)
    with pytest.raises(DeltaError, match="Cannot write .*toy-item_holdout .No space"):
        prepare("toy", tmp_path)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.glob("*toy*")] == [folder.name]
