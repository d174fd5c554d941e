"""An ordinary RecBole data set is prepared on the way to a run: once, beside itself.

Whoever changes ``model: SASRec`` to ``model: SASRecDelta`` has ``name.inter`` and ``name.item`` as
RecBole wants them: no row says what it is for, and no item has a vector.
"""

from __future__ import annotations

import codecs
import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from logging import getLogger
from pathlib import Path
from typing import Any

from filelock import FileLock

from dataset_prep import prepare
from dataset_prep.errors import DeltaError
from dataset_prep.format.fields import SPLIT_FIELD, column_names
from dataset_prep.place import check_name, differences, digests, hashes, record_of
from dataset_prep.protocols import protocol_options
from dataset_prep.sources import SOURCES
from recbole_delta.data.ordinary.fields import FIELDS, rename_columns, set_everywhere
from recbole_delta.data.ordinary.filters import FILTERS
from recbole_delta.data.ordinary.options import PrepareOptions


def prepare_on_the_way(config: Any) -> None:
    """Point ``config`` at the prepared version of an ordinary data set, made now if need be.

    The setting ``prepare`` has options of :func:`dataset_prep.prepare` by name: ``protocol`` and
    its options, those of :class:`~dataset_prep.Filters` and of
    :class:`~dataset_prep.ContentOptions`. By default the protocol is ``item_holdout`` and the text
    of an item is all that its ``.item`` line has of words. RecBole's own filters of interactions
    are applied here, before the split.

    Args:
        config: a RecBole ``Config``; its data set, its names of columns and its filters change,
            unless the data set is prepared already or is not there.

    Raises:
        DeltaError: an unknown option, or data that cannot be prepared.
    """
    name, folder = config["dataset"], Path(config["data_path"])
    if config["benchmark_filename"]:
        raise DeltaError(
            f"benchmark_filename is not read: put all rows into {folder / name}.inter, and choose "
            "which row is for what by prepare: {protocol: ...} (leave_one_out is RecBole's LS)."
        )
    inter = folder / f"{name}.inter"
    header = _header(inter) if inter.is_file() else ""
    columns = column_names(header)
    if not header or SPLIT_FIELD in columns:
        _as_it_is(config, columns)
        return
    _check_form(config, header, inter)
    options = PrepareOptions.from_config(config, folder / f"{name}.item")
    # RecBole's own copy of ml-100k lies among its code.
    out = folder.parent if name != "ml-100k" else Path(_asked(config, "data_path"))
    prepared = _prepared_name(name, options)
    if not _is_current(out / prepared, folder, name, options):
        with _own_place(out, prepared, folder):
            if not _is_current(out / prepared, folder, name, options):
                prepare(
                    "recbole", out, raw=folder, source_options={"name": name, **options.source},
                    name=prepared, filters=options.filters, protocol=options.protocol,
                    protocol_options=options.protocol_options, content=options.content,
                    renews=True,
                )  # fmt: skip
    said = record_of(out / prepared)
    assert said is not None
    getLogger().warning(_sentence(name, out / prepared, said))
    config["dataset"], config["data_path"] = prepared, str(out / prepared)
    rename_columns(config)
    done = [*FILTERS, "prepare"]
    if config["content_file"] and options.content.vectors == Path(config["content_file"]):
        done.append("content_file")  # its vectors are the prepared data set's content
    for setting in done:
        set_everywhere(config, setting, None)


def _as_it_is(config: Any, columns: set[str]) -> None:
    """Take a data set that is prepared already, or is not there."""
    if config["prepare"]:
        getLogger().warning(
            f"prepare is not read: {config['dataset']} is a prepared data set already; its "
            "name.json says how."
        )
    needed = [setting for setting in FIELDS if setting != "RATING_FIELD"]
    theirs, ours = ({config[each] for each in needed}, {FIELDS[each] for each in needed})
    if not theirs <= columns and ours <= columns:
        getLogger().warning(
            f"{config['dataset']} has no {' and '.join(sorted(theirs - columns))}: it is a "
            f"prepared data set, whose columns are {', '.join(FIELDS.values())}, so these are read."
        )
        rename_columns(config)


def _check_form(config: Any, header: str, inter: Path) -> None:
    """Refuse files that are RecBole's, but cannot be prepared.

    Raises:
        DeltaError: commas between the columns, another encoding, or further files of features.
    """
    if config["field_separator"] != "\t":
        raise DeltaError(
            f"field_separator: {inter.with_suffix('')}.* must have tabs between columns to be "
            f"prepared, but it is {config['field_separator']!r}; rewrite them with tabs."
        )
    if "," in header and "\t" not in header:
        raise DeltaError(f"{inter} has commas between its columns; RecBole's files have tabs.")
    encoding = codecs.lookup(config["encoding"] or "utf-8").name
    if encoding not in ("utf-8", "utf-8-sig", "ascii"):
        raise DeltaError(
            f"{inter.with_suffix('')}.* must be UTF-8 to be prepared, but encoding is "
            f"{config['encoding']}: iconv -f {config['encoding']} -t utf-8, then leave it out."
        )
    if config["additional_feat_suffix"]:
        raise DeltaError(
            f"additional_feat_suffix: a prepared data set has .inter and .item alone; put what "
            f"describes items into {inter.with_suffix('.item').name}, and leave it out."
        )


def _prepared_name(name: str, options: PrepareOptions) -> str:
    try:
        return check_name(f"{name}-{options.protocol}{options.suffix}")
    except DeltaError as error:
        raise DeltaError(
            f"The data set's name {name!r} can be no part of a prepared one's; rename its folder "
            "and files with letters, digits, dots, - and _."
        ) from error


@contextmanager
def _own_place(out: Path, prepared: str, folder: Path) -> Iterator[None]:
    """Only one process at a time makes a prepared data set, in a folder that can be written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / f".{prepared}.lock")
        lock.acquire()
    except OSError as error:
        raise DeltaError(
            f"{folder.name} is prepared beside itself, but {out} cannot be written "
            f"({error.strerror}); copy it, or prepare it elsewhere: python -m dataset_prep "
            f"recbole --raw {folder} --set name={folder.name} --out DIR."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _is_current(made: Path, folder: Path, name: str, options: PrepareOptions) -> bool:
    """Whether the prepared data set is there, of these very files and options.

    Raises:
        DeltaError: it was made by the command, with other options.
    """
    record = record_of(made)
    if record is None:
        return False
    files = [folder / f"{name}.{suffix}" for suffix in ("inter", "item")]
    found = hashes(each for each in files if each.is_file())
    same_files = sorted(found.values()) == digests(record)
    asked: dict[str, Any] = {
        "source_options": {"name": name, **options.source},
        "filters": dataclasses.asdict(options.filters),
        "protocol": options.protocol,
        "protocol_options": options.protocol_options,
    }
    there = {kind: record.get(kind) for kind in asked}
    defaults = {
        "source_options": SOURCES["recbole"].options(),
        "protocol_options": protocol_options(options.protocol),
    }
    for kind, values in defaults.items():
        there[kind], asked[kind] = values | (there[kind] or {}), values | asked[kind]
    if same_files and not options.suffix:
        text = record.get("content", {}).get("text", {})
        there["content"] = {"template": text.get("template")}
        asked["content"] = {"template": options.content.template}
    differing = differences(there, json.loads(json.dumps(asked, default=str)))
    if differing and not record.get("renews"):
        raise DeltaError(
            f"{made} was prepared with {', '.join(differing)}, which this run does not ask for; "
            f"say dataset: {made.name} to run on it as it is, or remove it, or prepare it under "
            "another --name."
        )
    return same_files and not differing


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
