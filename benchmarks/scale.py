"""Building the data set and training on it, from ten thousand to ten million interactions.

    python benchmarks/scale.py large              # 10 million interactions, 1 million items
    python benchmarks/scale.py large --recbole    # RecBole on the same, or until it fails
    python benchmarks/scale.py curves             # writes results/scale/cost.csv and cost.png

Made-up interactions, 20 a user; SASRec of dimension 64 and length 50, 128 sequences a batch,
content embeddings with a delta. Every measurement is a process of its own, its peak memory that of
the whole process. An epoch is the median of three steps times the number of steps.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from matplotlib.figure import Figure
from measure import DEVICE, alone, machine, make_up, parts, seconds
from recbole.data import create_dataset, data_preparation
from recbole.model.sequential_recommender import SASRec
from stock_curve import stock_config

from dataset_prep.files import replacing
from recbole_delta.compute.matmul import quick_float32
from recbole_delta.config.run_config import RunConfig
from recbole_delta.data.dataset import ColdWarmDataset

LOSSES = ("ce", "chunked", "sampled")


def build(data: Path) -> float:
    """Seconds to our data set and loaders."""
    settings = {"data_path": str(data.parent), "require_cold": False, "state": "ERROR"}
    config = RunConfig("SASRecDelta", data.name, config_dict=settings)
    return seconds(lambda: data_preparation(config, ColdWarmDataset(config)))


def train(data: Path, loss: str) -> tuple[float, int]:
    """Seconds of a step of ours, and steps an epoch."""
    made = parts("SASRecDelta", data, loss=loss)
    trainer = made.trainer(made.config, made.model)
    trainer._begin(made.train)
    with quick_float32(trainer.device):
        return _step(made.train, made.model, trainer.optimizer), len(made.train)


def train_recbole(data: Path) -> tuple[float, int]:
    """The same of RecBole's SASRec, 2,048 prefixes a batch as is its default."""
    config = stock_config(data, state="ERROR")
    started = time.perf_counter()
    loader, *_ = data_preparation(config, create_dataset(config))
    print(f"RecBole's data set: {time.perf_counter() - started:.1f} s", flush=True)
    model = SASRec(config, loader.dataset).to(DEVICE)
    return _step(loader, model, torch.optim.Adam(model.parameters())), len(loader)


def _step(loader: Any, model: Any, optimizer: torch.optim.Optimizer) -> float:
    def step(batch: Any) -> None:
        optimizer.zero_grad()
        model.calculate_loss(batch.to(DEVICE)).backward()
        optimizer.step()

    first, *others = list(islice(loader, 4))
    step(first)
    return statistics.median(
        seconds(lambda batch=batch: step(batch)) for batch in others or [first]
    )


def large(rows: int, items: int, stock: bool) -> None:
    """Print seconds and memory of one large data set."""
    with tempfile.TemporaryDirectory() as folder:
        data = make_up(Path(folder) / "made-up", rows, items)
        if stock:
            found = {"RecBole SASRec, data set and a step": alone(train_recbole, data)}
        else:
            found = {"data set": alone(build, data)}
            found |= {f"SASRecDelta, a step, {loss}": alone(train, data, loss) for loss in LOSSES}
    table = [
        {"what": name, "seconds": took[0] if isinstance(took, tuple) else took, "peak GiB": peak}
        for name, (took, peak) in found.items()
    ]
    print(f"{rows:,} interactions, {items:,} items; {machine()}\n")
    print(pd.DataFrame(table).to_markdown(index=False, floatfmt=".2f"))


def curves(out: Path) -> None:
    """Seconds of an epoch over interactions, and over items."""
    out.mkdir(parents=True, exist_ok=True)
    sizes = [(10**n, min(10**4, 10**n // 2)) for n in (4, 5, 6, 7)]
    sizes += [(2 * 10**6, 10**n) for n in (3, 4, 5, 6)]
    rows = []
    for interactions, items in sizes:
        with tempfile.TemporaryDirectory() as folder:
            data = make_up(Path(folder) / "made-up", interactions, items)
            versions = {loss: (train, data, loss) for loss in LOSSES}
            if interactions <= 10**6:
                versions["RecBole SASRec"] = (train_recbole, data)
            for name, call in versions.items():
                (step, steps), peak = alone(*call)
                cost = {"step": step, "epoch": step * steps, "GiB": peak}
                rows.append({"interactions": interactions, "items": items, "loss": name, **cost})
                print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    with replacing(out / "cost.csv") as temporary:
        table.to_csv(temporary, index=False, float_format="%.4f")
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    by_items = table["interactions"] == 2 * 10**6
    panels = zip(figure.subplots(1, 2), ("interactions", "items"), (~by_items, by_items))
    for axes, column, chosen in panels:
        for name, part in table[chosen].groupby("loss", sort=False):
            axes.plot(part[column], part["epoch"], marker=".", label=name)
        axes.set(xlabel=column, ylabel="seconds an epoch", xscale="log", yscale="log")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    figure.savefig(out / "cost.png", dpi=150)


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    at_once = commands.add_parser("large")
    at_once.add_argument("--rows", type=float, default=1e7)
    at_once.add_argument("--items", type=float, default=1e6)
    at_once.add_argument("--recbole", action="store_true")
    commands.add_parser("curves").add_argument("--out", type=Path, default=Path("results/scale"))
    given = parser.parse_args()
    if given.command == "large":
        large(int(given.rows), int(given.items), given.recbole)
    else:
        curves(given.out)


if __name__ == "__main__":
    main()
