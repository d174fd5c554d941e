"""The trainers that RecBole's own runner gets."""

from __future__ import annotations

from typing import Any

from recbole_delta.quick_start.calibrate import calibrate
from recbole_delta.trainer.trainer import ColdWarmTrainer


def calibrating(trainer: type[ColdWarmTrainer]) -> type[ColdWarmTrainer]:
    """A trainer whose :meth:`fit` ends with the offsets of ``cold_offset`` and ``warm_offset``.

    RecBole's runner knows a training and an evaluation, and nothing between them.

    Args:
        trainer: a trainer of ours.
    """

    class CalibratingTrainer(trainer):  # type: ignore[valid-type, misc]
        def fit(
            self,
            train_data: Any,
            valid_data: Any = None,
            verbose: bool = True,
            saved: bool = True,
            *args: Any,
            **kwargs: Any,
        ) -> Any:
            """What the other trainer's does, and the choice of the offsets after it."""
            found = super().fit(train_data, valid_data, verbose, saved, *args, **kwargs)
            if valid_data is not None:
                if saved:
                    self.load_best()
                calibrate(self, valid_data.dataset, saved)
            return found

    return CalibratingTrainer
