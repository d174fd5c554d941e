"""What the README shows can be run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
from support.paths import CHECKOUT

import recbole_delta
from recbole_delta.cli.main import main


def snippets(section):
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    [body] = re.findall(rf"\n## {section}\n(.*?)\n## ", text, re.DOTALL)
    return re.findall(r"```python\n(.*?)```", body, re.DOTALL)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.* of .* histories hold a cold item:UserWarning")
def test_what_comes_after_training(ml_100k):
    settings = {"data_path": str(ml_100k.parent), "epochs": 1, "show_progress": False,
                "state": "ERROR", "hidden_size": 16}  # fmt: skip
    result = recbole_delta.run("SASRecDelta", ml_100k.name, settings=settings)
    items = pl.read_csv(ml_100k / f"{ml_100k.name}.item", separator="\t", infer_schema=False)
    items = items.rename({name: name.split(":")[0] for name in items.columns})
    items.head(2).with_columns(item_id=pl.Series(["new-1", "new-2"])).write_csv("new.csv")
    recbole_delta.Recommender(result.checkpoint).save("today.safetensors")
    of_python, of_onnx = snippets("After training")
    names = {}
    exec(of_python, names)
    assert {"new-1", "new-2"} <= set(names["recommender"].items)
    tomorrow = recbole_delta.Recommender("tomorrow.safetensors")
    assert "181" not in tomorrow.items
    assert Path("exported").exists() is False
    main(["export", "today.safetensors", "--to", "exported"])
    names = {}
    exec(of_onnx, names)
    today = recbole_delta.Recommender("today.safetensors")
    [expected] = today.recommend([["50", "174"]], k=10, exclude_seen=False)
    assert names["best"] == [each.item for each in expected]
