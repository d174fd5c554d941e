"""``cold_offset`` and the like: the calibration of a trained run, on validation data alone."""

from __future__ import annotations

from dataclasses import replace
from logging import getLogger
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from dataset_prep.errors import DeltaError, require
from recbole_delta.compute.distributed import of_first, rank
from recbole_delta.config.run_config import RunConfig, run_settings
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.data.fingerprint import expected_share
from recbole_delta.evaluator.calibration import (
    Calibration,
    choose_after_cold_offset,
    choose_offset,
)
from recbole_delta.evaluator.mass import log_odds, quantiles
from recbole_delta.evaluator.warm_offsets import choose_warm_offsets
from recbole_delta.quick_start.build import Parts, make_parts
from recbole_delta.trainer.checkpoint import Checkpoint
from recbole_delta.trainer.trainer import ColdWarmTrainer


def calibrate(trainer: ColdWarmTrainer, cases: ColdWarmDataset, saved: bool) -> Calibration | None:
    """Give the trained model its offsets, and write them into its checkpoint.

    ``warm_offset: auto`` chooses those of warm items on warm validation targets. Then
    ``after_cold_offset: auto`` and, last, ``cold_offset: auto`` choose those of cold items on cold
    and warm ones; each is chosen with the earlier ones in force. Where the protocol gives no cold
    validation targets, a second training holds as many warm items out as there are cold ones, and
    its offsets are carried over. Where that cannot be, cold items get the expected share of the
    softmax's mass. No test row is looked at.

    Args:
        trainer: has just trained its model, which has no offsets.
        cases: the validation cases.
        saved: whether there is a checkpoint.

    Returns:
        what ``cold_offset: auto`` has found; None where the offset was not chosen but given.
    """
    model, config, settings = trainer.model, trainer.config, trainer.settings
    warm = _warm_offsets(model, cases, config)
    model.set_offsets(warm=warm)
    if settings.warm_offset == "auto":
        chosen = ", ".join(f"{each:+.2f}" for each in warm) or "none, as none helps,"
        getLogger().info(f"warm_offset {chosen} for 1, 2, 3 to 4, 5 to 8, ... training rows")
    wishes, found = (settings.cold_offset, settings.after_cold_offset), None
    measured: dict[str, Any] = {}
    if wishes != ("none", "none") and model.embeds_cold_items:
        source = _source(trainer, cases) if "auto" in wishes else None
        # Another processor may have found other last bits.
        after_cold = of_first(_after_cold(settings.after_cold_offset, source))
        model.set_offsets(warm=warm, after_cold=after_cold)
        odds = log_odds(model, cases, config["eval_batch_size"])
        if source is not None and settings.cold_offset == "auto":
            found = of_first(_chosen(source, after_cold, odds))
        cold = found.offset if found else _given(settings.cold_offset)
        model.set_offsets(cold, warm, after_cold)
        measured = {
            "cold_log_odds": list(quantiles(odds)),
            "cold_candidates": cases.n_catalogue - 1 - cases.n_warm,
        }
    if settings.asks_for_offsets and saved and rank() == 0:
        checkpoint = Checkpoint.load(trainer.saved_model_file)
        checkpoint.metadata = replace(
            checkpoint.metadata,
            cold_offset=model.cold_offset,
            after_cold_offset=model.after_cold_offset,
            warm_offsets=list(model.warm_offsets),
            calibrated=True,
            **measured,
        )
        checkpoint.save(trainer.saved_model_file)
    return found


class _Source(NamedTuple):
    """Where the offsets of cold items are chosen.

    Attributes:
        model: a model without offsets on cold items.
        cases: validation cases with cold targets that it has not seen in training; None where
            there are none.
        share: the expected share of cold targets; None for that of ``cases``.
        what: in words.
        metric: ``valid_metric`` whatever its group.
        k: its k.
        batch_size: most sequences at a time.
    """

    model: Any
    cases: ColdWarmDataset | None
    share: float | None
    what: str
    metric: str
    k: int
    batch_size: int


def _source(trainer: ColdWarmTrainer, cases: ColdWarmDataset) -> _Source:
    """The trained model and its validation, or those of a second training, or neither."""
    config, model, share = trainer.config, trainer.model, expected_share(cases)
    asked = (*_metric(config), config["eval_batch_size"])
    if _has_both(cases):
        return _Source(model, cases, share, "the cold validation targets of the data set", *asked)
    share = _share_of_items(cases) if share is None else share
    # Without warm targets of its own, a second training would have none to weigh cold ones against.
    if (~cases.has_cold_target).any() and (probe := _probe(config, cases)):
        held_out = probe.valid.dataset
        if _has_both(held_out):
            which, n_cold = trainer.settings.cold_validation, int(held_out.has_cold_target.sum())
            what = f"{n_cold} targets among the {which} items, held out of a second training"
            return _Source(probe.model, held_out, share, what, *asked)
    what = "the expected share of cold targets alone, for want of cold and warm validation targets"
    return _Source(model, None, share, what, *asked)


