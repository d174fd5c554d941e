"""Raw files as the originals have them, and one way to read them."""

from __future__ import annotations

import gzip

import numpy as np
import polars as pl

from dataset_prep.interactions.log import Log
from dataset_prep.sources import get_source


def read(source, raw, **options):
    """(rows as [user, item, time, extras...], items by id, Log)."""
    data = get_source(source).read(raw, options)
    log, _ = Log.read(data.interactions, source)
    columns = [
        log.users.gather(log.user).to_list(),
        log.items.gather(log.item).to_list(),
        log.time.tolist(),
        *(column.tolist() for column in log.extra.values()),
    ]
    items = {row["item_id"]: row for row in data.items.to_dicts()}
    assert all(row["item_id"].__class__ is str for row in data.items.to_dicts())
    return [list(row) for row in zip(*columns)], items, log


def numbers(log):
    """Rows, users and items."""
    return len(log), len(set(log.user.tolist())), len(set(log.item.tolist()))


def gz(path, text):
    path.write_bytes(gzip.compress(text.encode()))


M2_TRAIN = """prev_items,next_item,locale
"['B01' 'B01'
 'B02']",B03,FR
['B02' 'B03'],B01,DE
['B03'],B04,FR
['B01'],B02,FR
['B02'],B05,FR
['B01'],B03,FR
"""


def write_m2(folder):
    """Sessions of two locales; a new product among the test sessions of FR."""
    (folder / "sessions_train.csv").write_text(M2_TRAIN)
    test = "prev_items,locale\n\"['B01' 'B01']\",FR\n['B02'],DE\n\"['B09' 'B02']\",FR\n"
    (folder / "sessions_test_task2_phase1.csv").write_text(test)
    (folder / "gt_task2.csv").write_text("next_item,locale\nB09,FR\nB01,DE\nB02,FR\n")
    products = "id,locale,title,price,brand,color,size,model,material,author,desc\n"
    for n in (1, 2, 3, 4, 5, 9):
        products += f'B0{n},FR,"Chose {n}, belle",1.0,Marque,,,,,,\nB0{n},DE,Ding,1.0,,,,,,,\n'
    (folder / "products_train.csv").write_text(products)


def write_zvuk(folder):
    """600 plays in Zvuk's schema; the last tenth in time brings new tracks."""
    rng = np.random.default_rng(0)
    n = 600
    track = np.where(np.arange(n) < 540, rng.integers(0, 12, n), rng.integers(8, 16, n))
    plays = pl.DataFrame(
        {
            "user_id": rng.integers(0, 15, n),
            "session_id": rng.integers(0, 10**9, n),
            "datetime": pl.Series(np.arange(n) * 1000 + 1_650_000_000_000).cast(pl.Datetime("ms")),
            "track_id": track + 127_000_000,
            "play_duration": rng.uniform(10, 300, n),
        }
    )
    plays.write_parquet(folder / "zvuk-interactions.parquet")
    vectors = pl.DataFrame(
        {
            "track_id": np.arange(16) + 127_000_000,
            "artist_id": np.arange(16),
            "cluster_id": np.zeros(16, dtype=int),
            "vector": rng.normal(size=(16, 8)).tolist(),
        }
    )
    pl.concat([vectors, vectors[:2]]).write_parquet(folder / "zvuk-track_artist_embedding.parquet")
    return plays, vectors
