"""YAML files of settings, read by the safe loader."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from dataset_prep.errors import DeltaError


class YamlLoader(yaml.SafeLoader):
    """The safe loader, reading ``1e-3`` and ``None`` as RecBole's users mean them, dates as text.

    Aliases may repeat a few settings, but not each other until no memory holds them.
    """

    def get_single_node(self) -> yaml.Node | None:
        """The document.

        Raises:
            yaml.YAMLError: it is huge once its aliases are expanded.
        """
        node = super().get_single_node()
        if node is not None:
            _expanded_size(node, {})
        return node

    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
        """A mapping of the document.

        Raises:
            yaml.YAMLError: a key is there twice; PyYAML would take the last one in silence.
        """
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                if (key.tag, key.value) in seen:
                    line = key.start_mark.line + 1
                    raise yaml.YAMLError(f"{key.value!r} is there again in line {line}; keep one")
                seen.add((key.tag, key.value))
        return node


_MERGE = "tag:yaml.org,2002:merge"
"""The key ``<<``, whose settings the others overrule."""

YamlLoader.yaml_implicit_resolvers = {
    first: [each for each in resolvers if each[0] != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
YamlLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)
YamlLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^None$"), ["N"])

YAML_FAULTS = (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What the loader raises over what is not YAML, or not settings."""

MAX_YAML = 2**20
"""The most characters of a YAML file, and values of it once its aliases are expanded."""


def _expanded_size(node: yaml.Node, known: dict[yaml.Node, int]) -> int:
    """Number of values of a node once its aliases are expanded."""
    if node not in known:
        known[node] = MAX_YAML  # until its own are counted, for one that holds itself
        inner = node.value if isinstance(node, yaml.CollectionNode) else ()
        pairs = isinstance(node, yaml.MappingNode)
        nodes = [each for pair in inner for each in pair] if pairs else inner
        known[node] = 1 + sum(_expanded_size(each, known) for each in nodes)
        if known[node] > MAX_YAML:
            raise yaml.YAMLError("its aliases stand for too much")
    return known[node]


def parse_setting(text: str) -> Any:
    """The value of ``--name=text`` on a command line.

    Args:
        text: a YAML scalar, list or mapping; nothing in it is executed.

    Raises:
        DeltaError: the text is not YAML.

    Example:
        >>> parse_setting("[10, 20]"), parse_setting("1e-3"), parse_setting("None")
        ([10, 20], 0.001, None)
    """
    try:
        return yaml.load(text, Loader=YamlLoader)
    except YAML_FAULTS as error:
        raise DeltaError(
            f"{text!r} is no YAML ({one_line(error)}); a text has quotes of its own, as in "
            "--val_interval='\"[3,inf)\"'."
        ) from error


def read_yaml(path: Path) -> dict[str, Any]:
    """The settings in a YAML file, by the safe loader.

    Args:
        path: path of the file.

    Returns:
        values by the setting's name; empty for an empty file.

    Raises:
        DeltaError: the file cannot be read, or does not hold settings.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_YAML + 1)
        if len(text) > MAX_YAML:
            raise DeltaError(f"{path} has over {MAX_YAML:,} characters, too many for settings.")
        content = yaml.load(text, Loader=YamlLoader)
    except OSError as error:
        raise DeltaError(f"Cannot read {path}: {error.strerror}.") from error
    except DeltaError:
        raise
    except YAML_FAULTS as error:
        raise DeltaError(f"{path} is not YAML: {one_line(error)}.") from error
    if not isinstance(content, (dict, type(None))):
        raise DeltaError(f"{path} must hold settings, one 'name: value' a line.")
    return content or {}


def one_line(error: Exception) -> str:
    """The message of an error on one line, to be part of a sentence."""
    return str(error).replace("\n", " ").strip().rstrip(".")
