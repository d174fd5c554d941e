"""What the settings of a run ask of dataset_prep, where the data set has to be prepared first."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from dataset_prep import ContentOptions, Filters
from dataset_prep.errors import DeltaError, one_of
from dataset_prep.protocols import PROTOCOLS, protocol_options
from recbole_delta.data.ordinary.fields import column_options
from recbole_delta.data.ordinary.filters import filters_asked, further_columns
from recbole_delta.data.ordinary.template import automatic_template

PATHS = {"vectors", "audio", "cache"}
"""Options of the content that are paths."""

FILES = {"vectors", "audio", "encoder"}
"""Options of the content that name files of the user's; an encoder may be the folder of one."""

HOW = {"cache", "devices", "workers"}
"""Options that change where and how fast content is made, but not what it is."""

KINDS: dict[Any, tuple[tuple[type, ...], str]] = {
    str: ((str,), "text; quote it in the YAML"),
    Path: ((str, Path), "a path"),
    bool: ((bool,), "True or False"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    Sequence[str]: ((list, tuple), "a list, such as [cpu]"),
}
"""What a YAML may hold for an option of this type, and what that is called."""


@dataclasses.dataclass(frozen=True)
class PrepareOptions:
    """What the settings of a run ask of :func:`dataset_prep.prepare`.

    Attributes:
        source: options of the source ``recbole`` but the name: the user's own names of columns.
        protocol: name of the protocol.
        protocol_options: its keyword arguments.
        filters: what is kept of the interactions.
        content: how items become vectors.
        suffix: ends the name of the prepared data set, another for all that is not default.
    """

    source: dict[str, str]
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
            DeltaError: an unknown option, a value that it cannot have, a filter that cannot be
                applied before the split, or items without any text.
        """
        if not isinstance(config["prepare"] or {}, Mapping):
            raise DeltaError(
                f"prepare must be options, such as {{core: 5}}, but is {config['prepare']!r}."
            )
        given = dict(config["prepare"] or {})
        protocol = given.pop("protocol", "item_holdout")
        one_of("prepare: protocol", protocol, tuple(PROTOCOLS))
        given = _checked(given, protocol)
        filters = filters_asked(config, given)
        content = _part(given, _names(ContentOptions))
        if config["content_file"] and not {"template", "audio", "encoder"} & content.keys():
            content.setdefault("vectors", config["content_file"])
        source = column_options(config)
        if numbers := further_columns(filters):
            source["numbers"] = numbers
        of_protocol = _part(given, protocol_options(protocol))
        others = _part(given, [name for name in _names(Filters) if name not in ("core", "above")])
        filters |= others
        made_of = {
            **{f"column {option}": name for option, name in source.items()},
            **{f"files of {name}": _state(Path(content[name])) for name in FILES & content.keys()},
            **filters,
            **of_protocol,
            **{name: value for name, value in content.items() if name not in HOW},
        }
        text = json.dumps(made_of, sort_keys=True, default=str)
        suffix = f"-{hashlib.sha256(text.encode()).hexdigest()[:6]}" if made_of else ""
        if not {"template", "vectors", "audio"} & content.keys():
            content["template"] = automatic_template(items, config["ITEM_ID_FIELD"])
        for name in PATHS & content.keys():
            content[name] = Path(content[name])
        return cls(
            source,
            protocol,
            of_protocol,
            Filters(**filters),
            ContentOptions(**{"without_content": "drop", **content}),
            suffix,
        )


def _checked(given: Mapping[str, Any], protocol: str) -> dict[str, Any]:
    """Options of filters, content and protocol that are there and have a value of their kind.

    Raises:
        DeltaError: an unknown option, or a value of another kind.
    """
    said = get_type_hints(PROTOCOLS[protocol])
    hints = {name: said.get(name, Any) for name in protocol_options(protocol)}
    for options in (Filters, ContentOptions):
        hints |= {name: get_type_hints(options)[name] for name in _names(options)}
    for name, value in given.items():
        if name not in hints:
            near = difflib.get_close_matches(str(name), hints, n=1)
            raise DeltaError(
                f"prepare: there is no option {name!r}"
                f"{f', did you mean {near[0]}?' if near else ';'} choose from protocol, "
                f"{', '.join(sorted(hints))}."
            )
        _check_kind(name, value, hints[name])
    return {name: value for name, value in given.items() if value is not None}


def _check_kind(name: str, value: Any, hint: Any) -> None:
    """Refuse a value that an option of this type cannot have; lists and mappings check theirs."""
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if value is None and not {NoneType, Any} & set(kinds):
        raise DeltaError(
            f"prepare: {name} is empty; leave it out, or give it a value (None without quotes is "
            f'nothing in a YAML, the word is {name}: "None").'
        )
    kind = kinds[0]
    fitting, called = KINDS.get(kind, ((object,), ""))
    truth = isinstance(value, bool) and kind in (int, float)
    if value is not None and (truth or not isinstance(value, fitting)):
        raise DeltaError(f"prepare: {name} must be {called}, but is {value!r}.")


def _state(path: Path) -> list[tuple[str, int, int]]:
    """Name, size and time of a file, or of all in a folder: they differ once one is changed."""
    # The ids of a matrix stand in a file of their own.
    beside = [path, path.with_suffix(".ids.txt")]
    files = sorted(path.rglob("*")) if path.is_dir() else beside
    stats = [(str(file.resolve()), file.stat()) for file in files if file.is_file()]
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]


def _names(options: type) -> list[str]:
    return [each.name for each in dataclasses.fields(options) if each.name != "audio_options"]


def _part(values: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: values[name] for name in names if name in values}
