"""An ordinary RecBole data set is prepared on the way to a run: once, beside itself.

Whoever changes ``model: SASRec`` to ``model: SASRecDelta`` has ``name.inter`` and ``name.item`` as
RecBole wants them: no row says what it is for, and no item has a vector.
"""

from __future__ import annotations

import json
from logging import getLogger
from pathlib import Path
from typing import Any

from filelock import FileLock

from dataset_prep import prepare
from dataset_prep.errors import DeltaError
from dataset_prep.format.fields import SPLIT_FIELD
from dataset_prep.place import hashes
from recbole_delta.data.prepare_options import FIELDS, INTERVALS, PrepareOptions


def prepare_on_the_way(config: Any) -> None:
    """Point ``config`` at the prepared version of an ordinary data set, made now if need be.

    The setting ``prepare`` has options of :func:`dataset_prep.prepare` by name: ``protocol`` and
    its options, those of :class:`~dataset_prep.Filters` and of
    :class:`~dataset_prep.ContentOptions`. By default the protocol is ``item_holdout`` and the text
    of an item is all that its ``.item`` line has of words. RecBole's own filters of interactions
    are applied here, before the split.

    Args:
        config: a RecBole ``Config``; its data set, the names of its fields and its filters change,
            unless the data set is prepared already or is not there.

    Raises:
        DeltaError: an unknown option, or data that cannot be prepared.
    """
    name, folder = config["dataset"], Path(config["data_path"])
    inter = folder / f"{name}.inter"
    header = _header(inter) if inter.is_file() else ""
    if not header or SPLIT_FIELD in {column.split(":")[0] for column in header.split("\t")}:
        return
    if "," in header and "\t" not in header:
        raise DeltaError(f"{inter} has commas between its columns; RecBole's files have tabs.")
    options = PrepareOptions.from_config(config, folder / f"{name}.item")
    # RecBole's own copy of ml-100k lies among its code.
    out = folder.parent if name != "ml-100k" else Path(_asked(config, "data_path"))
    prepared = f"{name}-{options.protocol}{options.suffix}"
    out.mkdir(parents=True, exist_ok=True)
    with FileLock(out / f".{prepared}.lock"):
        if not _is_current(out / prepared, [inter, folder / f"{name}.item"]):
            source = {"name": name, **options.columns}
            prepare(
                "recbole", out, raw=folder, source_options=source, name=prepared,
                filters=options.filters, protocol=options.protocol,
                protocol_options=options.protocol_options,
                content=options.content, renews=True,
            )  # fmt: skip
    said = json.loads((out / prepared / f"{prepared}.json").read_text(encoding="utf-8"))
    getLogger().warning(_sentence(name, out / prepared, said))
    config["dataset"], config["data_path"] = prepared, str(out / prepared)
    applied = {**FIELDS, **dict.fromkeys((*INTERVALS, "val_interval"))}
    given = config.external_config_dict
    for setting, value in applied.items():
        config[setting] = value
        if setting in given:  # it is stored with the run, which stands on the prepared data set
            given[setting] = value


def _is_current(folder: Path, files: list[Path]) -> bool:
    """Whether the prepared folder is there and of these very files."""
    try:
        said = json.loads((folder / f"{folder.name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    found = hashes(each for each in files if each.is_file())
    return set(found.values()) <= set(said["inputs"].values())


def _asked(config: Any, setting: str) -> str:
    """A setting as it was given, before RecBole has changed it."""
    return str(config.external_config_dict.get(setting) or config.internal_config_dict[setting])


def _header(inter: Path) -> str:
    with inter.open(encoding="utf-8-sig", errors="replace") as file:
        return file.readline().rstrip("\n")


def _sentence(name: str, folder: Path, said: dict[str, Any]) -> str:
    """What was done, and how to change it."""
    made = [
        f"text {each['template']!r} by {each['encoder']}" if "template" in each else kind
        for kind, each in said["content"].items()
    ]
    left_out = len(said["without_content"])
    dropped = f", {left_out} items without content left out" if left_out else ""
    n = said["items"]
    return (
        f"{name} is prepared for cold start in {folder}: protocol {said['protocol']}, "
        f"content from {' and '.join(made)}, "
        f"{n['warm']} warm and {n['all'] - n['warm']} cold items{dropped}; to change it: "
        "prepare: {protocol: ..., template: ..., encoder: ..., core: ...}."
    )
