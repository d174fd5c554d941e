"""Texts to vectors: what is encoded, how often, and by whom."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from support.encoders import CountingModel

import dataset_prep.encoders.text
from dataset_prep.encoders.text import DEFAULT_ENCODER, TextEncoder, item_texts
from dataset_prep.errors import DeltaError


def test_a_text_is_encoded_once_however_often_it_occurs(counting, tmp_path):
    encoder = TextEncoder("some/model", tmp_path)
    first = encoder.encode(["aa", "b", "aa", ""])
    assert sorted(counting.encoded) == ["", "aa", "b"]
    again = encoder.encode(["b", "ccc", "aa"])
    assert counting.encoded[3:] == ["ccc"]
    np.testing.assert_array_equal(again[[2, 0]], first[[0, 1]])


def test_models_of_one_name_do_not_share_a_cache(counting, tmp_path):
    for model in ("one/model", "other/model"):
        TextEncoder(model, tmp_path).encode(["a"])
    assert counting.encoded == ["a", "a"]


def test_vectors_are_those_of_a_plain_loop(tmp_path):
    from sentence_transformers import SentenceTransformer

    texts = [f"{'long ' * (n % 9)}title {n}" for n in range(40)]
    encoder = TextEncoder(DEFAULT_ENCODER, tmp_path)
    model = SentenceTransformer(encoder.path)
    plain = np.stack([model.encode(text, show_progress_bar=False) for text in texts])
    ours = encoder.encode(texts)
    cosine = (ours * plain).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(plain, axis=1)
    assert cosine.min() > 1 - 1e-5


@pytest.mark.slow
@pytest.mark.subprocess
def test_two_processes_give_the_vectors_of_one(tmp_path):
    texts = [f"title {n} " + "word " * (n % 13) for n in range(60)]
    alone = TextEncoder(DEFAULT_ENCODER, tmp_path / "one").encode(texts)
    shared = TextEncoder(DEFAULT_ENCODER, tmp_path / "two", ["cpu", "cpu"]).encode(texts)
    np.testing.assert_allclose(shared, alone, atol=1e-5)


def test_a_killed_encoding_goes_on_where_it_stopped(counting, tmp_path, monkeypatch):
    monkeypatch.setattr(dataset_prep.encoders.text, "CHUNK", 2)
    texts = ["eeeee", "dddd", "ccc", "bb", "a"]

    class Killed(CountingModel):
        def encode(self, texts, batch_size, show_progress_bar):
            if len(self.encoded) == 4:
                raise KeyboardInterrupt
            return super().encode(texts, batch_size, show_progress_bar)

    import sentence_transformers

    monkeypatch.setattr(sentence_transformers, "SentenceTransformer", Killed)
    with pytest.raises(KeyboardInterrupt):
        TextEncoder("some/model", tmp_path).encode(texts)
    monkeypatch.setattr(sentence_transformers, "SentenceTransformer", CountingModel)
    TextEncoder("some/model", tmp_path).encode(texts)
    assert counting.encoded == texts


def test_a_missing_field_is_empty_and_an_unknown_one_refused():
    items = pl.DataFrame({"title": ["A", None], "year": ["1999", "2001"]})
    assert item_texts(items, "{title} ({year}), {title}") == ["A (1999), A", " (2001), "]
    with pytest.raises(DeltaError, match="no field 'brand'; the fields are title, year"):
        item_texts(items, "{brand}")
