"""The steps from a raw data set to a folder that RecBole and recbole_delta read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dataset_prep.atomic import check_ids, write_atomic
from dataset_prep.filters import n_core, sample_users, without_repeats
from dataset_prep.log import Log
from dataset_prep.protocols import PROTOCOLS
from dataset_prep.protocols.common import TEST, TRAIN, VALID, first_of_users
from dataset_prep.source import get_source
from dataset_prep.vectors import ContentOptions, ItemVectors, encode_items
from recbole_delta.content import write_content
from recbole_delta.errors import DeltaError
from recbole_delta.files import replacing_folder
from recbole_delta.instances import SPLITS


@dataclass(frozen=True)
class Filters:
    """What is kept of the raw interactions; applied in this order.

    Attributes:
        above: columns and bounds: only rows strictly above are kept (``{"rating": 3}``).
        users: how many users to draw; None for all.
        seed: of that draw.
        drop_repeats: of consecutive rows of a user with the same item keep the first.
        core: every user and item keeps at least this many rows.
    """

    above: Mapping[str, float] = field(default_factory=dict)
    users: int | None = None
    seed: int = 42
    drop_repeats: bool = False
    core: int = 1

    def read(self, rows: pl.LazyFrame, source: str) -> tuple[Log, list[dict[str, Any]]]:
        """The kept rows in order of time, and the counts after each step.

        Raises:
            DeltaError: as :meth:`Log.read`, or nothing is left.
        """
        log, raw = Log.read(rows, source, self.above)
        check_ids(log.users, "user_id")
        check_ids(log.items, "item_id")
        steps: list[dict[str, Any]] = [{"step": "raw", **raw}]
        log = log.in_order_of_time()
        if self.above:
            bounds = [f"{column} > {bound:g}" for column, bound in self.above.items()]
            steps.append(_counts(", ".join(bounds), log))
        if self.users is not None:
            log = sample_users(log, self.users, self.seed)
            steps.append(_counts(f"{self.users} users", log))
        if self.drop_repeats:
            log = without_repeats(log)
            steps.append(_counts("repeats dropped", log))
        if self.core > 1:
            log = n_core(log, self.core)
            steps.append(_counts(f"{self.core}-core", log))
        if not len(log):
            raise DeltaError(f"No interaction is left after {steps[-1]['step']}.")
        return log, steps


def prepare(
    source: str,
    out: str | Path,
    *,
    raw: str | Path | None = None,
    source_options: Mapping[str, Any] | None = None,
    name: str | None = None,
    filters: Filters | None = None,
    protocol: str = "item_holdout",
    protocol_options: Mapping[str, Any] | None = None,
    content: ContentOptions | None = None,
) -> Path:
    """Prepare a data set; the folder appears whole or not at all.

    Args:
        source: name of a raw format, see :data:`dataset_prep.SOURCES`.
        out: folder of data sets, RecBole's ``data_path``.
        raw: folder of the raw files; None for data that comes with RecBole.
        source_options: keyword arguments of the source, such as Amazon's category.
        name: of the prepared data set; by default the source and the protocol.
        filters: what is kept of the raw interactions.
        protocol: see :data:`dataset_prep.protocols.PROTOCOLS`.
        protocol_options: keyword arguments of the protocol.
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
    data = origin.read(Path(raw) if raw else None, source_options or {})
    first = data.files[0].name if data.files else source
    log, steps = (filters or Filters()).read(data.interactions, first)
    options = dict(protocol_options or {})
    log, split = PROTOCOLS[protocol](log, **options)
    steps.append(_counts(protocol, log))
    items = _flag_cold(data.items, log, split)
    targets = _count_targets(log, split)
    _require_targets(targets, name)
    vectors = encode_items(data, items, content or ContentOptions(), origin, Path(out))
    record = {
        "name": name,
        "source": source,
        "source_options": dict(source_options or {}),
        "protocol": protocol,
        "protocol_options": options,
        "order": "stable sort by timestamp; ties keep the order of the raw file",
        "steps": steps,
        "items": {"warm": int((items["is_cold"] == "0").sum()), "all": len(items)},
        "targets": targets,
        "content": vectors.described,
        "inputs": {path.name: _sha256(path) for path in data.files},
    }
    prepared = _Prepared(log, split, items, data.item_types, vectors, record)
    return prepared.write(Path(out), name)


