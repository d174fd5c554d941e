"""RecBole's Config: our defaults in it, and a variant that evaluates nothing as code."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import recbole
import yaml
from recbole.config import Config

from recbole_delta.errors import DeltaError, check_folder_name
from recbole_delta.seam.settings import check_given, check_metrics, check_settings

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
        DeltaError: an unknown model or setting, a value that RecBole cannot use, or a YAML file
            that cannot be read.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        with explained("a setting"):
            super().__init__(*args, **kwargs)
        check_settings(self)

    def _build_yaml_loader(self) -> type[yaml.SafeLoader]:
        return YamlLoader

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
            if not isinstance(value, str):
                raise DeltaError(f"{name} must be text, but is {value!r}; quote it in the YAML.")
        check_folder_name("dataset", dataset)
        _require_model(model)
        return super()._get_model_and_dataset(model, dataset)

    def _set_default_parameters(self) -> None:
        check_metrics(self.final_config_dict)
        super()._set_default_parameters()


class YamlLoader(yaml.SafeLoader):
    """The safe loader, reading ``1e-3`` and ``None`` as RecBole's users mean them.

    Aliases may repeat a few settings, but not each other until no memory holds them.
    """

    def get_single_node(self) -> yaml.Node | None:
        """The document; :class:`yaml.YAMLError` where it is huge when written out."""
        node = super().get_single_node()
        if node is not None:
            _written_out(node, {})
        return node


YAML_FAULTS = (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What the loader raises over what is not YAML, or not settings."""

MOST_YAML = 2**20
"""Characters of a YAML file, and values once its aliases are written out."""


def _written_out(node: yaml.Node, known: dict[yaml.Node, int]) -> int:
    """How many values a node stands for."""
    if node not in known:
        known[node] = MOST_YAML  # until its own are counted, for one that holds itself
        inner = node.value if isinstance(node, yaml.CollectionNode) else ()
        pairs = isinstance(node, yaml.MappingNode)
        nodes = [each for pair in inner for each in pair] if pairs else inner
        known[node] = 1 + sum(_written_out(each, known) for each in nodes)
        if known[node] > MOST_YAML:
            raise yaml.YAMLError("its aliases stand for too much")
    return known[node]


YamlLoader.yaml_implicit_resolvers = {
    first: list(resolvers) for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
YamlLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)
YamlLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^None$"), ["N"])


def parse_setting(text: str) -> Any:
    """The value of ``--name=text``: a YAML scalar, list or mapping.

    Raises:
        DeltaError: it is not YAML.
    """
    try:
        return yaml.load(text, Loader=YamlLoader)
    except YAML_FAULTS as error:
        raise DeltaError(f"{text!r} is not a value: {one_line(error)}.") from error


def add_defaults(
    config: Config, model: type, has_item_embedding: bool, own: Mapping[str, Any]
) -> None:
    """Lay our defaults over RecBole's and switch off its pickled caches.

    Args:
        config: a Config that has just loaded RecBole's own defaults.
        model: the model's class.
        has_item_embedding: whether it has the setting of this name.
        own: defaults that were given when it was registered.

    Raises:
        DeltaError: a setting that would be ignored, or one that asks for a pickled cache.
    """
    config._update_internal_config_dict(properties() / "overall.yaml")
    for file in _model_defaults(model):
        config._update_internal_config_dict(file)
    config.internal_config_dict.update(own)
    if config.internal_config_dict.get("loss_type") == "CE":
        # RecBole's overall default samples negatives, which it then refuses under CE.
        config.internal_config_dict["train_neg_sample_args"] = None
    given = {**config.file_config_dict, **config.variable_config_dict}
    known = {*known_settings(), *config.internal_config_dict}
    check_given(given, has_item_embedding, known)
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


def read_yaml(path: Path) -> dict[str, Any]:
    """The settings in a YAML file, by the safe loader.

    Raises:
        DeltaError: it cannot be read, or does not hold settings.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MOST_YAML + 1)
        if len(text) > MOST_YAML:
            raise DeltaError(f"{path} has over {MOST_YAML:,} characters, too many for settings.")
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


@contextmanager
def explained(what: str) -> Iterator[None]:
    """RecBole checks by failing, somewhere and somehow: say at least what it could not use.

    Raises:
        DeltaError: the block failed.
    """
    try:
        yield
    except DeltaError:
        raise
    except Exception as error:
        raise DeltaError(
            f"RecBole cannot use {what} ({type(error).__name__}: {one_line(error)})."
        ) from error


def one_line(error: Exception) -> str:
    """The message of an error as part of a sentence."""
    return str(error).replace("\n", " ").strip().rstrip(".")
