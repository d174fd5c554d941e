"""Reading interactions."""

from __future__ import annotations

from support.datasets import as_polars, random_interactions

from dataset_prep.interactions.log import Log


def test_reading_keeps_rows_and_numbers_tokens_by_appearance():
    rows = random_interactions(5, n=500)
    log, raw = Log.read(as_polars(rows).lazy(), "rows")
    assert raw == {"rows": 500, "users": 20, "items": 25}
    assert log.users.gather(log.user).to_list() == rows["user_id"].tolist()
    assert log.items.to_list() == list(dict.fromkeys(rows["item_id"]))
