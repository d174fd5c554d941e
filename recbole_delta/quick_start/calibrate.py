"""``cold_offset``: the calibration of a trained run, on validation data alone."""

from __future__ import annotations

from dataclasses import replace
from logging import getLogger
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from recbole_delta.compute.distributed import rank
from recbole_delta.config.run_config import RunConfig, run_settings
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.data.fingerprint import read_preparation
from recbole_delta.evaluator.calibration import (
    Calibration,
    choose_offset,
    equal_mass,
    log_odds,
    quantiles,
)
from recbole_delta.quick_start.build import Parts, make_parts
from recbole_delta.trainer.checkpoint import Checkpoint
from recbole_delta.trainer.trainer import ColdWarmTrainer


def calibrate(parts: Parts, trainer: ColdWarmTrainer, saved: bool) -> None:
    """Give the trained model its offset on cold items, and write it into its checkpoint.

    ``cold_offset: auto`` chooses it on cold validation targets. Where the protocol gives none, a
    second training holds as many warm items out as there are cold ones, and its offset is carried
    over. Where neither can be, cold items get the expected share of the softmax's mass. No test row
    is looked at.

    Args:
        parts: of the run.
        trainer: has just trained its model.
        saved: whether there is a checkpoint.
    """
    wish, model = trainer.settings.cold_offset, parts.model
    if wish == "none" or not model.embeds_cold_items:
        return
    if wish == "auto":
        found = _chosen(parts, trainer)
    else:
        found = Calibration(float(wish), float(wish), float(wish), float("nan"))
    cases, batch_size = parts.valid.dataset, parts.config["eval_batch_size"]
    odds = quantiles(log_odds(model, cases, batch_size))
    model.calibrate(found.offset)
    if saved and rank() == 0:
        checkpoint = Checkpoint.load(trainer.saved_model_file)
        checkpoint.metadata = replace(
            checkpoint.metadata,
            cold_offset=found.offset,
            cold_log_odds=list(odds),
            cold_candidates=cases.n_catalogue - 1 - cases.n_warm,
        )
        checkpoint.save(trainer.saved_model_file)


def _chosen(parts: Parts, trainer: ColdWarmTrainer) -> Calibration:
    """The offset of ``cold_offset: auto``."""
    logger, config = getLogger(), parts.config
    metric, k = _metric(config)
    share, batch_size = expected_share(config, parts.dataset), config["eval_batch_size"]
    options = {"metric": metric, "k": k, "share": share, "batch_size": batch_size}
    if _n_cold(parts.valid.dataset):
        found = choose_offset(parts.model, parts.valid.dataset, **options)
        source = "the cold validation targets of the data set"
    else:
        probe = _probe(config)
        n_cold = _n_cold(probe.valid.dataset)
        if n_cold:
            found = choose_offset(probe.model, probe.valid.dataset, **options)
            which = trainer.settings.cold_validation
            source = f"{n_cold} targets among the {which} items, held out of a second training"
        else:
            odds = log_odds(parts.model, parts.valid.dataset, batch_size)
            mass = equal_mass(odds, share or _share_of_items(parts.dataset))
            found = Calibration(mass, mass, mass, share or _share_of_items(parts.dataset))
            source = "the expected share of cold targets alone, for want of cold validation targets"
    logger.info(
        f"cold_offset {found.offset:.3f} (best {found.best:.3f}, equal mass "
        f"{found.equal_mass:.3f}, share of cold targets {found.share:.3f}), by {source}"
    )
    return found


def _probe(config: RunConfig) -> Parts:
    """A training with the same settings that has never seen some warm items."""
    with TemporaryDirectory() as folder:
        settings = {**run_settings(config), "checkpoint_dir": folder}
        probe = make_parts(RunConfig(config_dict=settings), holds_out=True)
        trainer = probe.trainer(probe.config, probe.model)
        trainer.fit(probe.train, probe.valid, show_progress=config["show_progress"])
        trainer.load_best()
    return probe


def expected_share(config: Any, dataset: ColdWarmDataset) -> float | None:
    """The share of cold targets: as set, or as dataset_prep has estimated it; None without."""
    if dataset.settings.cold_share is not None:
        return dataset.settings.cold_share
    path = Path(dataset.dataset_path) / f"{dataset.dataset_name}.json"
    said = read_preparation(path).get("cold_share")
    estimate = said.get("value") if isinstance(said, dict) else None
    return float(estimate) if isinstance(estimate, (int, float)) and 0 < estimate < 1 else None


def _share_of_items(dataset: ColdWarmDataset) -> float:
    """The share of cold items among all: what their targets would have if all were as popular."""
    return 1 - dataset.n_warm / (dataset.n_catalogue - 1)


def _metric(config: Any) -> tuple[str, int]:
    """Name and k of ``valid_metric``, whatever its group."""
    name, k = config["valid_metric"].lower().split("@")
    return name.split("_")[0], int(k)


def _n_cold(cases: ColdWarmDataset) -> int:
    return int((cases.instances.target > cases.n_warm).sum())
