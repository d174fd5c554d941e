"""Data, model and trainer of a run, checked before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from logging import getLogger
from pathlib import Path
from typing import Any

import torch
from recbole.data import data_preparation
from recbole.model.abstract_recommender import SequentialRecommender
from recbole.trainer import Trainer
from recbole.utils import ModelType, get_model, get_trainer, init_logger, init_seed

from dataset_prep.errors import DeltaError
from recbole_delta.compute.distributed import copy_from_first, rank, require_same, world_size
from recbole_delta.config.recbole_checks import asks_for_a_missing_gpu, unused_settings
from recbole_delta.config.run_config import RunConfig, explained
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.data.fingerprint import check_data, data_fingerprint
from recbole_delta.evaluator.inference import model_device
from recbole_delta.evaluator.labels import counted
from recbole_delta.evaluator.recbole_metrics import (
    check_valid_metric,
    check_validation,
    wanted_metrics,
)
from recbole_delta.model.catalogue import BASELINES, GeneralCatalogue, WholeCatalogue
from recbole_delta.model.registry import is_registered
from recbole_delta.model.sequence import SequenceBackbone
from recbole_delta.trainer.checkpoint import Checkpoint, generator_states, restore_generators
from recbole_delta.trainer.trainer import ColdWarmTrainer
from recbole_delta.trainer.untrained import UntrainedTrainer, trainer_of

LOOKS_AHEAD = 1e-5
"""Share of the greatest output that a later item may change: additions in another order."""

FEW_STEPS, SMALL_BATCH = 8, 32
"""Fewer steps an epoch than this are warned of, unless the batches are as small as that."""

ELSEWHERE = {
    "FEARec": "it searches RecBole's table of all prefixes, which is not made here",
    **dict.fromkeys(
        ("DIN", "DIEN"),
        "it says whether a shown item is clicked, and RecBole ranks it among sampled items",
    ),
}
"""Sequential models of RecBole's that cannot be run on windows and ranked fully, and why."""

MODEL_TYPES = (ModelType.SEQUENTIAL, ModelType.GENERAL, ModelType.TRADITIONAL)


@dataclass(frozen=True)
class Parts:
    """What a run is made of.

    Attributes:
        config: settings of the run.
        dataset: the whole data set.
        train: RecBole data loader of the training data.
        valid: RecBole data loader of the validation cases.
        test: RecBole data loader of the test cases.
        model: untrained, or with the weights of a checkpoint.
        trainer: class of the trainer: our evaluation over RecBole's own trainer of the model.
    """

    config: RunConfig
    dataset: ColdWarmDataset
    train: Any
    valid: Any
    test: Any
    model: Any
    trainer: type[ColdWarmTrainer]


def make_parts(
    config: RunConfig, checkpoint: Checkpoint | None = None, holds_out: bool = False
) -> Parts:
    """Build data, model and trainer, drawing random numbers in the order of ``run_recbole``.

    Args:
        config: settings of the run.
        checkpoint: checkpoint whose weights are loaded; it must be of this very data set.
        holds_out: take warm items out of training, as cold validation targets.

    Raises:
        DeltaError: settings, data or a checkpoint that cannot be used; nothing is written then.
    """
    if config["MODEL_TYPE"] not in MODEL_TYPES:
        raise DeltaError(
            f"{config['model']} is neither a sequential nor a general model; only those run here."
        )
    trainer = _trainer_class(config)
    # The trainer checks the metric too, for RecBole's own runner; here nothing is written yet.
    valid_metric = config["valid_metric"].lower()
    check_valid_metric(valid_metric, wanted_metrics(config["metrics"]), config["topk"])
    model_class = get_model(config["model"])
    several = is_registered(model_class) or config["model"] in BASELINES
    if world_size() > 1 and not several:
        raise DeltaError(f"{config['model']} trains in one process; several are for our models.")
    init_seed(config["seed"], config["reproducibility"])
    with explained(f"the data set {config['dataset']} with these settings"):
        dataset = ColdWarmDataset(config, holds_out)
        if not is_registered(model_class):
            dataset = dataset.with_items(dataset.n_warm + 1)
        train, valid, test = data_preparation(config, dataset)
    if world_size() > 1:
        _require_same_files(dataset)
    if checkpoint is not None:
        found = data_fingerprint(dataset)
        check_data(config["dataset"], found, checkpoint.metadata.data, checkpoint.path)
    init_seed(config["seed"] + config["local_rank"], config["reproducibility"])
    if config["eval_step"]:
        check_validation(valid_metric, valid.dataset)
    with explained(f"{config['model']} with these settings"):
        model = _build(model_class, config, train, trainer)
    if not holds_out:  # a run within a run has the batches of the outer one
        _warn_of_few_steps(config, model, train)
    if checkpoint is not None:
        checkpoint.load_into(model)
        model.set_offsets(*checkpoint.metadata.offsets)
    copy_from_first(model)  # another processor may have rounded the content's map otherwise
    if rank() == 0:
        if not holds_out:  # a run within a run writes into its log
            _start_log(config, model)
    else:
        config["show_progress"] = False
        # The processes draw different dropout.
        torch.manual_seed(config["seed"] + rank())
    return Parts(config, dataset, train, valid, test, model, trainer)


