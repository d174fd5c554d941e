"""Where the numbers of a run go: the log file, tensorboard and W&B."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from logging import Logger
from typing import Any

from recbole_delta.compute.distributed import rank
from recbole_delta.evaluator.labels import result_table


class RunLog:
    """Writes what a run finds, in its first process.

    Args:
        logger: RecBole's, of the log file and the terminal.
        tensorboard: a ``SummaryWriter``.
        wandb: RecBole's ``WandbLogger``, which writes nothing without ``log_wandb``.
        shows_cold: whether validation ranks cold items.

    Attributes:
        keeps_curves: whether tensorboard and W&B get the epochs; those of a training within a run
            are no curve of the run's.
    """

    def __init__(self, logger: Logger, tensorboard: Any, wandb: Any, shows_cold: bool) -> None:
        self._logger, self._tensorboard, self._wandb = logger, tensorboard, wandb
        self._shows_cold = shows_cold
        self.keeps_curves = True

    def epoch(self, head: str, values: Mapping[str, float], epoch: int, verbose: bool) -> None:
        """The numbers of an epoch.

        Args:
            head: ``train`` or ``valid``.
            values: by name.
            epoch: its number, from 0.
            verbose: whether the log file gets a line too.
        """
        if rank():
            return
        if head == "valid" and not self._shows_cold:
            values = {name: value for name, value in values.items() if "_cold@" not in name}
        if verbose:
            shown = (f"{name} {value:.4f}" for name, value in values.items() if name != "epoch")
            self._logger.info(f"epoch {epoch} {head}: {'  '.join(shown)}")
        if not self.keeps_curves:
            return
        for name, value in values.items():
            self._tensorboard.add_scalar(f"{head}/{name}", value, epoch)
        self._wandb.log_metrics({**values, f"{head}_step": epoch}, head=head)

    def test(self, modes: Sequence[Mapping[str, Any]], configured: int) -> None:
        """The test result: a table in the log file and in tensorboard, numbers in W&B's summary.

        Args:
            modes: JSON values of the evaluations in all modes.
            configured: which of them the settings ask for.
        """
        if rank():
            return
        table = result_table(modes)
        self._logger.info(f"test:\n{table}")
        self._tensorboard.add_text("test", table)
        self._tensorboard.flush()  # the process may end before its thread has written
        self._wandb.log_eval_metrics(modes[configured]["metrics"])