def _has_both(cases: ColdWarmDataset) -> bool:
    """Whether there are cold and warm targets."""
    is_cold = cases.has_cold_target
    return bool(is_cold.any() and (~is_cold).any())


def _after_cold(wish: str | float, source: _Source | None) -> float:
    """The offset of cold items after a cold one, as set or chosen."""
    if wish != "auto":
        return _given(wish)
    if source is None or source.cases is None:
        return 0.0
    found = choose_after_cold_offset(
        source.model, source.cases, source.metric, source.k, source.share, source.batch_size
    )
    getLogger().info(f"after_cold_offset {found:.3f}, by {source.what}")
    return found


def _chosen(source: _Source, after_cold: float, odds: np.ndarray) -> Calibration:
    """What ``cold_offset: auto`` finds; ``odds`` are those of the trained model."""
    if source.cases is None:
        found = Calibration.by_mass(odds, source.share or 0.0, after_cold)
        if not np.isfinite(odds).any():
            getLogger().warning(
                "cold_offset: auto stays 0: there is nothing to measure it on, no validation case "
                "with a history or no cold item yet; set a number, or prepare the data set with "
                "validation targets."
            )
    else:
        source.model.set_offsets(warm=source.model.warm_offsets, after_cold=after_cold)
        # Scored anew: the constant could be added to what is known, but for the last bits of ties.
        found = choose_offset(
            source.model, source.cases, source.metric, source.k, source.share, source.batch_size
        )
    best = by_skill = ""
    if found.best is not None:
        best = f"best {found.best:.3f} ± {found.spread:.3f}, "
        by_skill = f"by skill {found.by_skill:.3f} ± {found.skill_spread:.3f}, "
    getLogger().info(
        f"cold_offset {found.offset:.3f} ({best}equal mass {found.equal_mass:.3f}, {by_skill}share "
        f"of cold targets {found.share:.3f}), by {source.what}"
    )
    return found


def _given(wish: str | float) -> float:
    """An offset that is set and not chosen."""
    return 0.0 if wish == "none" else float(wish)


def _warm_offsets(model: Any, cases: ColdWarmDataset, config: Any) -> tuple[float, ...]:
    """What ``warm_offset: auto`` finds for a trained model."""
    if cases.settings.warm_offset == "none":
        return ()
    return choose_warm_offsets(model, cases, *_metric(config), config["eval_batch_size"])


def _metric(config: Any) -> tuple[str, int]:
    """``valid_metric`` whatever its group, and its k."""
    name, k = config["valid_metric"].lower().split("@")
    return name.split("_")[0], int(k)


def _probe(config: Any, cases: ColdWarmDataset) -> Parts | None:
    """A training with the same settings that has never seen some warm items.

    Returns:
        None where what is left of the data is too little for such a model, or where its files are
        no longer those of ``cases``.
    """
    with TemporaryDirectory() as folder:
        settings = {**run_settings(config), "checkpoint_dir": folder}
        if not isinstance(config, RunConfig):
            settings["gpu_id"] = None  # RecBole's has made its GPU the only visible one
        try:
            probe = make_parts(RunConfig(config_dict=settings), holds_out=True)
            changed = probe.dataset.files_read != cases.files_read
            name = cases.dataset_name
            require(not changed, f"the files of {name} have changed since they were read.")
        except DeltaError as error:
            getLogger().warning(
                f"No second training, which would hold warm items out to choose by: {error}"
            )
            return None
        trainer = probe.trainer(probe.config, probe.model)
        trainer.log.keeps_curves = False
        trainer.fit(probe.train, probe.valid, show_progress=config["show_progress"])
        trainer.load_best()
    model = probe.model
    model.set_offsets(warm=_warm_offsets(model, probe.valid.dataset, probe.config))
    return probe


def _share_of_items(dataset: ColdWarmDataset) -> float | None:
    """The share of cold items among all: what their targets would have if all were as popular.

    Returns:
        None where no item is cold yet.
    """
    n_cold = dataset.n_catalogue - 1 - dataset.n_warm
    taken = "that of cold items" if n_cold else "that of the items that a second training holds out"
    getLogger().warning(
        f"{dataset.dataset_name}: no expected share of cold targets is known, so it is taken to be "
        f"{taken}; set cold_share, or prepare the data set anew, which estimates it."
    )
    return n_cold / (dataset.n_catalogue - 1) or None
