"""Our defaults over RecBole's, and the names of all settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import recbole
from recbole.config import Config

from dataset_prep.errors import DeltaError, require
from recbole_delta.config.recbole_checks import given_checks
from recbole_delta.config.settings import own_settings, recipe_settings
from recbole_delta.config.yaml_file import read_yaml

RECBOLE = Path(recbole.__file__).parent
"""Folder of the installed RecBole."""

NEVER = str(Path(__file__) / "caches are off")
"""No file can exist below a file: RecBole finds no pickled cache at this path."""

CALLER_SETTINGS = frozenset(
    [
        "model",
        "dataset",
        "config_files",
        "encoding",
        "mask_ratio",
        "crop_eta",
        "reorder_beta",
        "local_rank",
        "nproc",
        "world_size",
        "ip",
        "port",
        "offset",
    ]
)
"""Settings that RecBole or its callers read but list in none of its YAML files."""


def properties() -> Path:
    """The folder of our YAML files: inside the installed package, or at the checkout's top."""
    package = Path(__file__).parents[1]
    installed = package / "properties"
    return installed if installed.is_dir() else package.parent / "properties"


def add_defaults(
    config: Config, model: type, has_item_embedding: bool, own: Mapping[str, Any]
) -> None:
    """Lay our defaults over RecBole's and switch off its pickled caches.

    Args:
        config: a Config that has just loaded RecBole's own defaults.
        model: class of the model.
        has_item_embedding: whether the model has the setting ``item_embedding``.
        own: defaults that were given when the model was registered.

    Raises:
        DeltaError: a setting that would be ignored, or one that asks for a pickled cache.
    """
    config._update_internal_config_dict(properties() / "overall.yaml")
    config.internal_config_dict.update(own_settings())
    for file in _model_defaults(model):
        config._update_internal_config_dict(file)
    config.internal_config_dict.update(own)
    wish = {**config.internal_config_dict, **config.external_config_dict}
    chosen = recipe_settings(wish["recipe"])
    config.internal_config_dict.update(chosen)
    if config.internal_config_dict.get("loss_type") == "CE":
        # RecBole's overall default samples negatives, which it then refuses under CE.
        config.internal_config_dict["train_neg_sample_args"] = None
    require(
        has_item_embedding or "item_embedding" not in given_settings(config),
        "item_embedding is a setting of our models with a backbone only.",
    )
    for name in ("save_dataset", "save_dataloaders", "dataset_save_path", "dataloaders_save_path"):
        if config.external_config_dict.get(name) not in (None, False, NEVER):
            raise DeltaError(
                f"{name} is off: RecBole's pickled caches ignore the settings of recbole_delta."
            )
    for name in ("dataset_save_path", "dataloaders_save_path"):
        config.external_config_dict[name] = NEVER


def given_settings(config: Config) -> dict[str, Any]:
    """What the user has set, values by the setting's name."""
    return {**config.file_config_dict, **config.variable_config_dict}


def user_checks(config: Config) -> Iterator[Callable[[], None]]:
    """Checks that no setting of the user is misspelt, one each.

    Args:
        config: a Config with our defaults in it.
    """
    known = {*known_settings(), *config.internal_config_dict}
    return given_checks(given_settings(config), known)


@cache
def known_settings() -> frozenset[str]:
    """Every setting that RecBole's YAML files or ours list."""
    files = [*(RECBOLE / "properties").rglob("*.yaml"), *properties().rglob("*.yaml")]
    listed = {name for file in files if file.parent.name != "dataset" for name in read_yaml(file)}
    sample = read_yaml(RECBOLE / "properties" / "dataset" / "sample.yaml")
    return frozenset(listed | set(sample) | CALLER_SETTINGS)


def _model_folders() -> tuple[Path, Path]:
    return RECBOLE / "properties" / "model", properties() / "model"


def _model_defaults(model: type) -> Iterator[Path]:
    """The files of a model; one without any has those of the class it extends."""
    for each in model.__mro__:
        files = [folder / f"{each.__name__}.yaml" for folder in _model_folders()]
        found = [file for file in files if file.is_file()]
        if found:
            yield from found
            return
