"""What is written survives RecBole's reader."""

from __future__ import annotations

import re

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset_prep.errors import DeltaError
from dataset_prep.format.atomic import READ_AS_MISSING, check_ids, write_atomic

tokens = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)


@given(st.lists(tokens, min_size=1, max_size=6, unique=True))
@settings(max_examples=60, deadline=None)
def test_ids_survive_recboles_reader(tmp_path_factory, ids):
    """As Dataset._load_feat reads: quotes, spaces and leading zeros come back; the rest is refused."""
    path = tmp_path_factory.mktemp("atomic") / "x.item"
    frame = pl.DataFrame({"item_id": ids})
    try:
        check_ids(frame["item_id"], "item_id")
    except DeltaError:
        return
    write_atomic([frame], {"item_id": "token"}, path)
    back = pd.read_csv(path, delimiter="\t", dtype=str, engine="python", encoding="utf-8")
    assert back["item_id:token"].tolist() == ids


WHITESPACE = r"\x00\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""Unicode's and NUL; Python's own \\s counts four control characters among it."""


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


@given(st.lists(texts, min_size=1, max_size=6))
@settings(max_examples=100, deadline=None)
def test_texts_survive_recboles_reader_word_by_word(tmp_path_factory, texts):
    """Quotes, tabs and line ends included: RecBole splits a token_seq at single spaces."""
    path = tmp_path_factory.mktemp("atomic") / "x.item"
    frame = pl.DataFrame({"item_id": [f"i{n}" for n in range(len(texts))], "title": texts})
    write_atomic([frame], {"item_id": "token", "title": "token_seq"}, path)
    back = pd.read_csv(path, delimiter="\t", dtype=str, engine="python", encoding="utf-8")
    assert back["item_id:token"].tolist() == frame["item_id"].to_list()
    for text, read_back in zip(texts, back["title:token_seq"]):
        words = re.findall(rf"[^{WHITESPACE}]+", text)
        lost = " ".join(words) in READ_AS_MISSING
        assert (pd.isna(read_back) and lost) or read_back.split(" ") == words


@pytest.mark.parametrize("token", ["NA", "null", "None", "a\tb", "a\nb", "a\x00b", ""])
def test_ids_that_recbole_would_lose_are_refused(token):
    with pytest.raises(DeltaError, match=r"RecBole cannot read the item_id"):
        check_ids(pl.Series(["fine", token]), "item_id")
