"""MovieLens in the originals' exact formats, checked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from support.originals import numbers, read

from dataset_prep.errors import DeltaError
from dataset_prep.protocols import official_test, paper


def test_movielens_1m_and_csv(tmp_path):
    old, new = tmp_path / "1m", tmp_path / "25m"
    old.mkdir(), new.mkdir()
    (old / "ratings.dat").write_text("1::1193::5::978300760\n2::1::3::978302109\n")
    movies = '1::Toy Story (1995)::Animation|Children\'s\n1193::Amélie: Un "film" (2001)::Drama\n'
    (old / "movies.dat").write_bytes(movies.encode("latin-1"))
    rows, items, _ = read("ml-1m", old)
    assert rows == [["1", "1193", 978300760, 5], ["2", "1", 978302109, 3]]
    assert items["1193"]["movie_title"] == 'Amélie: Un "film"'
    assert items["1"]["class"] == "Animation Children's"
    (new / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,296,5.0,1147880044\n")
    text = 'movieId,title,genres\n296,"Pulp, Fiction (1994)",Crime|Drama\n7,No Year,(no genres listed)\n'
    (new / "movies.csv").write_text(text)
    rows, items, _ = read("ml-25m", new)
    assert rows == [["1", "296", 1147880044, 5.0]]
    assert (items["296"]["movie_title"], items["296"]["release_year"]) == ("Pulp, Fiction", "1994")
    assert (items["7"]["movie_title"], items["7"]["release_year"], items["7"]["class"]) == (
        "No Year", None, "",
    )  # fmt: skip


def test_movielens_100k_original_equals_recboles_copy(tmp_path):
    (tmp_path / "u.data").write_text("196\t242\t3\t881250949\n")
    flags = "|".join("1" if n in (3, 5) else "0" for n in range(19))
    line = f"242|Kolya, Él (1996)|24-Jan-1997||http://x|{flags}\n"
    (tmp_path / "u.item").write_bytes(line.encode("latin-1"))
    rows, items, _ = read("ml-100k", tmp_path)
    assert rows == [["196", "242", 881250949, 3]]
    assert items["242"] == {
        "item_id": "242", "movie_title": "Kolya, Él", "release_year": "1996",
        "class": "Animation Comedy",
    }  # fmt: skip
    rows, items, log = read("ml-100k", None)
    assert numbers(log) == (100_000, 943, 1_682)
    assert rows[0] == ["196", "242", 881250949, 3]
    assert items["242"]["movie_title"] == "Kolya"


def test_official_test_needs_test_sessions():
    _, _, log = read("ml-100k", None)
    with pytest.raises(DeltaError, match="needs a source with test sessions"):
        official_test(log)


def test_the_papers_protocol_has_no_row_of_training_after_the_threshold():
    _, _, log = read("ml-100k", None)
    kept, split, _ = paper(log.in_order_of_time())
    threshold = np.quantile(log.time, 0.9)
    assert (kept.time[split == 0] <= threshold).all()
