"""Train and evaluate one model on one prepared data set, and load it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path
from typing import Any

import torch
from recbole.data import data_preparation
from recbole.trainer import Trainer
from recbole.utils import ModelType, get_model, get_trainer, init_logger, init_seed

from recbole_delta.checkpoint import Checkpoint
from recbole_delta.errors import DeltaError
from recbole_delta.seam.config import RunConfig, one_line
from recbole_delta.seam.dataset import ColdWarmDataset
from recbole_delta.seam.evaluation import MODES
from recbole_delta.seam.facts import check_data, run_settings
from recbole_delta.seam.metrics import check_valid_metric, check_validation, wanted_metrics
from recbole_delta.seam.register import is_registered
from recbole_delta.seam.settings import check_settings
from recbole_delta.seam.trainer import ColdWarmTrainer


@dataclass(frozen=True)
class RunResult:
    """What a run gives back.

    Attributes:
        settings: what was asked, enough to run it again.
        best_valid_score: value of ``valid_metric`` at the best epoch.
        best_valid_result: validation metrics there.
        test_result: test metrics in the configured mode, as RecBole's ``test_result``.
        test_mode: the record of the configured mode: what was recommended and shown, counts of
            cases and of empty histories by group, metrics.
        test_modes: such a record for each of the four modes.
        curve: one entry an epoch.
        checkpoint: the saved file, or None.
    """

    settings: dict[str, Any]
    best_valid_score: float
    best_valid_result: dict[str, float] | None
    test_result: dict[str, float]
    test_mode: dict[str, Any]
    test_modes: list[dict[str, Any]]
    curve: list[dict[str, float]]
    checkpoint: str | None


def run(
    model: str | None = None,
    dataset: str | None = None,
    config_files: Sequence[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    saved: bool = True,
) -> RunResult:
    """As RecBole's ``run_recbole``, for our models and RecBole's own alike.

    A built-in model gets the same split and evaluation. It has no vectors for cold items:
    its catalogue is the warm ones, in the training softmax and at recommendation.

    Args:
        model: name of a model; may stand in the settings instead.
        dataset: name of a prepared data set; likewise.
        config_files: YAML files, later ones first in rank.
        settings: single settings, above the files. Taken as they are, never evaluated.
        saved: keep the best epoch in a checkpoint, and test it; else test the last epoch.

    Raises:
        DeltaError: settings or data that cannot be used; the message says what to mend.
    """
    config = RunConfig(model, dataset, config_files, dict(settings or {}))
    parts = _prepare(config)
    return _train(config, parts, parts.trainer_class(config, parts.model), saved)


def resume(path: str | Path, settings: Mapping[str, Any] | None = None) -> RunResult:
    """Go on with an interrupted run after the epoch of its checkpoint, as if nothing had been.

    The checkpoint is that of the best epoch so far; the epochs after it are trained again,
    to the same numbers.

    Args:
        path: the checkpoint, which is replaced as training improves.
        settings: above those of the run, such as more ``epochs``.

    Raises:
        DeltaError: the file is not a whole checkpoint, or its data set has changed since.
    """
    checkpoint = Checkpoint.load(path)
    config = RunConfig(config_dict={**checkpoint.facts["settings"], **(settings or {})})
    parts = _prepare(config)
    trainer = parts.trainer_class(config, parts.model)
    trainer.resume_checkpoint(path)
    return _train(config, parts, trainer, saved=True)


def _train(config: RunConfig, parts: _Parts, trainer: ColdWarmTrainer, saved: bool) -> RunResult:
    score, result = trainer.fit(
        parts.train, parts.valid, saved=saved, show_progress=config["show_progress"]
    )
    if saved:
        trainer.load_best()
    evaluations = trainer.evaluate_modes(parts.test, MODES)
    records = [each.record(trainer.metrics, config["topk"]) for each in evaluations]
    configured = MODES.index(trainer.configured_mode(parts.test))
    return RunResult(
        settings=run_settings(config),
        best_valid_score=score,
        best_valid_result=result,
        test_result=records[configured]["metrics"],
        test_mode=records[configured],
        test_modes=records,
        curve=trainer.curve,
        checkpoint=trainer.saved_model_file if saved else None,
    )


def load_run(path: str | Path) -> tuple[Any, torch.nn.Module, ColdWarmDataset, Any, Any, Any]:
    """RecBole's ``load_data_and_model`` for our checkpoints; nothing is unpickled.

    Returns:
        config, model, dataset, train_data, valid_data, test_data.

    Raises:
        DeltaError: the file is not a whole checkpoint, or its data set has changed since.
    """
    checkpoint = Checkpoint.load(path)
    config = RunConfig(config_dict=checkpoint.facts["settings"])
    parts = _prepare(config)
    check_data(parts.dataset, checkpoint.facts["data"], path)
    parts.model.load_state_dict(checkpoint.model)
    return config, parts.model, parts.dataset, parts.train, parts.valid, parts.test


@dataclass(frozen=True)
class _Parts:
    dataset: ColdWarmDataset
    train: Any
    valid: Any
    test: Any
    model: torch.nn.Module
    trainer_class: type[ColdWarmTrainer]


def _prepare(config: RunConfig) -> _Parts:
    """Data and an untrained model, drawing random numbers in the order of ``run_recbole``."""
    if config["MODEL_TYPE"] != ModelType.SEQUENTIAL:
        raise DeltaError(f"{config['model']} is not a sequential model; only those run here.")
    check_settings(config)
    trainer_class = _trainer_class(config)
    # The trainer checks the metric too, for RecBole's own runner; here nothing is written yet.
    valid_metric = config["valid_metric"].lower()
    check_valid_metric(valid_metric, wanted_metrics(config["metrics"]), config["topk"])
    init_seed(config["seed"], config["reproducibility"])
    dataset = ColdWarmDataset(config)
    model_class = get_model(config["model"])
    if not is_registered(model_class):
        dataset = dataset.with_items(dataset.n_warm + 1)
    train, valid, test = data_preparation(config, dataset)
    init_seed(config["seed"] + config["local_rank"], config["reproducibility"])
    if config["eval_step"]:
        check_validation(valid_metric, valid.dataset)
    model = _build(model_class, config, train.dataset)
    _start_log(config)
    return _Parts(dataset, train, valid, test, model, trainer_class)


def _build(model_class: type, config: RunConfig, dataset: ColdWarmDataset) -> torch.nn.Module:
    """The model; RecBole's models check their settings by failing to be built."""
    fields = config["selected_features"] or []
    missing = [field for field in fields if field not in dataset.field2type]
    if missing:
        raise DeltaError(
            f"selected_features: {config['dataset']} has no {missing[0]!r} for {config['model']}; "
            "name fields of its .item file, and load them by load_col."
        )
    try:
        return model_class(config, dataset).to(config["device"])
    except (ValueError, TypeError, KeyError, NotImplementedError, RuntimeError) as error:
        raise DeltaError(
            f"{config['model']} cannot be built with these settings: {one_line(error)}."
        ) from error


def _start_log(config: RunConfig) -> None:
    """A log file for this run; RecBole's logger would go on with the one of the run before."""
    root = getLogger()
    for handler in [each for each in root.handlers if getattr(each, "of_a_run", False)]:
        root.removeHandler(handler)
        handler.close()
    others = list(root.handlers)
    init_logger(config)
    for handler in root.handlers:
        if handler not in others:
            handler.of_a_run = True  # type: ignore[attr-defined]
    root.info(config)


def _trainer_class(config: RunConfig) -> type[ColdWarmTrainer]:
    """RecBole's trainer of the model, with our evaluation in front."""
    stock: type[Trainer] = get_trainer(config["MODEL_TYPE"], config["model"])
    if issubclass(stock, ColdWarmTrainer):
        return stock
    if stock.fit is not Trainer.fit:
        raise DeltaError(
            f"{config['model']} has a training of its own in RecBole ({stock.__name__}), which "
            "does not know cold and warm; it does not run here."
        )
    return type(f"ColdWarm{stock.__name__}", (ColdWarmTrainer, stock), {})
