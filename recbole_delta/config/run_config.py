"""RecBole's Config: our defaults in it, and a variant that evaluates nothing as code."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

import yaml
from recbole.config import Config

from dataset_prep.errors import DeltaError, check_all, check_folder_name, text
from recbole_delta.compute.devices import own_device
from recbole_delta.config.defaults import NEVER, _model_folders, given_settings, user_checks
from recbole_delta.config.recbole_checks import check_metrics, recbole_checks
from recbole_delta.config.settings import DeltaSettings
from recbole_delta.config.yaml_file import YamlLoader, one_line, read_yaml


@cache
def _packaged(file: Path) -> dict[str, Any]:
    """A YAML file of RecBole's or ours, parsed once: five of them make up every Config."""
    return read_yaml(file)


class RunConfig(Config):
    """RecBole's ``Config`` without its three surprises.

    RecBole's passes every string through ``eval``, reads ``sys.argv`` of whatever program it runs
    in, and writes its ``gpu_id``, 0 by default, over ``CUDA_VISIBLE_DEVICES``. This one takes
    values as they are, reads YAML with the safe loader, chooses among the GPUs that are visible,
    and refuses models and settings that do not exist. Its arguments are those of RecBole's.

    Raises:
        DeltaError: an unknown model or setting, a value that RecBole cannot use, or a YAML file
            that cannot be read.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        with explained("a setting"):
            super().__init__(*args, **kwargs)
        own = partial(DeltaSettings.from_config, self)
        check_all(chain(user_checks(self), recbole_checks(self), [own]))

    def _build_yaml_loader(self) -> type[yaml.SafeLoader]:
        return YamlLoader

    def _update_internal_config_dict(self, file: str | Path) -> dict[str, Any]:
        settings = copy.deepcopy(_packaged(Path(file)))
        self.internal_config_dict.update(settings)
        return settings

    def _convert_config_dict(self, config_dict: dict[str, Any]) -> dict[str, Any]:
        return config_dict

    def _load_cmd_line(self) -> dict[str, Any]:
        return {}

    def _load_config_files(self, file_list: list[str] | None) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for file in file_list or []:
            merged.update(read_yaml(Path(file)))
        return merged

    def _get_model_and_dataset(self, model: Any, dataset: Any) -> tuple[str, type, str]:
        model = model or self.external_config_dict.get("model")
        dataset = dataset or self.external_config_dict.get("dataset")
        for name, value in (("model", model), ("dataset", dataset)):
            if value is None:
                raise DeltaError(f"Say which {name}: --{name}=NAME, or {name}: NAME in the YAML.")
            text(name, value)
        check_folder_name("dataset", dataset)
        _require_model(model)
        return super()._get_model_and_dataset(model, dataset)

    def _set_default_parameters(self) -> None:
        check_metrics(self.final_config_dict)
        super()._set_default_parameters()

    def _init_device(self) -> None:
        settings, given = self.final_config_dict, given_settings(self)
        if "local_rank" in given:
            raise DeltaError("local_rank is not yours to set: torchrun does, or nproc: N.")
        settings["gpu_id"] = given.get("gpu_id")  # RecBole's default is one GPU
        settings["device"] = own_device(settings["gpu_id"], settings["use_gpu"])
        settings["single_spec"], settings["local_rank"] = True, 0


def _require_model(name: str) -> None:
    """RecBole's own message for a misspelt model is an import error from elsewhere."""
    families = ("sequential", "general", "context_aware", "knowledge_aware")
    for family in families if name.isidentifier() else ():
        module = f"recbole.model.{family}_recommender.{name.lower()}"
        if find_spec(module) and hasattr(import_module(module), name):
            return
    names = sorted(file.stem for folder in _model_folders() for file in folder.glob("*.yaml"))
    near = difflib.get_close_matches(name, names, n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else "."
    raise DeltaError(f"Unknown model {name!r}{hint}")


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn whatever the block raises into a sentence: RecBole checks its input by failing.

    Args:
        what: what RecBole is given, for the message.

    Raises:
        DeltaError: the block has failed.
    """
    try:
        yield
    except DeltaError:
        raise
    except Exception as error:
        raise DeltaError(
            f"RecBole cannot use {what} ({type(error).__name__}: {one_line(error)})."
        ) from error


def run_settings(config: Any) -> dict[str, Any]:
    """What the user has set, with absolute paths: enough to build the Config again.

    Args:
        config: a RecBole ``Config``.
    """
    # Not resolve(): the name of a linked folder is the name of the data set.
    folder = Path(config["data_path"]).absolute().parent
    named = {"model": config["model"], "dataset": config["dataset"], "data_path": str(folder)}
    given = {k: v for k, v in config.external_config_dict.items() if v != NEVER}
    if given.get("content_file"):
        named["content_file"] = str(Path(given["content_file"]).resolve())
    return {**given, **named}
