"""Items that come later are encoded as the data set's own."""

from __future__ import annotations

import pytest

from dataset_prep.encoders.new_items import NewItems
from recbole_delta import DeltaError


@pytest.mark.parametrize(
    "described", [[1], {"text": 5}, {"text": {"encoder": "x"}}, {"pictures": {}}, {"text": None}]
)
def test_a_spoilt_record_of_the_content_is_refused(described):
    with pytest.raises(DeltaError, match="does not say how its content was made"):
        NewItems(items="new.csv").encode(described)
