"""RecBole's own SASRec on ml-100k, untouched, and ours: validation NDCG@10 over epochs and seconds.

    python -m dataset_prep ml-100k --protocol leave_one_out --out dataset
    python benchmarks/stock_curve.py --data dataset/ml-100k-leave_one_out
    python benchmarks/stock_curve.py --data dataset/ml-100k-leave_one_out --ours 42 221 451

RecBole's data set, trainer, evaluator and defaults; our package only lets it import on a current
stack. An hour on a CPU: a row is appended to the curve after every epoch, and early stopping is
RecBole's. Ours, a run for each seed, has the same architecture, dropout and early stopping, ranks
as RecBole does (nothing masked), and draws the picture of both.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from recbole_delta.integration import compat

compat.prepare()

from recbole.config import Config  # noqa: E402
from recbole.data import create_dataset, data_preparation  # noqa: E402
from recbole.model.sequential_recommender import SASRec  # noqa: E402
from recbole.trainer import Trainer  # noqa: E402
from recbole.utils import init_seed  # noqa: E402

from recbole_delta import run  # noqa: E402


def stock_config(data: Path, model: Any = SASRec, **settings: Any) -> Config:
    """RecBole's defaults for SASRec, on the rows that dataset_prep has put in order."""
    sys.argv = sys.argv[:1]  # RecBole's Config reads the arguments of whatever program it is in
    given = {
        "data_path": str(data.parent),
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full"},
        "train_neg_sample_args": None,
        "metrics": ["NDCG", "Hit", "MRR"],
        "topk": [10],
        "valid_metric": "NDCG@10",
        "show_progress": False,
        "state": "WARNING",
        "seed": 42,
    }
    return Config(model.__name__, data.name, config_dict={**given, **settings})


class TimedTrainer(Trainer):
    """RecBole's trainer, noting how long each epoch trains."""

    seconds = 0.0

    def _train_epoch(self, *args: Any, **kwargs: Any) -> Any:
        started = perf_counter()
        loss = super()._train_epoch(*args, **kwargs)
        self.seconds += perf_counter() - started
        return loss


def ours(data: Path, seeds: list[int], out: Path) -> None:
    """Train ours with each seed, and draw its curves beside RecBole's."""
    settings = {
        "data_path": str(data.parent),
        "checkpoint_dir": str(out / "saved"),
        "item_embedding": "id",
        "require_cold": False,
        "mask_history": False,
        "train_batch_size": 32,
        "n_heads": 2,
        "inner_size": 256,
        "hidden_dropout_prob": 0.5,
        "attn_dropout_prob": 0.5,
        "stopping_step": 10,
        "epochs": 300,
        "state": "WARNING",
        "show_progress": False,
    }
    curves = []
    for seed in seeds:
        result = run("SASRecDelta", data.name, settings={**settings, "seed": seed})
        rows = pd.DataFrame(result.curve).rename(columns={"ndcg@10": "valid_ndcg@10"})
        rows["train_seconds"] = rows["seconds"].cumsum().round(1)
        columns = ["seed", "epoch", "train_seconds", "train_loss", "valid_ndcg@10"]
        curves.append(rows.assign(seed=seed)[columns].round(5))
        print(seed, result.best_valid_score, result.test_result, flush=True)
    pd.concat(curves).to_csv(out / "ours.csv", index=False)
    draw(out)


def draw(out: Path) -> None:
    """The curves of both, over epochs and over seconds."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    mine = pd.read_csv(out / "ours.csv").groupby("seed", sort=False)
    curves = [(f"SASRecDelta, id, seed {seed}", rows) for seed, rows in mine]
    curves.append(("RecBole SASRec", pd.read_csv(out / "stock.csv")))
    over_epochs, over_seconds = figure.subplots(1, 2, sharey=True)
    for axes, column in ((over_epochs, "epoch"), (over_seconds, "train_seconds")):
        for label, rows in curves:
            axes.plot(rows[column], rows["valid_ndcg@10"], marker=".", label=label)
        axes.set_xlabel(column.replace("_", " "))
        axes.spines[["top", "right"]].set_visible(False)
    over_epochs.set_ylabel("validation NDCG@10")
    over_epochs.legend(frameon=False)
    over_seconds.set_xscale("log")
    figure.savefig(out / "curves.png", dpi=150)


def main() -> None:
    """Train until RecBole stops, and test its best epoch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--ours", type=int, nargs="+", metavar="SEED", help="of our runs")
    parser.add_argument("--out", type=Path, default=Path("results/ml-100k-stock-curve"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.ours:
        ours(given.data, given.ours, given.out)
        return
    config = stock_config(given.data, epochs=given.epochs, checkpoint_dir=str(given.out / "saved"))
    init_seed(config["seed"], config["reproducibility"])
    train, valid, test = data_preparation(config, create_dataset(config))
    trainer = TimedTrainer(config, SASRec(config, train.dataset).to(config["device"]))
    with (given.out / "stock.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["epoch", "train_seconds", "train_loss", "valid_ndcg@10"])

        def note(epoch: int, score: float) -> None:
            loss = trainer.train_loss_dict[epoch] / len(train)
            rows.writerow([epoch, f"{trainer.seconds:.1f}", f"{loss:.5f}", f"{score:.4f}"])
            file.flush()

        trainer.fit(train, valid, callback_fn=note)
    print(dict(trainer.evaluate(test)))


if __name__ == "__main__":
    main()
