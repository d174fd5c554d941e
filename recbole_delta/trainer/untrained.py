"""The trainer of a baseline that is computed, not trained; which model has which trainer."""

from __future__ import annotations

from typing import Any

from recbole_delta.evaluator.recbole_metrics import check_validation
from recbole_delta.trainer.trainer import ColdWarmTrainer


class UntrainedTrainer(ColdWarmTrainer):
    """``ColdWarmTrainer`` for a model that has nothing to train: validates once and saves."""

    def _build_optimizer(self, **kwargs: Any) -> None:
        return None

    def fit(
        self,
        train_data: Any,
        valid_data: Any = None,
        verbose: bool = True,
        saved: bool = True,
        *_: Any,
        **__: Any,
    ) -> tuple[float, dict[str, float] | None]:
        """Validate once and save.

        Args:
            train_data: RecBole data loader of the training data.
            valid_data: RecBole data loader of the validation cases, or None.
            verbose: log where the checkpoint is.
            saved: write a checkpoint.

        Returns:
            value of ``valid_metric``, and all validation metrics; None without validation.

        Raises:
            DeltaError: ``valid_metric`` has no value on the validation data.
        """
        self._begin(train_data)
        if valid_data:
            check_validation(self.valid_metric, valid_data.dataset)
            self.best_valid_score, self.best_valid_result = self._valid_epoch(valid_data)
        if saved:
            self._save_checkpoint(0, verbose=verbose)
        return self.best_valid_score, self.best_valid_result


def trainer_of(model: type) -> type[ColdWarmTrainer]:
    """The trainer of one of our models.

    Args:
        model: a class that knows whether it ``is_trained``.
    """
    return ColdWarmTrainer if model.is_trained else UntrainedTrainer  # type: ignore[attr-defined]
