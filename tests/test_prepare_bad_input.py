"""What dataset_prep refuses: each with one sentence that names the culprit, and nothing written."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save_file

from dataset_prep import ContentOptions, Filters, prepare
from dataset_prep.__main__ import main
from dataset_prep.audio import AudioOptions
from recbole_delta.errors import DeltaError

N_USERS, N_ITEMS = 12, 20


def good_rows() -> list[list[str]]:
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, N_USERS, 300), rng.integers(0, N_ITEMS, 300)
    return [[f"u{u}", f"i{i}", str(n), "4"] for n, (u, i) in enumerate(zip(users, items))]


def as_csv(header, rows) -> str:
    return "\n".join(",".join(row) for row in [header, *rows]) + "\n"


ROWS_HEADER = ["user_id", "item_id", "timestamp", "rating"]
ITEMS = [[f"i{i}", f"title {i}"] for i in range(N_ITEMS)]
GOOD_ROWS, GOOD_ITEMS = as_csv(ROWS_HEADER, good_rows()), as_csv(["item_id", "title"], ITEMS)


@pytest.fixture
def table(tmp_path, counting):
    """table(rows=..., items=..., **options): prepare a table of one's own; texts are file contents."""

    def run(rows=GOOD_ROWS, items=GOOD_ITEMS, spoil=lambda raw: None, names=None, **options):
        raw = tmp_path / "raw"
        raw.mkdir(exist_ok=True)
        for name, text in (("rows.csv", rows), ("items.csv", items)):
            if text is not None:
                (raw / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        spoil(raw)
        given = {"interactions": "rows.csv", "items": "items.csv", "rating": "rating"}
        return refusal(
            tmp_path, "table", **{"raw": raw, "source_options": given | (names or {}), **options}
        )

    return run


def refusal(tmp_path, source, **options) -> str:
    out = options.setdefault("out", tmp_path / "out")
    with pytest.raises(DeltaError) as error:
        prepare(source, **built(options))
    message = str(error.value)
    assert "\n" not in message
    assert message.endswith(".")
    if out.is_dir():
        assert {path.name for path in out.iterdir()} <= {".content"}
    return message


def built(options) -> dict:
    """``filters`` and ``content`` from their settings, whose own checks are part of what is tested."""
    options = dict(options)
    content = dict(options.get("content", {}))
    if "audio_options" in content:
        content["audio_options"] = AudioOptions(**content["audio_options"])
    content |= {name: Path(content[name]) for name in ("audio", "vectors") if name in content}
    options["content"] = ContentOptions(**content)
    options["filters"] = Filters(**options.get("filters", {}))
    return options


def changed_row(n, column, value) -> str:
    rows = good_rows()
    rows[n][column] = value
    return as_csv(ROWS_HEADER, rows)


def as_parquet(time):
    """The good rows as rows.parquet, the first at another time."""
    columns = dict(zip(ROWS_HEADER, zip(*good_rows())))
    columns["timestamp"] = [time, *map(float, columns["timestamp"][1:])]
    columns["rating"] = [4.0] * len(columns["timestamp"])
    return lambda raw: pl.DataFrame(columns).write_parquet(raw / "rows.parquet")


def drop(name):
    return lambda raw: (raw / name).unlink()


def write(name, content):
    return lambda raw: (raw / name).write_bytes(content)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"spoil": drop("rows.csv")}, "There is no rows.csv in"),
        ({"spoil": drop("items.csv")}, "There is no items.csv in"),
        ({"rows": ""}, "rows.csv"),
        ({"rows": ",".join(ROWS_HEADER) + "\n"}, "rows.csv holds no interactions"),
        ({"rows": GOOD_ROWS.replace("user_id", "uid")}, "rows.csv has no column 'user_id'"),
        ({"rows": GOOD_ROWS.replace("item_id", "iid")}, "rows.csv has no column 'item_id'"),
        ({"rows": GOOD_ROWS.replace("timestamp", "at")}, "rows.csv has no column 'timestamp'"),
        ({"rows": GOOD_ROWS.replace("rating", "stars")}, "rows.csv has no column 'rating'"),
        ({"items": GOOD_ITEMS.replace("item_id", "id")}, "items.csv has no column 'item_id'"),
        ({"items": ""}, "items.csv"),
        ({"items": GOOD_ITEMS.splitlines()[0] + "\n"}, "20 of 20 items have no content"),
        ({"rows": changed_row(0, 2, "noon")}, "timestamp must hold numbers or times"),
        ({"rows": changed_row(250, 2, "noon")}, "[\"noon\"]"),
        ({"rows": changed_row(250, 3, "good")}, "[\"good\"]"),
        ({"rows": changed_row(9, 0, "")}, "rows.csv: user_id is missing in 1 rows"),
        ({"rows": changed_row(9, 1, "")}, "rows.csv: item_id is missing in 1 rows"),
        ({"rows": changed_row(9, 2, "")}, "rows.csv: timestamp is missing in 1 rows"),
        ({"rows": changed_row(9, 3, "")}, "rows.csv: rating is missing in 1 rows"),
        ({"rows": changed_row(9, 2, "nan")}, "rows.csv: timestamp is not a number in 1 rows"),
        ({"rows": changed_row(0, 2, "01/02/2024")}, "say how '01/02/2024' is to be read"),
        ({"names": {"time_format": "%d.%m.%Y"}, "rows": changed_row(0, 2, "01/02/2024")},
         "rows.csv"),
        ({"names": {"numbers": "plays"}}, "rows.csv has no column 'plays'"),
        ({"items": GOOD_ITEMS.encode() + "i20,Café\n".encode("latin-1")}, "items.csv"),
        ({"items": GOOD_ITEMS.replace("title", "rating", 1)}, "has a field 'rating'"),
        ({"items": GOOD_ITEMS.replace("title", "a:b", 1)}, "has a field 'a:b'"),
        ({"items": "song," + GOOD_ITEMS.replace("\n", "\n1,"), "names": {"item_of_items": "song"}},
         "has both song and item_id"),
        ({"names": {"items": "items.parquet"}, "spoil": write("items.parquet", b"PAR1PAR1")},
         "items.parquet"),
        ({"names": {"interactions": "rows.parquet"}, "spoil": as_parquet(float("nan"))},
         "rows.parquet: timestamp is not a number in 1 rows"),
        ({"names": {"interactions": "rows.parquet"}, "spoil": as_parquet(float("inf"))},
         "rows.parquet: timestamp is not a number in 1 rows"),
        ({"rows": changed_row(9, 3, "4,5")}, "rows.csv"),
        ({"rows": changed_row(9, 0, '"u1')}, "rows.csv"),
        ({"rows": GOOD_ROWS.encode() + b"\xff\xfe\xfa,i1,7,4\n"}, "rows.csv"),
        ({"rows": bytes(range(256)) * 20}, "rows.csv"),
        ({"rows": changed_row(9, 0, '"a\tb"')}, "RecBole cannot read the user_id"),
        ({"rows": changed_row(9, 1, '"a\nb"')}, "RecBole cannot read the item_id"),
        ({"rows": changed_row(9, 0, "NA")}, "RecBole cannot read the user_id 'NA' back"),
        ({"rows": changed_row(9, 0, '" "')}, "RecBole cannot read the user_id ' ' back"),
        ({"rows": changed_row(9, 1, "i99")}, "1 of 21 items have no content, 'i99' among them"),
        ({"items": GOOD_ITEMS + "i3,again\n"}, "Item 'i3' occurs twice among the items"),
        ({"names": {"interactions": "rows.xlsx"}, "spoil": write("rows.xlsx", b"PK")},
         "rows.xlsx has none of the endings"),
        ({"names": {"interactions": "rows.parquet"}, "spoil": write("rows.parquet", b"")},
         "rows.parquet"),
        ({"names": {"interactions": "rows.parquet"}, "spoil": write("rows.parquet", b"PAR1junk")},
         "rows.parquet"),
        ({"names": {"interactions": "rows.jsonl"}, "spoil": write("rows.jsonl", b'{"user_id": "a"')},
         "rows.jsonl"),
        ({"names": {"interactions": "rows.jsonl"}, "spoil": write("rows.jsonl", b"[1, 2]\n")},
         "rows.jsonl"),
        ({"names": {"colour": "red"}}, "table has no option 'colour'"),
    ],
)  # fmt: skip
def test_tables(table, files, message):
    assert message in table(**files)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"raw": "nowhere"}, "There is no rows.csv in nowhere"),
        ({"raw": None}, "Say where the raw files are (--raw DIR)"),
        ({"protocol": "leave_two_out"}, "protocol must be one of"),
        ({"protocol": "official_test"}, "needs a source with test sessions"),
        ({"protocol_options": {"cold": "oldest"}}, "cold must be newest or random"),
        ({"protocol_options": {"fraction": 0.6}}, "leaves no cold or no warm item"),
        ({"protocol_options": {"fraction": -1}}, "leaves no cold or no warm item"),
        ({"protocol_options": {"quantile": 0.5}}, "item_holdout has no option 'quantile'"),
        ({"protocol": "paper", "protocol_options": {"cold": "newest"}},
         "paper has no option 'cold'"),
        ({"name": "a/b"}, "name must be letters"),
        ({"name": ".."}, "name must be letters"),
        ({"name": "ml-100k"}, "name must not be ml-100k"),
        ({"filters": {"above": {"stars": 3}}}, "has no column 'stars' to filter by"),
        ({"filters": {"above": {"rating": 9}}}, "No interaction is left after rating > 9"),
        ({"filters": {"users": 13}}, "Cannot draw 13 users; there are 12"),
        ({"filters": {"users": 0}}, "users must be at least 1"),
        ({"filters": {"core": 0}}, "core must be at least 1"),
        ({"filters": {"core": 500}}, "No interaction is left after 500-core"),
        ({"download": True}, "table is not for --download"),
        ({"content": {"template": "{colour}"}}, "no field 'colour'; the fields are"),
        ({"content": {"template": "{title"}}, "template '{title'"),
        ({"content": {"template": "{}"}}, "template '{}': no field ''"),
        ({"content": {"template": "{title.__class__}"}}, "no field 'title.__class__'"),
        ({"content": {"template": "the same"}}, "template 'the same' names no field"),
        ({"content": {"devices": ["gpu0"]}}, "devices: there is no kind of device 'gpu0'"),
        ({"content": {"devices": ["cuda:99"]}}, "devices: cuda:99 is not there"),
        ({"content": {"encoder": "/nowhere/model"}}, "/nowhere/model is not a sentence-transf"),
        ({"content": {"encoder": "broken/model"}}, "The encoder broken/model cannot be loaded"),
        ({"content": {"without_content": "mean"}}, "without_content must be error or drop"),
        ({"content": {"audio": "clips"}}, "There is no folder of audio files clips"),
        ({"content": {"vectors": "none.npy"}}, "There is no file of vectors none.npy"),
        ({"content": {"audio_options": {"seconds": 0}}}, "A segment must have at least 1024 samples"),
        ({"content": {"audio_options": {"segments": 0}}}, "segments must be at least 1"),
        ({"content": {"audio_options": {"rate": 0}}}, "rate must be at least 1"),
        ({"content": {"audio_options": {"seconds": float("inf")}}}, "A segment must have"),
        ({"content": {"audio_options": {"rate": 8000}}}, "need a folder of audio files"),
        ({"content": {"vectors": "v.npy", "template": "{x}"}}, "There is no file of vectors v.npy"),
        ({"content": {"template": "{title:d}"}}, "fields are texts"),
        ({"content": {"devices": ["meta"]}}, "nothing can be computed on meta"),
        ({"filters": {"seed": -1}}, "seed must be from 0"),
        ({"protocol_options": {"seed": -1}}, "seed must be from 0"),
        ({"protocol_options": {"fraction": float("nan")}}, "leaves no cold or no warm item"),
        ({"content": {"workers": 0}}, "workers must be at least 1"),
    ],
)  # fmt: skip
def test_options(table, options, message):
    assert message in table(**options)


