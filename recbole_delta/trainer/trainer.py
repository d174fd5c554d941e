"""RecBole's trainer with the cold/warm evaluation, the projection and a checkpoint of our own."""

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
from tqdm import tqdm

from dataset_prep.errors import DeltaError
from recbole_delta._version import versions
from recbole_delta.compute.distributed import copy_from_first, gather, mean, rank, shared_loss
from recbole_delta.compute.matmul import quick_float32
from recbole_delta.config.run_config import run_settings
from recbole_delta.config.settings import DeltaSettings
from recbole_delta.data.fingerprint import check_data, data_fingerprint, encoding
from recbole_delta.embedding.base import ContentEmbedding
from recbole_delta.evaluator.evaluate import Evaluation, Mode, evaluate_modes
from recbole_delta.evaluator.recbole_metrics import (
    check_valid_metric,
    check_validation,
    wanted_metrics,
)
from recbole_delta.trainer.checkpoint import (
    Checkpoint,
    catalogue_of,
    generator_states,
    restore_generators,
)
from recbole_delta.trainer.row_adam import RowAdam


class ColdWarmTrainer(Trainer):
    """RecBole's ``Trainer``, different in three points.

    Evaluation reports every metric for cold, warm and all targets, unrounded. Early stopping
    compares these values strictly: RecBole rounds to four decimals and takes a tie for an
    improvement. Checkpoints are safetensors with a name of their own.

    In front of another RecBole trainer in a class's bases it gives that one the same.
    """

    best_valid_score: float
    best_valid_result: dict[str, float] | None
    cur_step: int

    def __init__(self, config: Any, model: torch.nn.Module) -> None:
        super().__init__(config, model)
        self.settings = DeltaSettings.from_config(config)
        self.metrics = wanted_metrics(config["metrics"])
        check_valid_metric(self.valid_metric, self.metrics, config["topk"])
        name = f"{config['model']}-{config['dataset']}-{get_local_time()}-{uuid.uuid4().hex[:8]}"
        self.saved_model_file = str(Path(self.checkpoint_dir) / f"{name}.safetensors")
        self.curve: list[dict[str, float]] = []
        """One entry an epoch: ``epoch``, ``train_loss``, ``seconds`` and validation metrics."""

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
            DeltaError: ``valid_metric`` has no value on the validation data.
        """
        self._begin(train_data)
        evaluates = bool(valid_data) and self.eval_step > 0
        if valid_data is not None and self.eval_step > 0:
            check_validation(self.valid_metric, valid_data.dataset)
            if not evaluates:
                name = valid_data.dataset.dataset_name
                self.logger.warning(f"{name} has no validation targets: no early stopping.")
        for epoch in range(self.start_epoch, self.epochs):
            started = perf_counter()
            best = f", best {self.best_valid_score:.4f}" if self.best_valid_result else ""
            bar = tqdm(train_data, f"epoch {epoch}{best}", leave=False, disable=not show_progress)
            loss = self._finite_epoch(bar, epoch)
            entry = {"epoch": epoch, "train_loss": loss / len(train_data)}
            entry["seconds"] = perf_counter() - started
            self.curve.append(entry)
            self._log("train", entry, epoch, verbose)
            if not evaluates:
                if saved:
                    self._save_checkpoint(epoch, verbose=verbose)
                continue
            if (epoch + 1) % self.eval_step:
                continue
            score, result = self._valid_epoch(valid_data, show_progress=show_progress)
            entry.update(result)
            self._log("valid", result, epoch, verbose)
            improved = score > self.best_valid_score
            self.cur_step = 0 if improved else self.cur_step + 1
            if improved:
                self.best_valid_score, self.best_valid_result = score, result
                if saved:
                    self._save_checkpoint(epoch, verbose=verbose)
            if callback_fn:
                callback_fn(epoch, score)
            if self.cur_step > self.stopping_step:
                break
        return self.best_valid_score, self.best_valid_result

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
        self.wandblogger.log_eval_metrics(result, head="eval")
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
            show_progress=show_progress,
        )

    def configured_mode(self, eval_data: Any) -> Mode:
        """The mode that the settings ask for on this data: validation or test."""
        is_test = eval_data.dataset.instances.split == "test"
        settings = self.settings
        candidates = settings.test_candidates if is_test else settings.valid_candidates
        return Mode(candidates, settings.cold_history)

    def load_best(self, model_file: str | None = None) -> None:
        """Load the weights of the best epoch, or of another checkpoint.

        Raises:
            DeltaError: as :meth:`Checkpoint.load`.
        """
        if model_file is not None or rank() == 0:
            Checkpoint.load(model_file or self.saved_model_file).load_into(self.model)
        copy_from_first(self.model)

    def resume_checkpoint(self, resume_file: str | Path) -> None:
        """Go on after the epoch of ``resume_file``, as if training had not stopped there.

        Raises:
            DeltaError: the file is not a checkpoint of this model; :meth:`fit` refuses one of
                another data set.
        """
        checkpoint = Checkpoint.load(resume_file)
        model = checkpoint.facts["settings"]["model"]
        if model != self.config["model"]:
            raise DeltaError(f"{resume_file} holds a {model}, not a {self.config['model']}.")
        checkpoint.load_into(self.model, self.optimizer)
        self.saved_model_file = str(resume_file)
        facts = checkpoint.facts
        self.start_epoch, self.cur_step = facts["epoch"] + 1, facts["cur_step"]
        self.best_valid_score = facts["best_valid_score"]
        self.best_valid_result = facts["best_valid_result"]
        self.curve = facts["curve"]
        self._resumed = checkpoint

    # -- inside ----------------------------------------------------------------------------

    def _build_optimizer(self, **kwargs: Any) -> torch.optim.Optimizer | None:
        kwargs.setdefault("params", [p for p in self.model.parameters() if p.requires_grad])
        optimizer = super()._build_optimizer(**kwargs)
        embedding: Any = getattr(self.model, "item_embedding", None)
        bounded = embedding.bounded if isinstance(embedding, ContentEmbedding) else None

        def project(table: torch.Tensor, rows: torch.Tensor) -> None:
            if table is bounded:
                embedding.project_(rows)

        if getattr(self.model, "updates_rows", False):
            return RowAdam(kwargs["params"], optimizer.defaults["lr"], project)
        if type(optimizer) in (torch.optim.Adam, torch.optim.AdamW):
            # One pass over the moments instead of one for each operation.
            given = {name: optimizer.defaults[name] for name in ("lr", "weight_decay")}
            optimizer = type(optimizer)(kwargs["params"], **given, fused=True)
        if bounded is not None:
            optimizer.register_step_post_hook(lambda *_: embedding.project_())
        return optimizer

    def _train_epoch(self, *args: Any, **kwargs: Any) -> Any:
        self._train_data.dataset.draw_windows(self._train_data.generator)
        with quick_float32(self.device):
            loss = super()._train_epoch(*args, loss_func=self._loss, **kwargs)
        return sum(loss) if isinstance(loss, tuple) else mean(loss)

    def _save_checkpoint(self, epoch: int, verbose: bool = True, **kwargs: Any) -> None:
        facts = {
            "settings": run_settings(self.config),
            "data": self._fingerprint,
            "content": self._encoding,
            "epoch": epoch,
            "cur_step": self.cur_step,
            "best_valid_score": self.best_valid_score,
            "best_valid_result": self.best_valid_result,
            "curve": self.curve,
            "versions": versions(),
        }
        optimizer = self.optimizer.state_dict() if self.optimizer else {}
        generators = generator_states(self._train_data.generator)
        others = gather(generators["torch"])[1:]
        generators |= {f"torch of process {n}": state for n, state in enumerate(others, 1)}
        path = kwargs.pop("saved_model_file", self.saved_model_file)
        if rank():
            return
        state = self.model.state_dict()
        Checkpoint(state, optimizer, generators, facts, self._catalogue).save(path)
        if verbose:
            self.logger.info(f"Saved {path}")

    def _finite_epoch(self, batches: Any, epoch: int) -> Any:
        try:
            return self._train_epoch(batches, epoch)
        except ValueError as error:
            if "nan" not in str(error):
                raise
            raise DeltaError(
                f"The training loss became NaN in epoch {epoch}; lower learning_rate."
            ) from error

    def _begin(self, train_data: Any) -> None:
        """Take the training data, and over it what a resumed checkpoint says of it."""
        self._train_data = train_data
        self._loss = shared_loss(self.model)
        data = train_data.dataset
        self._fingerprint, self._encoding = data_fingerprint(data), encoding(data)
        self._catalogue = catalogue_of(data.item_tokens[1:].tolist(), data.train_counts())
        checkpoint = self.__dict__.pop("_resumed", None)
        if checkpoint is not None:
            name, expected = train_data.dataset.dataset_name, checkpoint.facts["data"]
            check_data(name, self._fingerprint, expected, self.saved_model_file)
            try:
                restore_generators(checkpoint.generators, train_data.generator)
                if rank():
                    torch.set_rng_state(checkpoint.generators[f"torch of process {rank()}"])
            except (KeyError, ValueError, TypeError, RuntimeError, OverflowError) as error:
                raise DeltaError(
                    f"{checkpoint.path} lacks the random state to go on from; train again."
                ) from error

    def _log(self, head: str, values: dict[str, float], epoch: int, verbose: bool) -> None:
        if rank():
            return
        shown = "  ".join(f"{name} {value:.4f}" for name, value in values.items())
        if verbose:
            self.logger.info(f"epoch {epoch} {head}: {shown}")
        for name, value in values.items():
            self.tensorboard.add_scalar(f"{head}/{name}", value, epoch)
        self.wandblogger.log_metrics({**values, f"{head}_step": epoch}, head=head)
