"""MovieLens: the 100k that comes with RecBole, and the original files from 100k to 32M.

F. M. Harper and J. A. Konstan, "The MovieLens Datasets", ACM TiiS 5(4), 2015.
"""

from __future__ import annotations

import io
from importlib.util import find_spec
from pathlib import Path

import polars as pl

from dataset_prep.errors import DeltaError
from dataset_prep.sources.download import Archive
from dataset_prep.sources.raw_files import need, reading
from dataset_prep.sources.registry import RawData, source

WHERE = "Download the archive from grouplens.org/datasets/movielens and unpack it."
ML_100K_GENRES = [
    *["unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime"],
    *["Documentary", "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery"],
    *["Romance", "Sci-Fi", "Thriller", "War", "Western"],
]
ARCHIVES = {
    name: Archive(f"https://files.grouplens.org/datasets/movielens/{name}.zip", md5)
    for name, md5 in (
        ("ml-1m", "c4d9eecfca2ab87c1945afe126590906"),
        ("ml-20m", "cd245b17a1ae2cc31bb14903e1204af3"),
        ("ml-25m", "6b51fb2759a8657d3bfcbfc42b592ada"),
        ("ml-32m", "d472be332d4daa821edc399621853b57"),
    )
}
"""Downloads by name, with the checksums that GroupLens publishes beside each file."""
TEMPLATE = "{movie_title} ({release_year}). Genres: {class}"
ITEM_TYPES = {"movie_title": "token_seq", "release_year": "token", "class": "token_seq"}
RATINGS = ("user_id", "item_id", "rating", "timestamp")


@source("ml-100k", template=TEMPLATE)
def read_ml_100k(raw: Path | None) -> RawData:
    """MovieLens 100k with titles, years and genres; without --raw, the copy in RecBole."""
    if raw is not None and (raw / "u.data").is_file():
        return _read_original_100k(raw)
    inter, item = need(raw or _folder_in_recbole(), "ml-100k.inter", "ml-100k.item", where=WHERE)
    with reading(inter):
        ratings = pl.scan_csv(inter, separator="\t", new_columns=list(RATINGS))
        ratings.collect_schema()
    with reading(item):
        items = pl.read_csv(item, separator="\t", infer_schema=False, quote_char=None)
        items = items.rename(dict(zip(items.columns, ["item_id", *ITEM_TYPES])))
    return RawData(ratings, items.select("item_id", *ITEM_TYPES), ITEM_TYPES, (inter, item))


@source("ml-1m", template=TEMPLATE, archives=ARCHIVES)
def read_ml_1m(raw: Path | None) -> RawData:
    """MovieLens 1M: ratings.dat and movies.dat."""
    ratings_file, movies_file = need(raw, "ratings.dat", "movies.dat", where=WHERE)
    ratings = _split_by_colons(ratings_file, list(RATINGS))
    with reading(ratings_file):
        ratings = ratings.with_columns(pl.col("rating", "timestamp").cast(pl.Int64))
    movies = _split_by_colons(movies_file, ["item_id", "title", "genres"])
    return RawData(ratings.lazy(), _movies(movies), ITEM_TYPES, (ratings_file, movies_file))


@source("ml-20m", "ml-25m", "ml-32m", template=TEMPLATE, archives=ARCHIVES)
def read_ml_csv(raw: Path | None) -> RawData:
    """MovieLens 20M, 25M and 32M: ratings.csv and movies.csv."""
    ratings_file, movies_file = need(raw, "ratings.csv", "movies.csv", where=WHERE)
    with reading(ratings_file):
        ratings = pl.scan_csv(ratings_file).select(
            user_id="userId", item_id="movieId", rating="rating", timestamp="timestamp"
        )
        ratings.collect_schema()
    with reading(movies_file):
        movies = pl.read_csv(movies_file, infer_schema=False).rename({"movieId": "item_id"})
        movies = movies.select("item_id", "title", "genres")
    return RawData(ratings, _movies(movies), ITEM_TYPES, (ratings_file, movies_file))


def _read_original_100k(raw: Path) -> RawData:
    data, item = need(raw, "u.data", "u.item", where=WHERE)
    with reading(data):
        ratings = pl.scan_csv(data, separator="\t", has_header=False, new_columns=list(RATINGS))
        ratings.collect_schema()
    names = ["item_id", "title", "released", "video", "url", *ML_100K_GENRES]
    table = _without_header(item, item.read_text(encoding="latin-1"), "|", names)
    flags = [pl.when(pl.col(g) == "1").then(pl.lit(g)) for g in ML_100K_GENRES]
    genres = pl.concat_str(flags, separator="|", ignore_nulls=True)
    return RawData(ratings, _movies(table.with_columns(genres=genres)), ITEM_TYPES, (data, item))


def _movies(table: pl.DataFrame) -> pl.DataFrame:
    """Split titles such as "Toy Story (1995)" into title and year, and genres "A|B" into words."""
    year = pl.col("title").str.extract(r"\((\d{4})\)\s*$")
    genres = pl.col("genres").str.replace("(no genres listed)", "", literal=True)
    return table.select(
        "item_id",
        movie_title=pl.col("title").str.replace(r"\s*\(\d{4}\)\s*$", ""),
        release_year=year,
        **{"class": genres.str.replace_all("|", " ", literal=True)},
    )


def _split_by_colons(path: Path, names: list[str]) -> pl.DataFrame:
    text = path.read_text(encoding="latin-1").replace("::", "\t")
    return _without_header(path, text, "\t", names)


def _without_header(path: Path, text: str, separator: str, names: list[str]) -> pl.DataFrame:
    with reading(path):
        return pl.read_csv(
            io.StringIO(text), separator=separator, has_header=False, new_columns=names,
            infer_schema=False, quote_char=None,
        )  # fmt: skip


def _folder_in_recbole() -> Path:
    spec = find_spec("recbole")
    if spec is None or spec.origin is None:
        raise DeltaError("RecBole is not installed, and ml-100k comes with it.")
    return Path(spec.origin).parent / "dataset_example" / "ml-100k"
