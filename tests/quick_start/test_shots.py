"""Data sets that differ in shots: what their runs share, so that they are compared like with like."""

from __future__ import annotations

import pytest
import torch
from support.datasets import SMALL, planted

from recbole_delta.config.run_config import RunConfig
from recbole_delta.quick_start.build import make_parts

SHOTS = (0, 1, 3)


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """parts(shots, **settings): the parts of a run before it is trained."""
    out = tmp_path_factory.mktemp("shots")
    for shots in SHOTS:
        planted(shots=shots).write(out, f"tiny{shots}")

    def parts(shots, **settings):
        asked = {"data_path": str(out), "require_cold": False, "show_progress": False,
                 "state": "ERROR", "seed": 7, "MAX_ITEM_LIST_LENGTH": 8, **SMALL}  # fmt: skip
        return make_parts(RunConfig("SASRecDelta", f"tiny{shots}", None, {**asked, **settings}))

    return parts


@pytest.mark.parametrize("split", ["valid", "test"])
def test_targets_and_histories_are_the_same(parts, split):
    seen = []
    for shots in SHOTS:
        served = getattr(parts(shots), split).dataset
        items, users = served.item_tokens, served.field2id_token["user_id"]
        batch = served.batch(torch.arange(len(served)))
        cases = zip(batch["user_id"], batch["item_id"], batch["item_id_list"])
        seen.append({(users[u], items[i], *items[past[past > 0]]) for u, i, past in cases})
    assert len(seen[0]) == len(served)
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize("embedding", ["id", "delta"])
def test_the_backbone_starts_alike(parts, embedding):
    starts = [
        {k: v for k, v in parts(shots, item_embedding=embedding).model.state_dict().items()
         if not k.startswith("item_embedding.")}
        for shots in SHOTS
    ]  # fmt: skip
    assert len(starts[0]) > 10
    for other in starts[1:]:
        torch.testing.assert_close(other, starts[0], rtol=0, atol=0)