def test_a_place_that_cannot_be_written_to(table, tmp_path):
    (tmp_path / "file").write_text("")
    assert "Cannot write" in table(out=tmp_path / "file" / "out")


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


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def flip(path):
    """Some bits in the middle of a packed file."""
    packed = bytearray(path.read_bytes())
    packed[len(packed) // 2 :] = bytes(255 - byte for byte in packed[len(packed) // 2 :])
    path.write_bytes(packed)


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


def gz(path, text):
    path.write_bytes(gzip.compress(text.encode()))


REVIEW = json.dumps({"reviewerID": "A", "asin": "B", "overall": 5.0, "unixReviewTime": 7})
META = json.dumps({"asin": "B", "title": "t", "brand": "b", "categories": [["c"]]})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda raw: cut(raw / "reviews_Toys_5.json.gz"), "reviews_Toys_5.json.gz"),
        (lambda raw: (raw / "reviews_Toys_5.json.gz").write_text(REVIEW), "it should be the whole file"),
        (lambda raw: (raw / "reviews_Toys_5.json.gz").write_bytes(b""), "holds no interactions"),
        (lambda raw: gz(raw / "reviews_Toys_5.json.gz", "[1]\n"), "reviews_Toys_5.json.gz"),
        (lambda raw: gz(raw / "reviews_Toys_5.json.gz", "__import__('os').getpid()\n"),
         "reviews_Toys_5.json.gz"),
        (lambda raw: gz(raw / "reviews_Toys_5.json.gz", REVIEW.replace("reviewerID", "x")),
         "user_id is missing in 1 rows"),
        (lambda raw: gz(raw / "reviews_Toys_5.json.gz", REVIEW.replace("7", '"x"')),
         "reviews_Toys_5.json.gz"),
        (lambda raw: cut(raw / "meta_Toys.json.gz"), "meta_Toys.json.gz"),
        (lambda raw: flip(raw / "meta_Toys.json.gz"), "meta_Toys.json.gz"),
        (lambda raw: gz(raw / "meta_Toys.json.gz", "{{}: 1}\n"), "meta_Toys.json.gz"),
        (lambda raw: gz(raw / "meta_Toys.json.gz", "[" * 100_000), "meta_Toys.json.gz"),
        (lambda raw: (raw / "meta_Toys.json.gz").unlink(), "There is no meta_Toys.json.gz"),
    ],
)  # fmt: skip
def test_amazon(tmp_path, spoil, message):
    raw = tmp_path / "raw"
    raw.mkdir()
    gz(raw / "reviews_Toys_5.json.gz", REVIEW + "\n")
    gz(raw / "meta_Toys.json.gz", META + "\n")
    spoil(raw)
    assert message in refusal(tmp_path, "amazon-2014", raw=raw, source_options={"category": "Toys"})


