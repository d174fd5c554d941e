"""Makes our models known to an unmodified RecBole."""

from __future__ import annotations

import sys
from typing import Any

import recbole.data.dataset
import recbole.evaluator.register as metric_register
import recbole.trainer
from recbole.config import Config

from recbole_delta.model import MODELS, ContentMean
from recbole_delta.seam.config import RunConfig, add_defaults
from recbole_delta.seam.dataset import ColdWarmDataset
from recbole_delta.seam.metrics import group_metrics
from recbole_delta.seam.trainer import ColdWarmTrainer, UntrainedTrainer


def register() -> None:
    """Put models, data set, trainers, metrics and defaults where RecBole looks for them."""
    for model in MODELS:
        name = model.__name__
        # RecBole finds a model by the module of its lower-case name.
        lookup = f"recbole.model.sequential_recommender.{name.lower()}"
        sys.modules[lookup] = sys.modules[model.__module__]
        trainer = UntrainedTrainer if model is ContentMean else ColdWarmTrainer
        setattr(recbole.trainer, f"{name}Trainer", trainer)
        setattr(recbole.data.dataset, f"{name}Dataset", ColdWarmDataset)
    _register_metrics()
    _add_defaults_to_config()


def _register_metrics() -> None:
    for name, metric in group_metrics().items():
        metric_register.metrics_dict[name] = metric
        metric_register.metric_information[name] = metric.metric_need
        metric_register.metric_types[name] = metric.metric_type


def _add_defaults_to_config() -> None:
    stock = Config._load_internal_config_dict
    if getattr(stock, "adds_delta_defaults", False):
        return

    def load(self: Config, model: str, model_class: type, dataset: str) -> Any:
        stock(self, model, model_class, dataset)
        ours = model_class in MODELS
        if ours or isinstance(self, RunConfig):
            add_defaults(self, model, ours)

    load.adds_delta_defaults = True  # type: ignore[attr-defined]
    Config._load_internal_config_dict = load
