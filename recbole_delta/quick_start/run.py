"""Train and evaluate one model on one prepared data set, and load it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from dataset_prep.errors import DeltaError
from recbole_delta.compute.devices import devices_for
from recbole_delta.compute.distributed import process_group
from recbole_delta.compute.failure import ending_together
from recbole_delta.compute.launch import launch
from recbole_delta.config.run_config import RunConfig, run_settings
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.evaluator.evaluate import MODES, Evaluation
from recbole_delta.quick_start.build import Parts, make_parts
from recbole_delta.quick_start.calibrate import calibrate
from recbole_delta.trainer.checkpoint import Checkpoint
from recbole_delta.trainer.metadata import RUN
from recbole_delta.trainer.trainer import ColdWarmTrainer

RESUMABLE = ("epochs", "stopping_step", "eval_batch_size", "show_progress", "state",
             "gpu_id", "use_gpu", "data_path")  # fmt: skip
"""Settings that may change when a run is resumed: no epoch so far depends on them.

The data may lie elsewhere, but must be the same.
"""


@dataclass(frozen=True)
class RunResult:
    """What a run gives back.

    Attributes:
        settings: what the user has set, enough to run it again.
        best_valid_score: value of ``valid_metric`` at the best epoch.
        best_valid_result: validation metrics at the best epoch; None without validation.
        test_result: test metrics in the configured mode by name (``ndcg@10``, ``ndcg_cold@10``,
            ...), as RecBole's ``test_result``; unrounded, from 0 to 1.
        test_mode: the evaluation in the configured mode: what was recommended and shown, counts of
            cases and of empty histories by group, metrics.
        test_modes: such an evaluation for each of the four modes of
            :data:`recbole_delta.evaluator.evaluate.MODES`.
        curve: an entry for each epoch: its number, training loss, seconds, validation metrics.
        calibration: how ``cold_offset: auto`` came to its offset, the fields of
            :class:`recbole_delta.evaluator.calibration.Calibration`; None for any other offset.
        after_cold_offset: what is added to the scores of cold items besides, after a history whose
            last item is cold.
        warm_offsets: what ``warm_offset: auto`` has chosen for 1, 2, 3 to 4, 5 to 8, ... training
            rows; empty for none.
        checkpoint: path of the saved file; None where nothing is saved.
    """

    settings: dict[str, Any]
    best_valid_score: float
    best_valid_result: dict[str, float] | None
    test_result: dict[str, float]
    test_mode: dict[str, Any]
    test_modes: list[dict[str, Any]]
    curve: list[dict[str, float]]
    calibration: dict[str, Any] | None
    after_cold_offset: float
    warm_offsets: list[float]
    checkpoint: str | None


def run(
    model: str | None = None,
    dataset: str | None = None,
    config_files: str | Path | Sequence[str | Path] | None = None,
    settings: Mapping[str, Any] | None = None,
    saved: bool = True,
) -> RunResult:
    """Train and test one model: RecBole's ``run_recbole``, for our models and RecBole's own.

    One of RecBole's own gets the same split and evaluation. It has no vectors for cold items: its
    catalogue is the warm ones, in the training softmax and at recommendation.

    Args:
        model: name of a model; it may stand in the settings instead.
        dataset: name of a prepared data set; it may stand in the settings instead.
        config_files: YAML files, or one; a later one overrides an earlier one.
        settings: single settings, which override the files. They are taken as they are, never
            evaluated as code.
        saved: keep the best epoch in a checkpoint, and test it; else test the last epoch.

    Returns:
        metrics by group in every evaluation mode, the training curve and the checkpoint's path.

    Raises:
        DeltaError: settings or data that cannot be used; the message says what to change.

    Example:
        >>> import recbole_delta
        >>> from recbole_delta.quick_start.example import example_data
        >>> settings = example_data()  # a small prepared data set, and settings for it
        >>> result = recbole_delta.run("SASRecDelta", "example", settings=settings)
        >>> list(result.test_result)[:3]
        ['ndcg@10', 'ndcg_cold@10', 'ndcg_warm@10']
        >>> result.test_result["ndcg_cold@10"] > 0.3  # items that nobody took in training
        True
        >>> stock = recbole_delta.run("GRU4Rec", "example", settings=settings)  # RecBole's own
        >>> stock.test_result["ndcg_cold@10"]
        0.0
    """
    if isinstance(config_files, (str, Path)):
        config_files = [config_files]
    if not isinstance(settings, Mapping | None):
        raise DeltaError(
            f"settings are values by name, but here is {settings!r}; config_files=FILE."
        )
    with ending_together():
        config = RunConfig(model, dataset, config_files, dict(settings or {}))
        if _starts_others(config):
            return launch(run, config["nproc"], model, dataset, config_files, settings, saved)
        with process_group(config["device"]):
            parts = make_parts(config)
            return train(parts, parts.trainer(config, parts.model), saved)[0]


def resume(path: str | Path, settings: Mapping[str, Any] | None = None) -> RunResult:
    """Go on with an interrupted run after the epoch of its checkpoint, as if nothing had been.

    The checkpoint holds the best epoch so far; the epochs after it are trained again, to the same
    numbers bit for bit on the same kind of device.

    Args:
        path: path of the checkpoint, which is replaced as training improves.
        settings: any of :data:`RESUMABLE`; they override those of the run.

    Returns:
        the result of the whole run, its epochs before the interruption included.

    Raises:
        DeltaError: the file is not a whole checkpoint, its data set has changed since, or a
            setting would make it another run.

    Example:
        >>> import recbole_delta
        >>> from recbole_delta.quick_start.example import example_data
        >>> settings = {**example_data(), "epochs": 1}
        >>> begun = recbole_delta.run("SASRecDelta", "example", settings=settings)
        >>> done = recbole_delta.resume(begun.checkpoint, {"epochs": 3})
        >>> [entry["epoch"] for entry in done.curve]
        [0, 1, 2]
        >>> done.curve[0] == begun.curve[0]
        True
    """
    settings = dict(settings or {})
    other = sorted(settings.keys() - set(RESUMABLE))
    if other:
        raise DeltaError(
            f"A resumed run keeps its {other[0]}; only {', '.join(RESUMABLE)} may change."
        )
    with ending_together():
        checkpoint = _load_trained(path)
        config = RunConfig(config_dict={**checkpoint.metadata.settings, **settings})
        if _starts_others(config):
            return launch(resume, config["nproc"], path, settings)
        with process_group(config["device"]):
            parts = make_parts(config, checkpoint)
            trainer = parts.trainer(config, parts.model)
            trainer.resume_checkpoint(path)
            return train(parts, trainer, saved=True)[0]


def _load_trained(path: str | Path) -> Checkpoint:
    """A checkpoint that training has written.

    Raises:
        DeltaError: a recommender has written it, whose items need not be those of the data set.
    """
    checkpoint = Checkpoint.load(path)
    if checkpoint.metadata.kind != RUN:
        raise DeltaError(
            f"{path} was written after training, to recommend from; use the run's own checkpoint."
        )
    return checkpoint


def _starts_others(config: RunConfig) -> bool:
    """Whether this process is to launch others; :class:`DeltaError` where they lack GPUs."""
    if config["nproc"] == 1 or dist.is_torchelastic_launched():
        return False
    devices_for(config["nproc"], config["gpu_id"], config["use_gpu"])
    return True


def train(
    parts: Parts, trainer: ColdWarmTrainer, saved: bool
) -> tuple[RunResult, list[Evaluation]]:
    """Train and test one model.

    Args:
        parts: data and settings of the run.
        trainer: trainer of the model of ``parts``.
        saved: keep the best epoch in a checkpoint, and test it; else test the last epoch.

    Returns:
        the result, and the ranks of every test case in each of the four modes.

    Raises:
        KeyboardInterrupt: Ctrl-C; the message says how to go on.
    """
    config = parts.config
    try:
        score, valid_result = trainer.fit(
            parts.train, parts.valid, saved=saved, show_progress=config["show_progress"]
        )
        if saved:
            trainer.load_best()
        calibration = calibrate(trainer, parts.valid.dataset, saved)
        evaluations = trainer.evaluate_modes(parts.test, MODES)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_how_to_go_on(trainer.saved_model_file)) from None
    modes = [each.as_json(trainer.metrics, config["topk"]) for each in evaluations]
    configured = MODES.index(trainer.configured_mode(parts.test))
    trainer.log.test(modes, configured)
    result = RunResult(
        settings=run_settings(config),
        best_valid_score=score,
        best_valid_result=valid_result,
        test_result=modes[configured]["metrics"],
        test_mode=modes[configured],
        test_modes=modes,
        curve=trainer.curve,
        calibration=asdict(calibration) if calibration else None,
        after_cold_offset=parts.model.after_cold_offset,
        warm_offsets=list(parts.model.warm_offsets),
        checkpoint=trainer.saved_model_file if saved else None,
    )
    return result, evaluations


def _how_to_go_on(checkpoint: str) -> str:
    if not Path(checkpoint).is_file():
        return "Stopped before there was a checkpoint; nothing is kept."
    return f"Stopped; continue with: recbole-delta resume {checkpoint}"


def load_run(path: str | Path) -> tuple[Any, torch.nn.Module, ColdWarmDataset, Any, Any, Any]:
    """RecBole's ``load_data_and_model`` for our checkpoints; nothing is unpickled.

    Args:
        path: path of a checkpoint that training has written.

    Returns:
        config, model, dataset, train_data, valid_data, test_data.

    Raises:
        DeltaError: the file is not a whole checkpoint, or its data set has changed since.

    Example:
        >>> import recbole_delta
        >>> from recbole_delta.quick_start.example import example_data
        >>> settings = {**example_data(), "epochs": 1}
        >>> result = recbole_delta.run("SASRecDelta", "example", settings=settings)
        >>> config, model, dataset, train, valid, test = recbole_delta.load_run(result.checkpoint)
        >>> model.item_embedding.weight.shape  # 48 items and padding
        torch.Size([49, 16])
        >>> dataset.n_warm, len(test.dataset)  # items with a training row, test targets
        (34, 112)
    """
    checkpoint = _load_trained(path)
    config = RunConfig(config_dict=checkpoint.metadata.settings_anywhere)
    parts = make_parts(config, checkpoint)
    checkpoint.metadata.warn_if_uncalibrated(parts.dataset.settings, checkpoint.path)
    return config, parts.model, parts.dataset, parts.train, parts.valid, parts.test
