"""RecBole's trainer with our training step, the cold/warm evaluation and a checkpoint of ours."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from recbole.trainer import Trainer
from recbole.utils import get_local_time
from torch.nn.utils import clip_grad_norm_
from tqdm import tqdm

from dataset_prep.errors import DeltaError
from recbole_delta.compute.determinism import repeatable
from recbole_delta.compute.distributed import copy_from_first, mean, of_first, rank, shared_loss
from recbole_delta.compute.matmul import quick_float32
from recbole_delta.config.settings import DeltaSettings
from recbole_delta.evaluator.evaluate import Evaluation, Mode, evaluate_modes
from recbole_delta.evaluator.recbole_metrics import (
    check_valid_metric,
    check_validation,
    wanted_metrics,
)
from recbole_delta.trainer.checkpoint import Checkpoint
from recbole_delta.trainer.loss_sum import LossSum
from recbole_delta.trainer.optimizer import project, quicker
from recbole_delta.trainer.run_log import RunLog
from recbole_delta.trainer.run_state import NOT_RESUMABLE, RunState


class ColdWarmTrainer(Trainer):
    """RecBole's ``Trainer``, different in four points.

    The training step is spelt out here, with the projection of the deltas as its last line.
    Evaluation reports every metric for cold, warm and all targets, unrounded. Early stopping
    compares these values strictly: RecBole rounds to four decimals and takes a tie for an
    improvement. Checkpoints are safetensors with a name of their own.

    In front of another RecBole trainer in a class's bases it gives that one the last three.

    Args:
        config: a RecBole ``Config``.
        model: a :class:`recbole_delta.model.contract.CatalogueModel`.

    Raises:
        DeltaError: ``valid_metric`` is not among the metrics.
    """

    best_valid_score: float
    best_valid_result: dict[str, float] | None
    cur_step: int
    log: RunLog
    """Where the numbers of the run go."""

    def __init__(self, config: Any, model: Any) -> None:
        super().__init__(config, model)
        self.settings = DeltaSettings.from_config(config)
        self.metrics = wanted_metrics(config["metrics"])
        check_valid_metric(self.valid_metric, self.metrics, config["topk"])
        name = f"{config['model']}-{config['dataset']}-{get_local_time()}-{uuid.uuid4().hex[:8]}"
        self.saved_model_file = of_first(str(Path(self.checkpoint_dir) / f"{name}.safetensors"))
        # Where cold items are no candidates, their zeros would look like a failure.
        shows_cold = self.settings.valid_candidates == "all"
        self.log = RunLog(self.logger, self.tensorboard, self.wandblogger, shows_cold)
        self.curve: list[dict[str, float]] = []
        """One entry an epoch: ``epoch``, ``train_loss``, ``seconds`` and validation metrics."""
        self._resumed: Checkpoint | None = None

    def fit(
        self,
        train_data: Any,
        valid_data: Any = None,
        verbose: bool = True,
        saved: bool = True,
        show_progress: bool = False,
        callback_fn: Callable[[int, float], None] | None = None,
    ) -> tuple[float, dict[str, float] | None]:
        """Train, validate every ``eval_step`` epochs, keep the best; as RecBole's ``fit``.

        Raises:
            DeltaError: ``valid_metric`` has no value on the validation data, or the loss is NaN.
        """
        self._begin(train_data)
        validates = self._has_validation(valid_data)
        for epoch in range(self.start_epoch, self.epochs):
            entry = self._timed_epoch(train_data, epoch, show_progress)
            self.curve.append(entry)
            self.log.epoch("train", entry, epoch, verbose)
            improved = not validates  # without validation, the last epoch is kept
            if validates:
                if (epoch + 1) % self.eval_step:
                    continue
                score, result = self._valid_epoch(valid_data, show_progress=show_progress)
                entry.update(result)
                self.log.epoch("valid", result, epoch, verbose)
                improved = score > self.best_valid_score
                self.cur_step = 0 if improved else self.cur_step + 1
                if improved:
                    self.best_valid_score, self.best_valid_result = score, result
            if improved and saved:
                self._save_checkpoint(epoch, verbose=verbose)
            if validates and callback_fn:
                callback_fn(epoch, score)
            if self.cur_step > self.stopping_step:
                break
        return self.best_valid_score, self.best_valid_result

    def _train_epoch(
        self,
        train_data: Any,
        epoch_idx: int,
        loss_func: Callable[[Any], Any] | None = None,
        show_progress: bool = False,
    ) -> float:
        """One pass over the training data; the sum of the losses of its batches."""
        self.model.train()
        loss_of = loss_func or self._loss
        scaler = torch.amp.GradScaler(self.device.type, enabled=self.enable_scaler)
        losses_of = LossSum(self._check_nan)
        for batch in train_data:
            interaction = batch.to(self.device)
            self.optimizer.zero_grad()
            with torch.autocast(self.device.type, enabled=self.enable_amp):
                losses = loss_of(interaction)
            # Some of RecBole's models give the parts of their loss.
            loss: Any = sum(losses) if isinstance(losses, tuple) else losses
            losses_of.add(loss)
            scaler.scale(loss).backward()
            if self.clip_grad_norm:
                scaler.unscale_(self.optimizer)  # RecBole clips gradients that are still scaled
                clip_grad_norm_(self.model.parameters(), **self.clip_grad_norm)
            scaler.step(self.optimizer)
            scaler.update()
            project(self.model, self.optimizer)
        return losses_of.total()

    def evaluate(
        self,
        eval_data: Any,
        load_best_model: bool = True,
        model_file: str | None = None,
        show_progress: bool = False,
    ) -> OrderedDict[str, float] | None:
        """Metrics in the configured mode, unrounded: ``ndcg@10``, ``ndcg_cold@10``, ..."""
        if not eval_data:
            return None
        if load_best_model:
            self.load_best(model_file)
        [evaluation] = self.evaluate_modes(
            eval_data, [self.configured_mode(eval_data)], show_progress
        )
        result = OrderedDict(evaluation.metrics(self.metrics, self.config["topk"]))
        if _is_test(eval_data):
            self.wandblogger.log_eval_metrics(result)
        return result

    def evaluate_modes(
        self, eval_data: Any, modes: Sequence[Mode], show_progress: bool = False
    ) -> list[Evaluation]:
        """Rank the targets of ``eval_data`` in each mode with the model as it is."""
        return evaluate_modes(
            self.model,
            eval_data.dataset,
            modes,
            batch_size=self.config["eval_batch_size"],
            k=max(self.config["topk"]),
            show_progress=show_progress,
        )

    def configured_mode(self, eval_data: Any) -> Mode:
        """The mode that the settings ask for on this data: validation or test."""
        settings = self.settings
        candidates = settings.test_candidates if _is_test(eval_data) else settings.valid_candidates
        return Mode(candidates, settings.cold_history)

    def load_best(self, model_file: str | None = None) -> None:
        """Load the weights of the best epoch, or weights and offsets of another checkpoint.

        Raises:
            DeltaError: the file is missing, damaged, or holds another model's state.
        """
        if model_file is not None or rank() == 0:
            checkpoint = Checkpoint.load(model_file or self.saved_model_file)
            checkpoint.load_into(self.model)
            if model_file is not None:
                self.model.set_offsets(*checkpoint.metadata.offsets)
        copy_from_first(self.model)

    def resume_checkpoint(self, resume_file: str | Path) -> None:
        """Go on after the epoch of ``resume_file``, as if training had not stopped there.

        Raises:
            DeltaError: the file is not a checkpoint of this model, or the model keeps something
                that no checkpoint holds; :meth:`fit` refuses one of another data set.
        """
        if self.config["model"] in NOT_RESUMABLE:
            raise DeltaError(
                f"RecBole's {self.config['model']} counts its steps, or keeps its losses, outside "
                "of what a checkpoint holds, and would go on to other numbers; train it anew."
            )
        checkpoint = Checkpoint.load(resume_file)
        metadata = checkpoint.metadata
        if metadata.settings["model"] != self.config["model"]:
            raise DeltaError(
                f"{resume_file} holds a {metadata.settings['model']}, not a {self.config['model']}."
            )
        checkpoint.load_into(self.model, self.optimizer)
        self.saved_model_file = str(resume_file)
        self.start_epoch, self.cur_step = metadata.epoch + 1, metadata.cur_step
        self.best_valid_score = metadata.best_valid_score
        self.best_valid_result = metadata.best_valid_result
        self.curve = list(metadata.curve)
        self._resumed = checkpoint

    # -- inside ----------------------------------------------------------------------------

    def _build_optimizer(self, **kwargs: Any) -> torch.optim.Optimizer | None:
        kwargs.setdefault("params", [p for p in self.model.parameters() if p.requires_grad])
        return quicker(super()._build_optimizer(**kwargs), self.model.updates_rows)

    def _begin(self, train_data: Any) -> None:
        """Take the training data, and over it what a resumed checkpoint says of it.

        Offsets of earlier weights are taken off: they are chosen once training is over.
        """
        self.model.set_offsets()
        self._loss = shared_loss(self.model, self.model.row_tables())
        self._state = RunState(train_data, self.device)
        checkpoint, self._resumed = self._resumed, None
        if checkpoint is not None:
            self._state.go_on_from(checkpoint)

    def _has_validation(self, valid_data: Any) -> bool:
        """Whether to validate; :class:`DeltaError` where it would say nothing."""
        if valid_data is None or self.eval_step <= 0:
            return False
        check_validation(self.valid_metric, valid_data.dataset)
        if not valid_data:
            name = valid_data.dataset.dataset_name
            self.logger.warning(f"{name} has no validation targets: no early stopping.")
        return bool(valid_data)

    def _timed_epoch(self, train_data: Any, epoch: int, show_progress: bool) -> dict[str, float]:
        """Train for an epoch; its entry of :attr:`curve`."""
        started = perf_counter()
        self._epoch = epoch
        train_data.dataset.draw_windows(train_data.generator)
        best = f", best {self.best_valid_score:.4f}" if self.best_valid_result else ""
        bar = tqdm(
            train_data, f"epoch {epoch}{best}", leave=False, disable=None if show_progress else True
        )
        repeats = self.config["reproducibility"]
        with quick_float32(self.device), repeatable(self.device, repeats):
            total = self._train_epoch(bar, epoch, self._loss)
        # A trainer of RecBole's own may give the sums of the parts of its loss.
        loss = sum(total) if isinstance(total, tuple) else mean(total)
        seconds = perf_counter() - started
        return {"epoch": epoch, "train_loss": loss / len(train_data), "seconds": seconds}

    def _check_nan(self, loss: torch.Tensor) -> None:
        if torch.isnan(loss):
            raise DeltaError(
                f"The training loss became NaN in epoch {self._epoch}; lower learning_rate."
            )

    def _save_checkpoint(self, epoch: int, verbose: bool = True, **kwargs: Any) -> None:
        path = kwargs.pop("saved_model_file", self.saved_model_file)
        self._state.save(self, epoch, path)
        if verbose and rank() == 0:
            self.logger.info(f"Saved {path}")


def _is_test(eval_data: Any) -> bool:
    """Whether a data loader is of the test cases."""
    return eval_data.dataset.instances.split == "test"