@dataclass(frozen=True)
class _Prepared:
    log: Log
    split: np.ndarray
    items: pl.DataFrame
    item_types: Mapping[str, str]
    vectors: ItemVectors
    record: dict[str, Any]

    def write(self, out: Path, name: str) -> Path:
        with replacing_folder(out / name) as temporary:
            self._fill(temporary, name)
        return out / name

    def _fill(self, folder: Path, name: str) -> None:
        inter = {
            "user_id": "token",
            "item_id": "token",
            **dict.fromkeys(self.log.numbers(), "float"),
        }
        inter |= {"timestamp": "float", "split": "token"}
        item = {"item_id": "token", **self.item_types, "is_cold": "token", "train_count": "float"}
        write_atomic(self.log.frames(self.split, SPLITS), inter, folder / f"{name}.inter")
        write_atomic([self.items], item, folder / f"{name}.item")
        content = folder / f"{name}.content.{self.vectors.name}.safetensors"
        write_content(content, self.items["item_id"].to_list(), self.vectors.matrix)
        text = json.dumps(self.record, indent=2, ensure_ascii=False, default=str)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _check_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise DeltaError(f"name must be letters, digits, dots, - and _, but is {name!r}.")
    if name == "ml-100k":
        raise DeltaError(
            "name must not be ml-100k: RecBole silently reads its own copy of a data set so named."
        )
    return name


def _counts(step: str, log: Log) -> dict[str, Any]:
    return {"step": step, "rows": len(log), "users": log.n_users(), "items": log.n_items()}


def _flag_cold(items: pl.DataFrame, log: Log, split: np.ndarray) -> pl.DataFrame:
    """The items that occur, in order of appearance, with ``is_cold`` and ``train_count``.

    Raises:
        DeltaError: an item has no line, or two.
    """
    occurring = np.flatnonzero(np.bincount(log.item, minlength=len(log.items)))
    trained = np.bincount(log.item[split == TRAIN], minlength=len(log.items))[occurring]
    flagged = pl.DataFrame(
        {
            "item_id": log.items.gather(occurring),
            "is_cold": np.where(trained > 0, "0", "1"),
            "train_count": trained,
        }
    )
    described = items.filter(pl.col("item_id").is_in(flagged["item_id"].to_list()))
    double = described.filter(pl.col("item_id").is_duplicated())["item_id"]
    if len(double):
        raise DeltaError(f"Item {double[0]!r} occurs twice among the items; keep one.")
    missing = flagged.join(described, on="item_id", how="anti")["item_id"]
    if len(missing):
        raise DeltaError(f"There are no texts for {len(missing)} items, {missing[0]!r} among them.")
    return flagged.join(described, on="item_id", how="left", maintain_order="left")


def _count_targets(log: Log, split: np.ndarray) -> dict[str, dict[str, int]]:
    warm = np.bincount(log.item[split == TRAIN], minlength=len(log.items)) > 0
    first = first_of_users(log.user)
    counts = {}
    for name, code in (("valid", VALID), ("test", TEST)):
        targets = split == code
        n_warm = int(warm[log.item[targets]].sum())
        counts[name] = {
            "cold": int(targets.sum()) - n_warm,
            "warm": n_warm,
            "empty_history": int(targets[first].sum()),
        }
    return counts


def _require_targets(targets: dict[str, dict[str, int]], name: str) -> None:
    for group in ("cold", "warm"):
        if not targets["test"][group]:
            raise DeltaError(
                f"{name} would have no {group} test target; change the protocol's options."
            )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
