"""Items that come later are encoded as the data set's own."""

from __future__ import annotations

import numpy as np
import pytest

from dataset_prep.encoders.new_items import NewItems
from dataset_prep.encoders.text import TextEncoder
from dataset_prep.format.content import write_content
from dataset_prep.sources.table import read_items
from recbole_delta import DeltaError


@pytest.mark.parametrize(
    "described", [[1], {"text": 5}, {"text": {"encoder": "x"}}, {"pictures": {}}, {"text": None}]
)
def test_a_spoilt_record_of_the_content_is_refused(described):
    with pytest.raises(DeltaError, match="does not say how its content was made"):
        NewItems(items="new.csv").encode(described)


def test_a_table_without_items_is_refused(tmp_path):
    (tmp_path / "new.csv").write_text("item_id,title\n")
    text = {
        "encoder": "some/model",
        "files": "",
        "template": "{title}",
        "prefix": "",
        "missing": "",
    }
    with pytest.raises(DeltaError, match=r"new.csv has a header and no items"):
        NewItems(items=tmp_path / "new.csv", cache=tmp_path).encode({"text": text})


@pytest.mark.parametrize("missing", ["", "None"])
def test_a_new_item_without_a_filled_field_is_refused(counting, tmp_path, missing):
    """Unless there is a text that stands for an empty field."""
    path = tmp_path / "new.csv"
    path.write_text("item_id,title,brand\na,,Acme\nb,,\n")
    files = TextEncoder("some/model", tmp_path).fingerprint
    text = {"encoder": "some/model", "files": files, "template": "{title}; {brand}"}
    text |= {"prefix": "query: ", "missing": missing}
    new = NewItems(items=path, cache=tmp_path)
    if missing:
        assert new.encode({"text": text}).tokens == ["a", "b"]
        assert set(counting.encoded) == {"query: None; Acme", "query: None; None"}
    else:
        with pytest.raises(DeltaError, match="of item 'b' are empty; fill one, or leave the item"):
            new.encode({"text": text})
        assert not counting.encoded


def test_own_and_ready_vectors_come_side_by_side_in_one_file(tmp_path):
    """As they stand in the data set: read twice, the file would have twice the dimension."""
    write_content(tmp_path / "both.safetensors", ["new"], np.arange(16.0)[None])
    new = NewItems(vectors=tmp_path / "both.safetensors")
    table = new.encode({"ready": {}, "own": {}})
    assert table.vectors.tolist() == [list(range(16))]


def test_a_recbole_file_of_items_may_have_stray_quotes(tmp_path):
    path = tmp_path / "new.item"
    path.write_text('item_id:token\ttitle:token_seq\na\t"Fast" and Furious\nb\tDundee"\n')
    table = read_items(path)
    assert table["title"].to_list() == ['"Fast" and Furious', 'Dundee"']