def _warn_of_few_steps(config: RunConfig, model: Any, train: Any) -> None:
    """A batch of RecBole's default size may be a whole epoch here, and learn next to nothing."""
    n, size = len(train.dataset), config["train_batch_size"]
    by_window = isinstance(model, SequenceBackbone) and model.positions == "all"
    if by_window and size > SMALL_BATCH and n < FEW_STEPS * size:
        getLogger().warning(
            f"train_batch_size: {size} counts sequences here, a user's history each, and there are "
            f"{n}: {counted(-(-n // size), 'step')} an epoch. RecBole counts targets; for as "
            f"many steps as it would make, try train_batch_size: {SMALL_BATCH}."
        )


def _require_same_files(dataset: ColdWarmDataset) -> None:
    """Refuse nodes that have another copy of the data set; the content is compared where read."""
    digests, file = data_fingerprint(dataset), Path(dataset.dataset_path) / dataset.dataset_name
    require_same(f"rows ({file}.inter)", digests["rows"])
    require_same(f"items ({file}.item)", digests["items"])


def _build(model_class: Any, config: RunConfig, train: Any, trainer: type[ColdWarmTrainer]) -> Any:
    """The model, tried out where we train it: what RecBole checks, it checks by failing."""
    dataset = train.dataset
    fields = config["selected_features"] or []
    missing = [field for field in fields if field not in dataset.field2type]
    if missing:
        raise DeltaError(
            f"selected_features: {config['dataset']} has no {missing[0]!r} for {config['model']}; "
            "name fields of its .item file, and load them by load_col."
        )
    if not is_registered(model_class):
        model_class = _over_all_items(model_class, dataset)
    model = model_class(config, dataset).to(config["device"])
    learns = model.is_trained and any(each.requires_grad for each in model.parameters())
    # A training step of RecBole's own may call the loss in another way, as RecVAE's does.
    if learns and trainer._train_epoch is ColdWarmTrainer._train_epoch:
        _try_out(model, train)
    return model


def _over_all_items(model_class: Any, train: ColdWarmDataset) -> Any:
    """The class of a RecBole model, extended so that it scores every item of the data set."""
    name = model_class.__name__
    if issubclass(model_class, SequentialRecommender):
        front: type = WholeCatalogue
    elif name in BASELINES:
        front = BASELINES[name]
    else:
        front = GeneralCatalogue
        test = train.interactions.evaluation("test").user
        strangers = int((~torch.isin(test, train.instances.user)).sum())
        if strangers:
            getLogger().warning(
                f"{name} knows users by their training rows, and {strangers} of {len(test)} test "
                f"cases of {train.dataset_name} are of users who have none; these count as misses."
            )
    return type(name, (front, model_class), {})


@torch.no_grad()
def _try_out(model: Any, train: Any) -> None:
    """The loss of two instances, whatever it is, without a trace in the random numbers.

    Raises:
        DeltaError: the model is declared causal, and an output depends on a later item.
    """
    device = next(model.parameters()).device
    states = generator_states(train.generator, device)
    model.train()  # some make here what their loss reads, such as SGL's graphs
    model.eval()
    model.calculate_loss(train.collate_fn(list(range(min(2, len(train.dataset))))).to(device))
    looks_ahead = isinstance(model, SequenceBackbone) and model.causal and _looks_ahead(model)
    model.train()
    restore_generators(states, train.generator, device)
    if looks_ahead:
        raise DeltaError(
            f"{type(model).__name__} is declared causal, but its output depends on later items, so "
            "it would learn from the answer; remove causal = True from the class."
        )


def _looks_ahead(model: SequenceBackbone) -> bool:
    """Whether the output at a first item depends on the second one."""
    if model.max_seq_length < 2 or model.n_warm < 2:
        return False
    width = int(model.max_seq_length) if model.fixed_length else 2
    item_seq = torch.zeros(2, width, dtype=torch.int64, device=model_device(model))
    item_seq[:, 0] = 1
    item_seq[0, 1], item_seq[1, 1] = 1, 2
    first, _, other, _ = model.every_position(item_seq)
    return not torch.allclose(first, other, rtol=0, atol=LOOKS_AHEAD * float(first.abs().max()))


def _start_log(config: RunConfig, model: Any) -> None:
    """A log file for this run; RecBole's logger would go on with the one of the run before."""
    try:
        Path(config["checkpoint_dir"]).mkdir(parents=True, exist_ok=True)
    except (OSError, TypeError) as error:
        raise DeltaError(f"checkpoint_dir cannot be written to ({error}).") from error
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
    for remark in model.remarks():
        root.info(remark)
    for name in unused_settings(config):
        root.warning(f"{config['model']} has no setting {name}; it is ignored.")
    if asks_for_a_missing_gpu(config):
        root.warning("use_gpu: True, but torch finds no GPU here; the run is on the CPU.")


def _trainer_class(config: RunConfig) -> type[ColdWarmTrainer]:
    """RecBole's trainer of the model, with our evaluation in front."""
    if config["model"] in BASELINES:
        return UntrainedTrainer
    if is_registered(config.model_class):
        return trainer_of(config.model_class)
    if config["model"] in ELSEWHERE:
        raise DeltaError(f"{config['model']} does not run here: {ELSEWHERE[config['model']]}.")
    stock: type[Trainer] = get_trainer(config["MODEL_TYPE"], config["model"])
    if stock.fit is not Trainer.fit:
        raise DeltaError(
            f"{config['model']} has a training of its own in RecBole ({stock.__name__}), which "
            "does not know cold and warm; it does not run here."
        )
    # One with a training step of its own keeps it.
    own = {} if stock._train_epoch is Trainer._train_epoch else {"_train_epoch": stock._train_epoch}
    return type(f"ColdWarm{stock.__name__}", (ColdWarmTrainer, stock), own)