def test_a_folder_that_is_not_ours_is_not_replaced(table, tmp_path):
    mine = tmp_path / "out" / "mine"
    mine.mkdir(parents=True)
    (mine / "thesis.txt").write_text("years of work")
    names = {"interactions": "rows.csv", "items": "items.csv"}
    for name, message in (("mine", "was not made by dataset_prep"), ("raw", "holds the raw files")):
        out = mine.parent if name == "mine" else tmp_path
        (tmp_path / "raw").mkdir(exist_ok=True)
        (tmp_path / "raw" / "rows.csv").write_text(GOOD_ROWS)
        (tmp_path / "raw" / "items.csv").write_text(GOOD_ITEMS)
        with pytest.raises(DeltaError, match=message):
            prepare("table", out, raw=tmp_path / "raw", source_options=names, name=name)
    assert (mine / "thesis.txt").read_text() == "years of work"
    assert (tmp_path / "raw" / "rows.csv").read_text() == GOOD_ROWS


def test_a_needed_option_and_an_unknown_data_set(tmp_path):
    assert "amazon-2014 needs the option category" in refusal(tmp_path, "amazon-2014")
    assert "Unknown data set 'amazon'; choose from" in refusal(tmp_path, "amazon")


@pytest.mark.parametrize(
    ("spoil", "options", "message"),
    [
        (lambda raw: (raw / "gt_task2.csv").write_text("next_item\nB09\n"), {},
         "gt_task2.csv has 1 answers for 3 sessions"),
        (lambda raw: None, {"locale": "XX"}, "holds no session of locale XX"),
        (lambda raw: (raw / "sessions_train.csv").write_text("prev_items,locale\na,FR\n"), {},
         "sessions_train.csv"),
        (lambda raw: (raw / "products_train.csv").write_text("id\nB01\n"), {}, "products_train.csv"),
        (lambda raw: (raw / "sessions_test_task2_phase1.csv").write_bytes(b""), {},
         "sessions_test_task2_phase1.csv"),
    ],
)  # fmt: skip
def test_amazon_m2(m2, tmp_path, spoil, options, message):
    spoil(m2)
    given = {"locale": "FR", **options}
    assert message in refusal(
        tmp_path, "amazon-m2", raw=m2, source_options=given, protocol="official_test"
    )


