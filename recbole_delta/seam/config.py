"""RecBole's Config: our defaults in it, and a variant that evaluates nothing as code."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import recbole
import yaml
from recbole.config import Config

from recbole_delta.errors import DeltaError
from recbole_delta.seam.settings import refuse_unknown

RECBOLE = Path(recbole.__file__).parent
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


class RunConfig(Config):
    """RecBole's ``Config`` without its two surprises.

    RecBole's passes every string through ``eval`` and reads ``sys.argv`` of whatever program
    it runs in. This one takes values as they are, reads YAML with the safe loader, and
    refuses models and settings that do not exist.

    Raises:
        DeltaError: an unknown model or setting, or a YAML file that cannot be read.
    """

    def _build_yaml_loader(self) -> type[yaml.SafeLoader]:
        return YamlLoader

    def _convert_config_dict(self, config_dict: dict[str, Any]) -> dict[str, Any]:
        return config_dict

    def _load_cmd_line(self) -> dict[str, Any]:
        return {}

    def _load_config_files(self, file_list: list[str] | None) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for file in file_list or []:
            merged.update(_read_yaml(Path(file)))
        return merged

    def _get_model_and_dataset(self, model: Any, dataset: Any) -> tuple[str, type, str]:
        model = model or self.external_config_dict.get("model")
        dataset = dataset or self.external_config_dict.get("dataset")
        for name, value in (("model", model), ("dataset", dataset)):
            if not isinstance(value, str):
                raise DeltaError(f"Say which {name}: --{name}=NAME, or {name}: NAME in the YAML.")
        _require_model(model)
        return super()._get_model_and_dataset(model, dataset)

    def _set_default_parameters(self) -> None:
        try:
            super()._set_default_parameters()
        except (ValueError, TypeError, NotImplementedError, RuntimeError) as error:
            raise DeltaError(f"{_one_line(error)}.") from error


class YamlLoader(yaml.SafeLoader):
    """The safe loader, reading ``1e-3`` as the number that RecBole's users mean."""


YamlLoader.yaml_implicit_resolvers = {
    first: list(resolvers) for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
YamlLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def parse_setting(text: str) -> Any:
    """The value of ``--name=text``: a YAML scalar, list or mapping.

    Raises:
        DeltaError: it is not YAML.
    """
    try:
        return yaml.load(text, Loader=YamlLoader)
    except yaml.YAMLError as error:
        raise DeltaError(f"{text!r} is not a value: {_one_line(error)}.") from error


def add_defaults(config: Config, model: str, ours: bool) -> None:
    """Lay our defaults over RecBole's and switch off its pickled caches.

    Args:
        config: a Config that has just loaded RecBole's own defaults.
        model: the model's name.
        ours: whether the model is one of this package.

    Raises:
        DeltaError: a setting that nothing reads, or one that asks for a pickled cache.
    """
    config._update_internal_config_dict(properties() / "overall.yaml")
    if ours:
        config._update_internal_config_dict(properties() / "model" / f"{model}.yaml")
    if config.internal_config_dict.get("loss_type") == "CE":
        # RecBole's overall default samples negatives, which it then refuses under CE.
        config.internal_config_dict["train_neg_sample_args"] = None
    given = {**config.file_config_dict, **config.variable_config_dict}
    refuse_unknown(given, {*known_settings(), *config.internal_config_dict})
    for name in ("save_dataset", "save_dataloaders", "dataset_save_path", "dataloaders_save_path"):
        if config.external_config_dict.get(name) not in (None, False, NEVER):
            raise DeltaError(
                f"{name} is off: RecBole's pickled caches ignore the settings of recbole_delta."
            )
    for name in ("dataset_save_path", "dataloaders_save_path"):
        config.external_config_dict[name] = NEVER


@cache
def known_settings() -> frozenset[str]:
    """Every setting that RecBole's YAML files or ours list."""
    files = [*(RECBOLE / "properties").rglob("*.yaml"), *properties().rglob("*.yaml")]
    listed = {name for file in files if file.parent.name != "dataset" for name in _read_yaml(file)}
    sample = _read_yaml(RECBOLE / "properties" / "dataset" / "sample.yaml")
    return frozenset(listed | set(sample) | CALLER_SETTINGS)


def model_names() -> Iterator[str]:
    """Names of every model that RecBole has defaults for, and of ours."""
    for folder in (RECBOLE / "properties" / "model", properties() / "model"):
        yield from sorted(file.stem for file in folder.glob("*.yaml"))


def _require_model(name: str) -> None:
    """RecBole's own message for a misspelt model is an import error from elsewhere."""
    families = ("general", "context_aware", "sequential", "knowledge_aware", "exlib")
    modules = (f"recbole.model.{family}_recommender.{name.lower()}" for family in families)
    if name in model_names() and any(find_spec(module) for module in modules):
        return
    near = difflib.get_close_matches(name, list(model_names()), n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else "."
    raise DeltaError(f"Unknown model {name!r}{hint}")


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=YamlLoader)
    except OSError as error:
        raise DeltaError(f"Cannot read {path}: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DeltaError(f"{path} is not YAML: {_one_line(error)}.") from error
    if not isinstance(content, (dict, type(None))):
        raise DeltaError(f"{path} must hold settings, one 'name: value' a line.")
    return content or {}


def _one_line(error: Exception) -> str:
    return str(error).replace("\n", " ").strip().rstrip(".")
