"""What the settings of a run ask of dataset_prep, where the data set has to be prepared first."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import inspect
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from dataset_prep import ContentOptions, Filters
from dataset_prep.errors import DeltaError, one_of
from dataset_prep.protocols import PROTOCOLS

FIELDS = {"USER_ID_FIELD": "user_id", "ITEM_ID_FIELD": "item_id", "TIME_FIELD": "timestamp",
          "RATING_FIELD": "rating"}  # fmt: skip
"""Names of RecBole's fields in a prepared data set, by the setting that names them."""

_COLUMNS = {"user": "USER_ID_FIELD", "item": "ITEM_ID_FIELD", "time": "TIME_FIELD",
            "rating": "RATING_FIELD"}  # fmt: skip
"""The source's options that name the columns, and RecBole's settings."""

INTERVALS = ("user_inter_num_interval", "item_inter_num_interval")
"""RecBole's filters by the number of interactions."""

PATHS = {"vectors", "audio", "cache"}
"""Options of the content that are paths."""

FILES = {"vectors", "audio", "encoder"}
"""Options of the content that name files of the user's; an encoder may be the folder of one."""

WORD = re.compile(r"[^\W\d_]{3}")
"""Three letters in a row: what a text has, and most codes have not."""


@dataclasses.dataclass(frozen=True)
class PrepareOptions:
    """What the settings of a run ask of :func:`dataset_prep.prepare`.

    Attributes:
        columns: the user's own names of the columns, by the source's option for them.
        protocol: name of the protocol.
        protocol_options: its keyword arguments.
        filters: what is kept of the interactions.
        content: how items become vectors.
        suffix: ends the name of the prepared data set, another for all that is not default.
    """

    columns: dict[str, str]
    protocol: str
    protocol_options: dict[str, Any]
    filters: Filters
    content: ContentOptions
    suffix: str

    @classmethod
    def from_config(cls, config: Any, items: Path) -> PrepareOptions:
        """Read the setting ``prepare`` and RecBole's own filters.

        Args:
            config: a RecBole ``Config``.
            items: path of the data set's ``.item`` file, which need not be there.

        Raises:
            DeltaError: an unknown option, a filter that cannot be applied before the split, or
                items without any text.
        """
        if not isinstance(config["prepare"] or {}, Mapping):
            raise DeltaError(
                f"prepare must be options, such as {{core: 5}}, but is {config['prepare']!r}."
            )
        given = dict(config["prepare"] or {})
        protocol = given.pop("protocol", "item_holdout")
        one_of("prepare: protocol", protocol, tuple(PROTOCOLS))
        own = list(inspect.signature(PROTOCOLS[protocol]).parameters)[1:]
        of_filters = [each.name for each in dataclasses.fields(Filters)]
        of_content = [each.name for each in dataclasses.fields(ContentOptions)]
        known = {*own, *of_filters, *of_content} - {"audio_options"}
        for name in given:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                raise DeltaError(
                    f"prepare: there is no option {name!r}"
                    f"{f', did you mean {near[0]}?' if near else ';'} choose from protocol, "
                    f"{', '.join(sorted(known))}."
                )
        asked = _filters_of(config) | given
        content = {"without_content": "drop", **_part(asked, of_content)}
        if not {"template", "vectors", "audio"} & content.keys():
            content["template"] = _template(items)
        for name in PATHS & content.keys():
            content[name] = Path(content[name])
        columns = {
            option: config[setting]
            for option, setting in _COLUMNS.items()
            if config[setting] != FIELDS[setting]
        }
        made_of = {
            **asked,
            **{f"column {option}": name for option, name in columns.items()},
            **{f"files of {name}": _state(Path(content[name])) for name in FILES & content.keys()},
        }
        text = json.dumps(made_of, sort_keys=True, default=str)
        suffix = f"-{hashlib.sha256(text.encode()).hexdigest()[:6]}" if made_of else ""
        try:
            return cls(
                columns,
                protocol,
                _part(asked, own),
                Filters(**_part(asked, of_filters)),
                ContentOptions(**content),
                suffix,
            )
        except TypeError as error:
            raise DeltaError(f"prepare: a value is of another kind ({error}).") from error


def _state(path: Path) -> list[tuple[str, int, int]]:
    """Name, size and time of a file, or of all in a folder: they differ once one is changed."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    stats = [(str(file.resolve()), file.stat()) for file in files if file.is_file()]
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]


def _part(values: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    return {name: values[name] for name in names if name in values}


def _filters_of(config: Any) -> dict[str, Any]:
    """RecBole's own filters as options: ``core`` from the intervals of counts, ``above``."""
    found: dict[str, Any] = {}
    least = {math.ceil(_least(setting, config[setting] or "[0,inf)")) for setting in INTERVALS}
    if len(least) > 1:
        raise DeltaError(
            f"{' and '.join(INTERVALS)} ask for different counts; set prepare: {{core: N}}, "
            "which is for users and items alike."
        )
    if max(least) > 1:
        found["core"] = max(least)
    bounds = config["val_interval"] or {}
    if bounds:
        # Kept is what lies strictly above.
        found["above"] = {
            "rating" if field == config["RATING_FIELD"] else field: (
                math.nextafter(_least("val_interval", text), -math.inf)
                if str(text).startswith("[")
                else _least("val_interval", text)
            )
            for field, text in bounds.items()
        }
    return found


def _least(setting: str, interval: Any) -> float:
    """The lower end of RecBole's ``[5,inf)``; for ``(4,inf)`` of whole numbers that is 5."""
    match = re.fullmatch(r"([\[(])\s*(-?[\d.]+)\s*,\s*inf\s*\)", str(interval).strip())
    if match is None:
        raise DeltaError(
            f"{setting}: {interval!r} cannot be applied before the split, only intervals without "
            "an upper end, such as [5,inf); filter the data set, or prepare it with dataset_prep."
        )
    bound = float(match[2])
    return bound + 1 if setting in INTERVALS and match[1] == "(" else bound


def _template(items: Path) -> str:
    """All fields of ``.item`` that hold words, in their order.

    Raises:
        DeltaError: there are none.
    """
    if items.is_file():
        table = pd.read_csv(items, sep="\t", dtype=str, keep_default_na=False, nrows=1000,
                            encoding="utf-8-sig", on_bad_lines="skip")  # fmt: skip
        kinds = [column.partition(":")[::2] for column in table.columns]
        wordy = [
            field
            for column, (field, kind) in zip(table.columns, kinds)
            if kind in ("token", "token_seq") and _has_words(table[column])
        ]
        if wordy:
            return "; ".join(f"{{{field}}}" for field in wordy)
    lacks = "has no field with words in it" if items.is_file() else "is not there"
    raise DeltaError(
        f"{items} {lacks}; name what items are made of: prepare: {{template: "
        '"{title}"}, {vectors: FILE} or {audio: FOLDER}.'
    )


def _has_words(column: pd.Series) -> bool:
    filled = column[column.str.strip() != ""]
    return len(filled) > 0 and filled.str.contains(WORD).mean() > 0.5
