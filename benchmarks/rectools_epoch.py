"""Seconds of an epoch of RecTools' SASRec, in an environment of its own.

    python3.11 -m venv rectools && rectools/bin/pip install "rectools[torch]"
    rectools/bin/python benchmarks/rectools_epoch.py FOLDER DIM LENGTH HEADS BATCH

It has NumPy 1, and so cannot stand beside ours; ``train_epoch.py --rectools rectools/bin/python``
starts it in its turn. The second epoch is timed, by the trainer's own callback; it sees the last
LENGTH + 1 training items of a user.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
from pytorch_lightning import Callback, Trainer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel


class Clock(Callback):
    """Notes when each epoch ends; for the class, since RecTools copies its trainer."""

    ends: ClassVar[list[float]] = []

    def on_train_epoch_end(self, *_: Any) -> None:
        """Lightning calls this."""
        self.ends.append(time.perf_counter())


def main(folder: str, dim: str, length: str, heads: str, batch: str) -> None:
    """Train two epochs and print what the second took."""
    rows = pd.read_csv(Path(folder) / f"{Path(folder).name}.inter", sep="\t")
    rows = rows[rows["split:token"] == "train"]
    interactions = pd.DataFrame(
        {
            Columns.User: rows["user_id:token"],
            Columns.Item: rows["item_id:token"],
            Columns.Weight: 1.0,
            Columns.Datetime: pd.to_datetime(range(len(rows)), unit="s"),
        }
    )

    def trainer() -> Trainer:
        return Trainer(
            max_epochs=2,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[Clock()],
        )

    model = SASRecModel(
        n_blocks=2,
        n_heads=int(heads),
        n_factors=int(dim),
        session_max_len=int(length),
        batch_size=int(batch),
        get_trainer_func=trainer,
    )
    model.fit(Dataset.construct(interactions))
    print(Clock.ends[1] - Clock.ends[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