@pytest.mark.parametrize(
    ("source", "files", "options", "message"),
    [
        ("zvuk", {"zvuk-interactions.parquet": b"PAR1", "zvuk-track_artist_embedding.parquet": b"x"},
         {}, "zvuk-"),
        ("ml-1m", {"ratings.dat": b"1::2::3\n", "movies.dat": b"1::A (1990)::X\n"}, {},
         "ratings.dat"),
        ("ml-1m", {"ratings.dat": b"1::2::x::7\n", "movies.dat": b"1::A (1990)::X\n"}, {},
         "ratings.dat"),
        ("ml-25m", {"ratings.csv": b"userId,movieId\n1,2\n", "movies.csv": b"movieId,title,genres\n"},
         {}, "ratings.csv"),
        ("ml-25m", {"ratings.csv": b"", "movies.csv": b""}, {}, ".csv"),
        ("ml-100k", {"u.data": b"a\n", "u.item": b"b\n"}, {}, "u."),
        ("music4all", {"listening_history.csv": b"user\tsong\ttimestamp\na\tb\tyesterday\n",
                       "id_information.csv": b"id\tartist\tsong\talbum_name\nb\tx\ty\tz\n",
                       "id_genres.csv": b"id\tgenres\nb\trock\n"}, {}, "listening_history.csv"),
        ("music4all-onion", {"userid_trackid_timestamp.tsv.bz2": b"", "f.tsv": b"id\tx\n"},
         {"features": "f.tsv"}, "Unpack the .bz2 files"),
        ("situnes", {"Stage1/interactions.csv": b"user_id\n"}, {}, "Stage2"),
        ("recbole", {"x.inter": b"user_id\titem_id\ttimestamp\n1\t2\t3\n", "x.item": b"item_id\n2\n"},
         {"name": "x"}, "x.item"),
        ("recbole", {"x.inter": b"user_id:token\titem_id:token\n1\t2\n",
                     "x.item": b"item_id:token\n2\n"}, {"name": "x"}, "x.inter has no column"),
        ("recbole", {"x.inter": b"user_id:token\titem_id:token\ttimestamp:float\n1\t2\tlate\n",
                     "x.item": b"item_id:token\n2\n"}, {"name": "x"}, "x.inter"),
        ("recbole", {"x.inter": b"", "x.item": b""}, {"name": "x"}, "x."),
    ],
)  # fmt: skip
def test_other_sources(tmp_path, source, files, options, message):
    raw = tmp_path / "raw"
    for name, content in files.items():
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).write_bytes(content)
    assert message in refusal(tmp_path, source, raw=raw, source_options=options)


@pytest.mark.parametrize(
    "arguments", [["--above", "rating"], ["--above", "rating=x"], ["--set", "=x"]]
)
def test_the_commands_own_arguments(arguments, capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        main(["ml-100k", "--out", str(tmp_path / "out"), *arguments])
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert not (tmp_path / "out").exists()
