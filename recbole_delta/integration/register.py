"""Makes our models known to an unmodified RecBole."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import recbole.data.dataset
import recbole.evaluator.register as metric_register
import recbole.model
import recbole.quick_start.quick_start
import recbole.trainer
from recbole.config import Config

from dataset_prep.errors import DeltaError, check_all
from recbole_delta.config.defaults import add_defaults, user_checks
from recbole_delta.config.run_config import RunConfig
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.evaluator.recbole_metrics import group_metrics
from recbole_delta.integration.case_study import let_case_study_answer_by_user
from recbole_delta.integration.runner import calibrating
from recbole_delta.model import CEASE, MODELS, RPG, ContentMean, SASRecEnsemble
from recbole_delta.model.backbone import ContentBackbone
from recbole_delta.model.registry import _registered, is_registered, registered_defaults
from recbole_delta.quick_start.run import load_run
from recbole_delta.trainer.untrained import trainer_of


def register(model: type, defaults: Mapping[str, Any] | None = None) -> None:
    """Put a model where RecBole looks for it, with our data set and trainer.

    Args:
        model: subclass of :class:`~recbole_delta.model.backbone.ContentBackbone`. Its defaults are
            ``properties/model/<name>.yaml`` for one of this package, those of the RecBole class
            that it extends for one of yours.
        defaults: other defaults than those, by the setting's name; settings of its own too.

    Raises:
        DeltaError: the class does not extend ``ContentBackbone`` (RecBole's own models need no
            registration), or is called as one of RecBole's or of this package.

    Example:
        RecBole's NARM over content vectors, as a model of one's own with a default of its own:

        >>> import recbole_delta
        >>> from recbole.model.sequential_recommender.narm import NARM
        >>> from recbole_delta.model import ContentBackbone
        >>> class MyNARM(ContentBackbone, NARM):
        ...     pass
        >>> recbole_delta.register(MyNARM, {"hidden_size": 32})
        >>> from recbole_delta.quick_start.example import example_data
        >>> settings = {**example_data(), "epochs": 1}
        >>> result = recbole_delta.run("MyNARM", "example", settings=settings)
        >>> result.test_mode["embeds_cold_items"]
        True
    """
    if not issubclass(model, (ContentBackbone, SASRecEnsemble, RPG, ContentMean, CEASE)):
        raise DeltaError(f"{model.__name__} must extend ContentBackbone to be registered.")
    name = model.__name__
    if model not in MODELS and name.lower() in _taken():
        raise DeltaError(
            f"There is a model {_taken()[name.lower()]} already, and RecBole tells models apart by "
            f"their names in lower case: call {name} something else."
        )
    # RecBole finds a model by the module of its lower-case name.
    lookup = f"recbole.model.sequential_recommender.{name.lower()}"
    module = ModuleType(lookup)
    module.__spec__ = ModuleSpec(lookup, None)
    setattr(module, name, model)
    sys.modules[lookup] = module
    setattr(recbole.trainer, f"{name}Trainer", calibrating(trainer_of(model)))
    setattr(recbole.data.dataset, f"{name}Dataset", ColdWarmDataset)
    _registered[model] = dict(defaults or {})


@cache
def _taken() -> dict[str, str]:
    """The models of RecBole and of this package, by their names in lower case."""
    # Some of them cannot be imported without packages that RecBole does not ask for.
    theirs = Path(recbole.model.__path__[0]).glob("*_recommender/*.py")
    return {file.stem: file.stem for file in theirs} | {
        each.__name__.lower(): each.__name__ for each in MODELS
    }


def install() -> None:
    """Make our models, the cold and warm metrics, defaults and test cases known to RecBole."""
    for model in MODELS:
        register(model)
    for name, metric in group_metrics().items():
        metric_register.metrics_dict[name] = metric
        metric_register.metric_information[name] = metric.metric_need
        metric_register.metric_types[name] = metric.metric_type
    _add_defaults_to_config()
    _let_recbole_load_our_checkpoints()
    let_case_study_answer_by_user()


def _let_recbole_load_our_checkpoints() -> None:
    stock = recbole.quick_start.load_data_and_model
    if getattr(stock, "loads_ours", False):
        return

    def load_data_and_model(model_file: str) -> tuple[Any, ...]:
        """RecBole's function; a checkpoint in safetensors is one of ours."""
        ours = str(model_file).endswith(".safetensors")
        return load_run(model_file) if ours else stock(model_file)

    load_data_and_model.loads_ours = True  # type: ignore[attr-defined]
    for module in (recbole.quick_start, recbole.quick_start.quick_start):
        module.load_data_and_model = load_data_and_model


def _add_defaults_to_config() -> None:
    stock = Config._load_internal_config_dict
    if getattr(stock, "adds_delta_defaults", False):
        return

    def load(self: Config, model: str, model_class: type, dataset: str) -> Any:
        stock(self, model, model_class, dataset)
        if is_registered(model_class) or isinstance(self, RunConfig):
            has_item_embedding = issubclass(model_class, (ContentBackbone, SASRecEnsemble))
            add_defaults(self, model_class, has_item_embedding, registered_defaults(model_class))
        if is_registered(model_class) and not isinstance(self, RunConfig):  # which checks more
            check_all(user_checks(self))

    load.adds_delta_defaults = True  # type: ignore[attr-defined]
    Config._load_internal_config_dict = load
