"""The steps from a raw data set to a folder that RecBole and recbole_delta read."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dataset_prep.atomic import write_atomic
from dataset_prep.filters import min_rating, n_core
from dataset_prep.protocols import PROTOCOLS
from dataset_prep.source import RawData, get_source
from dataset_prep.text import DEFAULT_ENCODER, TextEncoder, item_texts
from recbole_delta.content import write_content
from recbole_delta.errors import DeltaError


@dataclass(frozen=True)
class ContentOptions:
    """How items become vectors.

    Attributes:
        encoder: a sentence-transformers model by name or path.
        template: the text of an item; None for the source's own.
        cache: folder of the encodings; None for ``.content`` beside the data sets.
    """

    encoder: str = DEFAULT_ENCODER
    template: str | None = None
    cache: Path | None = None


def prepare(
    source: str,
    out: str | Path,
    *,
    raw: str | Path | None = None,
    name: str | None = None,
    protocol: str = "item_holdout",
    protocol_options: Mapping[str, Any] | None = None,
    rating_above: float | None = None,
    core: int = 1,
    content: ContentOptions = ContentOptions(),
) -> Path:
    """Prepare a data set; the folder appears whole or not at all.

    Args:
        source: name of a raw format, see :data:`dataset_prep.SOURCES`.
        out: folder of data sets, RecBole's ``data_path``.
        raw: folder of the raw files; None for data that comes with RecBole.
        name: of the prepared data set; by default the source and the protocol.
        protocol: see :data:`dataset_prep.protocols.PROTOCOLS`.
        protocol_options: keyword arguments of the protocol.
        rating_above: keep ratings strictly above it.
        core: every user and item keeps at least this many rows.
        content: how items become vectors.

    Returns:
        The folder ``out/name`` with ``name.inter``, ``name.item``,
        ``name.content.<encoder>.safetensors`` and the record ``name.json``.

    Raises:
        DeltaError: bad input or options; nothing is written then.
    """
    origin = get_source(source)
    name = _check_name(name or f"{source}-{protocol}")
    if protocol not in PROTOCOLS:
        raise DeltaError(f"protocol must be one of {' | '.join(PROTOCOLS)}, but is {protocol!r}.")
    data = origin.read(Path(raw) if raw else None)
    steps = [_counts("raw", data.interactions)]
    rows = data.interactions.sort_values("timestamp", kind="stable", ignore_index=True)
    if rating_above is not None:
        rows = min_rating(rows, rating_above)
        steps.append(_counts(f"rating > {rating_above:g}", rows))
    if core > 1:
        rows = n_core(rows, core)
        steps.append(_counts(f"{core}-core", rows))
    if rows.empty:
        raise DeltaError(f"No interaction of {source} is left after {steps[-1]['step']}.")
    options = dict(protocol_options or {})
    rows = PROTOCOLS[protocol](rows, **options)
    steps.append(_counts(protocol, rows))
    items = _flag_cold(data.items, rows)
    targets = _count_targets(rows, items)
    _require_targets(targets, name)
    encoder = TextEncoder(content.encoder, content.cache or Path(out) / ".content")
    template = content.template or origin.template
    vectors = encoder.encode(item_texts(items, template))
    record = {
        "name": name,
        "source": source,
        "protocol": protocol,
        "protocol_options": options,
        "order": "stable sort by timestamp; ties keep the order of the raw file",
        "steps": steps,
        "items": {"warm": int((items["is_cold"] == "0").sum()), "all": len(items)},
        "targets": targets,
        "content": {**asdict(content), "template": template, "cache": None},
        "inputs": {path.name: _sha256(path) for path in data.files},
    }
    return _write(Path(out), name, data, rows, items, encoder.name, vectors, record)


def _check_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise DeltaError(f"name must be letters, digits, dots, - and _, but is {name!r}.")
    if name == "ml-100k":
        raise DeltaError(
            "name must not be ml-100k: RecBole silently reads its own copy of a data set so named."
        )
    return name


def _counts(step: str, rows: pd.DataFrame) -> dict[str, Any]:
    users, items = rows["user_id"].nunique(), rows["item_id"].nunique()
    return {"step": step, "rows": len(rows), "users": users, "items": items}


def _flag_cold(items: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The items that occur, with ``is_cold`` and ``train_count``."""
    occurring = items[items["item_id"].isin(set(rows["item_id"]))]
    missing = set(rows["item_id"]) - set(occurring["item_id"])
    if missing:
        raise DeltaError(
            f"There are no texts for {len(missing)} items, {min(missing)!r} among them."
        )
    double = occurring.loc[occurring["item_id"].duplicated(), "item_id"]
    if len(double):
        raise DeltaError(f"Item {double.iloc[0]!r} occurs twice among the items; keep one.")
    counts = rows.loc[rows["split"] == "train", "item_id"].value_counts()
    trained = occurring["item_id"].map(counts).fillna(0).astype(int)
    return occurring.assign(is_cold=np.where(trained > 0, "0", "1"), train_count=trained)


def _count_targets(rows: pd.DataFrame, items: pd.DataFrame) -> dict[str, dict[str, int]]:
    cold = set(items.loc[items["is_cold"] == "1", "item_id"])
    first = ~rows["user_id"].duplicated()
    counts = {}
    for split in ("valid", "test"):
        targets = rows[rows["split"] == split]
        n_cold = int(targets["item_id"].isin(cold).sum())
        counts[split] = {
            "cold": n_cold,
            "warm": len(targets) - n_cold,
            "empty_history": int(first[targets.index].sum()),
        }
    return counts


def _require_targets(targets: dict[str, dict[str, int]], name: str) -> None:
    for group in ("cold", "warm"):
        if not targets["test"][group]:
            raise DeltaError(
                f"{name} would have no {group} test target; change the protocol's options."
            )


def _write(
    out: Path,
    name: str,
    data: RawData,
    rows: pd.DataFrame,
    items: pd.DataFrame,
    encoder: str,
    vectors: np.ndarray,
    record: dict[str, Any],
) -> Path:
    """Fill a temporary folder, then rename it."""
    folder, temporary = out / name, out / f".{name}.{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        inter_types = {"user_id": "token", "item_id": "token"}
        if "rating" in rows:
            inter_types["rating"] = "float"
        inter_types |= {"timestamp": "float", "split": "token"}
        item_types = {"item_id": "token", **data.item_types}
        item_types |= {"is_cold": "token", "train_count": "float"}
        write_atomic(rows, inter_types, temporary / f"{name}.inter")
        write_atomic(items, item_types, temporary / f"{name}.item")
        content = temporary / f"{name}.content.{encoder}.safetensors"
        write_content(content, items["item_id"].tolist(), vectors)
        text = json.dumps(record, indent=2, ensure_ascii=False, default=str)
        (temporary / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
