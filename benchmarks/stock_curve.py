"""Stock SASRec beside ours at equal settings: validation NDCG@10 over epochs and seconds.

    python benchmarks/stock_curve.py --data demo/dataset --dataset ml-100k-holdout-random

RecBole's SASRec trains on one prefix a target (2,048 prefixes a batch, RecBole's default), ours
at every position (32 windows a batch, the demo's). Architecture, learning rate, seed, split and
evaluation are the same; both rank the warm items. Writes curves.csv and curves.png.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

import recbole_delta

EQUAL = {
    "hidden_size": 64,
    "inner_size": 64,
    "n_heads": 1,
    "hidden_dropout_prob": 0.3,
    "attn_dropout_prob": 0.3,
    "learning_rate": 1e-3,
    "seed": 42,
    "stopping_step": 10**6,
    "state": "WARNING",
}


LABELS = {"SASRecDelta": "SASRecDelta, item_embedding: id", "SASRec": "RecBole SASRec"}


def curve(model: str, data: Path, dataset: str, out: Path, **settings: Any) -> pd.DataFrame:
    """One row an epoch: model, epoch, seconds trained so far, validation NDCG@10."""
    places = {"data_path": str(data), "checkpoint_dir": str(out / "saved")}
    result = recbole_delta.run(model, dataset, settings={**EQUAL, **places, **settings})
    rows = pd.DataFrame(result.curve)
    rows["seconds"] = rows["seconds"].cumsum()
    rows["model"] = model
    rows["test_ndcg_warm@10"] = result.test_result["ndcg_warm@10"]
    kept = ["model", "epoch", "seconds", "train_loss", "ndcg_warm@10", "test_ndcg_warm@10"]
    return rows[kept].round(5)


def main() -> None:
    """Run both models and write the curves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of data sets")
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--stock-epochs", type=int, default=14)
    parser.add_argument("--our-epochs", type=int, default=30)
    parser.add_argument("--out", type=Path, default=Path("results/ml-100k-stock-curve"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    where = (given.data, given.dataset, given.out)
    ours = {"item_embedding": "id", "train_batch_size": 32}
    curves = pd.concat(
        [
            curve("SASRecDelta", *where, epochs=given.our_epochs, **ours),
            curve("SASRec", *where, epochs=given.stock_epochs, train_batch_size=2048),
        ]
    )
    curves.to_csv(given.out / "curves.csv", index=False)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, column, scale in zip(figure.subplots(1, 2), ("epoch", "seconds"), ("linear", "log")):
        for model, rows in curves.groupby("model", sort=False):
            axes.plot(rows[column], rows["ndcg_warm@10"], marker=".", label=LABELS[model])
        axes.set(xlabel=f"{column} of training", ylabel="validation NDCG@10 (warm)", xscale=scale)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    figure.savefig(given.out / "curves.png", dpi=150)
    best = curves.groupby("model")[["ndcg_warm@10", "test_ndcg_warm@10"]].max()
    per_epoch = curves.groupby("model")["seconds"].max() / curves.groupby("model").size()
    print(best.assign(seconds_per_epoch=per_epoch).to_markdown(floatfmt=".4f"))


if __name__ == "__main__":
    main()
