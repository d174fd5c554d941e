"""The columns of an ordinary data set have its owner's names, those of a prepared one have ours."""

from __future__ import annotations

from typing import Any

FIELDS = {"USER_ID_FIELD": "user_id", "ITEM_ID_FIELD": "item_id", "TIME_FIELD": "timestamp",
          "RATING_FIELD": "rating"}  # fmt: skip
"""Names of RecBole's fields in a prepared data set, by the setting that names them."""

_OPTIONS = {"user": "USER_ID_FIELD", "item": "ITEM_ID_FIELD", "time": "TIME_FIELD",
            "rating": "RATING_FIELD"}  # fmt: skip
"""The source's options that name the columns, and RecBole's settings."""

_LISTS = ("normalize_field", "selected_features", "numerical_features")
"""RecBole's settings that are names of columns."""

_LISTS_OF_FILES = ("load_col", "unload_col")
"""RecBole's settings that are names of columns for each kind of file."""

_BY_NAME = ("threshold",)
"""RecBole's settings that are values by the name of a column."""


def new_names(config: Any) -> dict[str, str]:
    """What the columns are called in the prepared data set, by the owner's names.

    Args:
        config: a RecBole ``Config``.
    """
    return {config[setting]: name for setting, name in FIELDS.items()}


def column_options(config: Any) -> dict[str, str]:
    """Options of the source ``recbole``: the owner's names of columns, where they are others.

    Args:
        config: a RecBole ``Config``.
    """
    return {
        option: config[setting]
        for option, setting in _OPTIONS.items()
        if config[setting] != FIELDS[setting]
    }


def rename_columns(config: Any) -> None:
    """Put the prepared data set's names of columns into all settings that name some.

    Args:
        config: a RecBole ``Config``; what is stored of it with a run changes too.
    """
    names = new_names(config)
    changed: dict[str, Any] = dict(FIELDS)
    for setting in _LISTS:
        changed[setting] = _renamed(config[setting], names)
    for setting in _LISTS_OF_FILES:
        of_files = config[setting]
        if isinstance(of_files, dict):
            changed[setting] = {file: _renamed(each, names) for file, each in of_files.items()}
    for setting in _BY_NAME:
        values = config[setting]
        if isinstance(values, dict):
            changed[setting] = {names.get(name, name): value for name, value in values.items()}
    for setting, value in changed.items():
        if setting in FIELDS or config[setting] is not None:
            set_everywhere(config, setting, value)


def set_everywhere(config: Any, setting: str, value: Any) -> None:
    """Change a setting, and what is stored of it with a run, which stands on the prepared data.

    Args:
        config: a RecBole ``Config``.
        setting: the setting's name.
        value: its new value.
    """
    config[setting] = value
    if setting in config.external_config_dict:
        config.external_config_dict[setting] = value


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, (list, tuple)):
        return [_renamed(each, names) for each in value]
    return value
