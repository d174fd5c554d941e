"""Where a prepared data set goes: its name, and what it takes the place of."""

from __future__ import annotations

import json

import pytest
from support.originals import gz

from dataset_prep import ContentOptions, Filters, prepare
from dataset_prep.errors import DeltaError

MORE = [(user, (user + turn) % 4, 10 * user + turn) for user in range(5) for turn in range(4)]
FEW = MORE[:16]
ITEMS = [(item, f"title {item}") for item in range(4)]


def lines(header, rows, separator):
    return "\n".join(separator.join(map(str, row)) for row in [header, *rows]) + "\n"


def recbole(raw, name, rows):
    header = ["user_id:token", "item_id:token", "timestamp:float"]
    (raw / f"{name}.inter").write_text(lines(header, rows, "\t"))
    header = ["item_id:token", "title:token_seq"]
    (raw / f"{name}.item").write_text(lines(header, ITEMS, "\t"))
    return {"name": name}


def table(raw, name, rows):
    (raw / f"{name}.csv").write_text(lines(["user_id", "item_id", "timestamp"], rows, ","))
    (raw / "items.csv").write_text(lines(["item_id", "title"], ITEMS, ","))
    return {"interactions": f"{name}.csv", "items": "items.csv"}


def amazon_2014(raw, name, rows):
    keys = ("reviewerID", "asin", "unixReviewTime")
    reviews = [{**dict(zip(keys, (f"A{u}", f"B{i}", t))), "overall": 5.0} for u, i, t in rows]
    gz(raw / f"reviews_{name}_5.json.gz", "".join(json.dumps(row) + "\n" for row in reviews))
    meta = [{"asin": f"B{item}", "title": title} for item, title in ITEMS]
    gz(raw / f"meta_{name}.json.gz", "".join(json.dumps(row) + "\n" for row in meta))
    return {"category": name}


def prepared(source, tmp_path, options, **settings):
    usual = {"raw": tmp_path / "raw", "protocol": "leave_one_out", "source_options": options}
    return prepare(source, tmp_path / "out", **usual | settings)


def rows_of(folder):
    return len((folder / f"{folder.name}.inter").read_text().splitlines()) - 1


@pytest.fixture
def raw(tmp_path, counting):
    (tmp_path / "raw").mkdir()
    return tmp_path / "raw"


@pytest.mark.parametrize(
    ("source", "write", "names"),
    [
        ("recbole", recbole, {"mine": "mine", "yours": "yours"}),
        ("table", table, {"plays": "plays", "likes.2024": "likes.2024"}),
        # Published results are of a data set called amazon-2014-paper.
        ("amazon-2014", amazon_2014, {"Beauty": "amazon-2014", "Toys": "amazon-2014-Toys"}),
    ],
)
def test_the_default_name_is_that_of_the_data(raw, tmp_path, source, write, names):
    """Two data sets of one raw format stand beside each other, each with its own rows."""
    for name, rows in zip(names, (FEW, MORE)):
        folder = prepared(source, tmp_path, write(raw, name, rows))
        assert folder.name == f"{names[name]}-leave_one_out"
    sizes = [rows_of(tmp_path / "out" / f"{name}-leave_one_out") for name in names.values()]
    assert sizes == [len(FEW), len(MORE)]


def test_a_set_prepared_from_other_data_is_not_replaced(raw, tmp_path):
    folder = prepared("table", tmp_path, table(raw, "plays", FEW), name="mine")
    others = {
        "table": table(raw, "plays", MORE),  # the same names, other bytes
        "recbole": recbole(raw, "plays", FEW),
    }
    for source, options in others.items():
        with pytest.raises(DeltaError, match="choose another --name, or remove it") as error:
            prepared(source, tmp_path, options, name="mine")
        assert f"{folder} was prepared from other data (table: raw/plays.csv" in str(error.value)
        assert rows_of(folder) == len(FEW)


def test_a_folder_whose_record_is_not_ours_is_not_replaced(raw, tmp_path):
    for number, text in enumerate(("{}", "[1]", "not JSON", '{"source": "table", "inputs": 5}')):
        mine = tmp_path / "out" / f"mine{number}"
        mine.mkdir(parents=True)
        (mine / f"{mine.name}.json").write_text(text)
        with pytest.raises(DeltaError, match="was not made by dataset_prep"):
            prepared("table", tmp_path, table(raw, "plays", FEW), name=mine.name)
        assert (mine / f"{mine.name}.json").read_text() == text


def test_a_replacement_by_other_options_is_announced(raw, tmp_path, capsys):
    options = table(raw, "plays", FEW)
    settings = {"filters": Filters(core=2), "content": ContentOptions(prefix="query: ")}
    folder = prepared("table", tmp_path, options, **settings)
    capsys.readouterr()
    prepared("table", tmp_path, options, **settings)
    assert capsys.readouterr().err == ""
    raw.rename(tmp_path / "moved")
    settings |= {"filters": Filters(core=3), "raw": tmp_path / "moved"}
    prepared("table", tmp_path, options, **settings)
    assert capsys.readouterr().err == f"Replaces {folder}, prepared with filters core=2.\n"
    prepared("table", tmp_path, options, raw=tmp_path / "moved", filters=Filters(core=3))
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"Replaces {folder}, prepared with content text=")
    assert "'prefix': 'query: '" in said
