"""From raw files to a folder that RecBole and recbole_delta read."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dataset_prep.encoders.encode_items import (
    ItemsWithoutContent,
    ItemVectors,
    check_texts,
    encode_items,
)
from dataset_prep.encoders.options import ContentOptions
from dataset_prep.errors import DeltaError
from dataset_prep.files import replacing_folder
from dataset_prep.format.atomic import write_atomic
from dataset_prep.format.content import write_content
from dataset_prep.format.fields import SPLITS
from dataset_prep.interactions.log import occurrences
from dataset_prep.place import check_name, check_place, hashes, other_preparation
from dataset_prep.protocols import PROTOCOLS
from dataset_prep.sources import get_source
from dataset_prep.sources.registry import RawData
from dataset_prep.steps import Filters, SplitLog, split_log


def prepare(
    source: str,
    out: str | Path,
    *,
    raw: str | Path | None = None,
    download: bool = False,
    source_options: Mapping[str, Any] | None = None,
    name: str | None = None,
    filters: Filters | None = None,
    protocol: str = "item_holdout",
    protocol_options: Mapping[str, Any] | None = None,
    content: ContentOptions | None = None,
    renews: bool = False,
) -> Path:
    """Prepare a data set; the folder appears whole or not at all.

    Args:
        source: name of a raw format, a key of :data:`dataset_prep.SOURCES`.
        out: folder of data sets, RecBole's ``data_path``.
        raw: folder of the raw files; None for data that comes with RecBole.
        download: download the raw files into ``out/.raw``, if their owner allows it.
        source_options: keyword arguments of the raw format, such as Amazon's category.
        name: name of the prepared data set; by default what the data are called (the raw format,
            or the name of your own data) and the protocol.
        filters: what is kept of the raw interactions; None for all.
        protocol: name of a protocol, a key of :data:`dataset_prep.protocols.PROTOCOLS`.
        protocol_options: keyword arguments of the protocol.
        content: how items become vectors; None for their texts by the default encoder.
        renews: a data set of this name may be replaced though its raw files have changed since.

    Returns:
        The folder ``out/name`` with ``name.inter``, ``name.item``,
        ``name.content.<encoder>.safetensors`` and ``name.json``, which says how they were made.

    Raises:
        DeltaError: an error in the input or in the options; no data set is written then.

    Example:
        The data set that comes with RecBole, reduced to 20 users:

        >>> import tempfile
        >>> from dataset_prep import Filters, prepare
        >>> with tempfile.TemporaryDirectory() as out:
        ...     folder = prepare("ml-100k", out, name="films", filters=Filters(users=20, core=8))
        ...     for path in sorted(folder.iterdir()):
        ...         print(path.name)
        films.content.all-MiniLM-L6-v2.safetensors
        films.inter
        films.item
        films.json
    """
    out, origin = Path(out), get_source(source)
    own_options, options = dict(source_options or {}), dict(protocol_options or {})
    origin.check(own_options)
    name = check_name(name or f"{origin.called(source, own_options)}-{protocol}")
    if protocol not in PROTOCOLS:
        raise DeltaError(f"protocol must be one of {' | '.join(PROTOCOLS)}, but is {protocol!r}.")
    filters, content = filters or Filters(), content or ContentOptions()
    if download:
        raw = origin.fetch(out / ".raw", own_options)
    data = origin.read(Path(raw) if raw else None, own_options)
    _check_fields(data)
    check_texts(data, content)
    origin.check_filtered(data, filters.above)
    inputs = hashes(data.files)
    replaced = check_place(out / name, source, data.files, inputs, renews)
    first = data.first or source
    without: dict[str, str] = {}
    while True:
        done = split_log(data.interactions, first, filters, protocol, options, without)
        targets = done.targets()
        # These hold no item out, or leave it training rows: there may be no cold target.
        may_lack_cold = protocol in ("leave_one_out", "global_time") or bool(options.get("shots"))
        _require_targets(targets, name, protocol, ("warm",) if may_lack_cold else ("cold", "warm"))
        try:
            items = _describe(data.items, done)
            vectors = encode_items(data, items, content, origin, out)
            break
        except ItemsWithoutContent as found:
            if content.without_content == "error":
                raise
            without |= found.reasons
    preparation = {
        "name": name,
        "source": source,
        "source_options": own_options,
        "filters": asdict(filters),
        "protocol": protocol,
        "protocol_options": options,
        "order": "stable sort by timestamp; ties keep the order of the raw file",
        "steps": done.steps,
        "items": {"warm": int((items["is_cold"] == "0").sum()), "all": len(items)},
        "targets": targets,
        "cold_share": done.cold_share,
        "content": vectors.described,
        "without_content": without,
        "inputs": inputs,
        "renews": renews,
        "versions": {name: version(name) for name in VERSIONS},
    }
    prepared = _Prepared(name, done, items, data, vectors, preparation)
    if replaced and (others := other_preparation(replaced, json.loads(prepared.record()))):
        print(f"Replaces {out / name}, prepared {others}.", file=sys.stderr)
    with replacing_folder(out / name) as folder:
        prepared.write(folder)
    return out / name


RESERVED = ("user_id", "item_id", "rating", "timestamp", "split", "is_cold", "train_count")
"""Fields that the written files have anyway, so that no field of the items may be so named."""

VERSIONS = ("recbole-delta", "polars", "numpy", "torch", "sentence-transformers")
"""Packages on whose versions the vectors and the split may depend."""


@dataclass(frozen=True)
class _Prepared:
    name: str
    done: SplitLog
    items: pl.DataFrame
    data: RawData
    vectors: ItemVectors
    preparation: dict[str, Any]

    def write(self, folder: Path) -> None:
        log, name = self.done.log, self.name
        inter = {"user_id": "token", "item_id": "token", **dict.fromkeys(log.numbers(), "float")}
        inter |= {"timestamp": "float", "split": "token"}
        write_atomic(log.frames(self.done.split, SPLITS), inter, folder / f"{name}.inter")
        types = self.data.item_types
        item = {"item_id": "token", **types, "is_cold": "token", "train_count": "float"}
        write_atomic([self.items], item, folder / f"{name}.item")
        content = folder / f"{name}.content.{self.vectors.name}.safetensors"
        write_content(content, self.items["item_id"].to_list(), self.vectors.matrix)
        (folder / f"{name}.json").write_text(self.record() + "\n", encoding="utf-8")

    def record(self) -> str:
        """The text of name.json."""
        return json.dumps(self.preparation, indent=2, ensure_ascii=False, default=str)


def _check_fields(data: RawData) -> None:
    """Refuse a field of the items whose name RecBole would misread, or that is reserved."""
    source = data.files[-1] if data.files else "The items"
    for name in data.item_types:
        if name in RESERVED or not re.fullmatch(r"[^\t\r\n:]+", name):
            raise DeltaError(
                f"{source} has a field {name!r}, which RecBole would misread; rename the column "
                f"(reserved: {', '.join(RESERVED)}; no colons, tabs or line ends)."
            )


def _describe(items: pl.DataFrame | None, done: SplitLog) -> pl.DataFrame:
    """The items that occur, in order of appearance, with ``is_cold`` and ``train_count``.

    Args:
        items: ``item_id`` and the fields of the items; None if there is no file of them.
        done: the interactions.

    Raises:
        ItemsWithoutContent: some items have no line in the file of items.
        DeltaError: an item has two lines that differ.
    """
    log, trained = done.log, done.train_counts()
    occurring = np.flatnonzero(occurrences(log.item, len(log.items)))
    flagged = pl.DataFrame(
        {
            "item_id": log.items.gather(occurring),
            "is_cold": np.where(trained[occurring] > 0, "0", "1"),
            "train_count": trained[occurring],
        }
    )
    if items is None:
        return flagged
    described = items.filter(pl.col("item_id").is_in(flagged["item_id"].to_list()))
    described = described.unique(maintain_order=True)
    double = described.filter(pl.col("item_id").is_duplicated())["item_id"]
    if len(double):
        raise DeltaError(f"Item {double[0]!r} occurs twice among the items; keep one.")
    missing = flagged.join(described, on="item_id", how="anti", maintain_order="left")["item_id"]
    if len(missing):
        reasons = dict.fromkeys(missing.to_list(), "the file of items has no line of it")
        raise ItemsWithoutContent(reasons, len(flagged))
    return flagged.join(described, on="item_id", how="left", maintain_order="left")


def _require_targets(
    targets: dict[str, dict[str, int]], name: str, protocol: str, groups: tuple[str, ...]
) -> None:
    for group in groups:
        if not targets["test"][group]:
            raise DeltaError(
                f"{name} would have no {group} test target under {protocol}: no user has one after "
                "what is trained on. Look whether the times are those of the interactions, or take "
                "another protocol (leave_one_out needs an order within users alone)."
            )
