"""Train and evaluate one model on one prepared data set, and load it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dataset_prep.errors import DeltaError
from recbole_delta.compute.distributed import is_launched, launch, process_group
from recbole_delta.config.run_config import RunConfig, run_settings
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.evaluator.evaluate import MODES, Evaluation
from recbole_delta.quick_start.build import Parts, make_parts
from recbole_delta.trainer.checkpoint import Checkpoint
from recbole_delta.trainer.metadata import RUN
from recbole_delta.trainer.trainer import ColdWarmTrainer

RESUMABLE = ("epochs", "stopping_step", "eval_batch_size", "show_progress", "state")
"""Settings that may change when a run is resumed: no epoch so far depends on them."""


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
    if _starts_others(config):
        return launch(run, config["nproc"], model, dataset, config_files, settings, saved)
    with process_group(config):
        parts = make_parts(config)
        return train(parts, parts.trainer(config, parts.model), saved)[0]


def resume(path: str | Path, settings: Mapping[str, Any] | None = None) -> RunResult:
    """Go on with an interrupted run after the epoch of its checkpoint, as if nothing had been.

    The checkpoint is that of the best epoch so far; the epochs after it are trained again,
    to the same numbers.

    Args:
        path: the checkpoint, which is replaced as training improves.
        settings: any of :data:`RESUMABLE`, above those of the run.

    Raises:
        DeltaError: the file is not a whole checkpoint, its data set has changed since, or a
            setting would make it another run.
    """
    settings = dict(settings or {})
    other = sorted(settings.keys() - set(RESUMABLE))
    if other:
        raise DeltaError(
            f"A resumed run keeps its {other[0]}; only {', '.join(RESUMABLE)} may change."
        )
    checkpoint = _load_trained(path)
    config = RunConfig(config_dict={**checkpoint.metadata.settings, **settings})
    if _starts_others(config):
        return launch(resume, config["nproc"], path, settings)
    with process_group(config):
        parts = make_parts(config, checkpoint)
        trainer = parts.trainer(config, parts.model)
        trainer.resume_checkpoint(path)
        return train(parts, trainer, saved=True)[0]


def _load_trained(path: str | Path) -> Checkpoint:
    """A checkpoint that training has written.

    Raises:
        DeltaError: a recommender has, whose items need not be those of the data set.
    """
    checkpoint = Checkpoint.load(path)
    if checkpoint.metadata.kind != RUN:
        raise DeltaError(
            f"{path} was written after training, to recommend from; use the run's own checkpoint."
        )
    return checkpoint


def _starts_others(config: RunConfig) -> bool:
    return config["nproc"] > 1 and not is_launched()


def train(
    parts: Parts, trainer: ColdWarmTrainer, saved: bool
) -> tuple[RunResult, list[Evaluation]]:
    """Train and test the model of ``parts``; the ranks of every test case in each mode."""
    config = parts.config
    score, valid_result = trainer.fit(
        parts.train, parts.valid, saved=saved, show_progress=config["show_progress"]
    )
    if saved:
        trainer.load_best()
    evaluations = trainer.evaluate_modes(parts.test, MODES)
    records = [each.as_json(trainer.metrics, config["topk"]) for each in evaluations]
    configured = MODES.index(trainer.configured_mode(parts.test))
    result = RunResult(
        settings=run_settings(config),
        best_valid_score=score,
        best_valid_result=valid_result,
        test_result=records[configured]["metrics"],
        test_mode=records[configured],
        test_modes=records,
        curve=trainer.curve,
        checkpoint=trainer.saved_model_file if saved else None,
    )
    return result, evaluations


def load_run(path: str | Path) -> tuple[Any, torch.nn.Module, ColdWarmDataset, Any, Any, Any]:
    """RecBole's ``load_data_and_model`` for our checkpoints; nothing is unpickled.

    Returns:
        config, model, dataset, train_data, valid_data, test_data.

    Raises:
        DeltaError: the file is not a whole checkpoint, or its data set has changed since.
    """
    checkpoint = _load_trained(path)
    config = RunConfig(config_dict=checkpoint.metadata.settings)
    parts = make_parts(config, checkpoint)
    return config, parts.model, parts.dataset, parts.train, parts.valid, parts.test
