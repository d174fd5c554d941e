"""Items that come later are encoded as the data set's own."""

from __future__ import annotations

import pytest

from dataset_prep.encoders.new_items import NewItems
from dataset_prep.encoders.text import TextEncoder
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
