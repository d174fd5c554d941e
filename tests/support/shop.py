"""A small ordinary RecBole data set of a made-up shop, and settings of quick runs on it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from support.datasets import SMALL

THEMES = ("warm bread", "old stones", "night trains", "green tea")

QUICK = {**SMALL, "epochs": 2, "train_batch_size": 16, "MAX_ITEM_LIST_LENGTH": 8, "state": "ERROR",
         "show_progress": False}  # fmt: skip


def settings(data: Path, **more: Any) -> dict[str, Any]:
    """Settings of a quick run on the data sets in ``data``."""
    return {**QUICK, "data_path": str(data), **more}


def write_shop(folder: Path) -> None:
    """Write ``shop.inter`` and ``shop.item`` as RecBole wants them.

    60 users stay with one theme each; 48 items have titles.
    """
    rng = np.random.default_rng(0)
    rows = []
    for user in range(60):
        mine = [i for i in range(48) if i % 4 == user % 4]
        rows += [
            (f"u{user}", f"B{i:03d}", int(rng.integers(1, 6))) for i in rng.permutation(mine)[:9]
        ]
    inter = pd.DataFrame(rows, columns=["user_id:token", "item_id:token", "rating:float"])
    inter["timestamp:float"] = rng.permutation(len(inter)) + 1_700_000_000
    items = pd.DataFrame({"item_id:token": [f"B{i:03d}" for i in range(48)]})
    items["title:token_seq"] = [f"{THEMES[i % 4]} volume {i}" for i in range(48)]
    items["brand:token"] = ["Acme", "Bolt"] * 24
    items["shelf:token"] = [f"{i:04d}-X" for i in range(48)]
    items["price:float"] = rng.random(48)
    folder.mkdir(parents=True)
    inter.to_csv(folder / "shop.inter", sep="\t", index=False)
    items.to_csv(folder / "shop.item", sep="\t", index=False)


def rename_columns(data: Path, **names: str) -> None:
    """``item_id="sku"`` gives the column of items another name, in both files."""
    for path in (data / "shop" / f"shop.{ending}" for ending in ("inter", "item")):
        head, _, rows = path.read_text().partition("\n")
        for old, new in names.items():
            head = re.sub(rf"\b{old}:", f"{new}:", head)
        path.write_text(f"{head}\n{rows}")
