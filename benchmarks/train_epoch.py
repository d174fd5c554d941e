"""Seconds of a training epoch: ours beside RecBole's, a plain PyTorch loop and the bare products.

    python -m dataset_prep ml-100k --protocol leave_one_out --out dataset
    python benchmarks/train_epoch.py dataset/ml-100k-leave_one_out --dim 64 --length 50 \
        --heads 2 --inner 256 --batch 32
    python benchmarks/train_epoch.py dataset/amazon-2014-paper --dim 128 --length 64 \
        --heads 1 --inner 128 --batch 128 --mode delta

All take turns on all cores. Ours are whole epochs of the trainer; of the others some batches are
timed and scaled to an epoch. RecBole trains on its own prefixes (2,048 a batch),
once as it is and once without autograd's anomaly detection, which importing its models switches on.
The floor is the products of an epoch's steps alone, forward and backward, of logits and of linear
layers, each into memory that is there, in float32 by the quicker of torch's two libraries.
"""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from measure import DEVICE, SCRATCH, in_turn, machine, parts, seconds
from plain_loop import PlainSASRec, steps
from recbole.data import create_dataset, data_preparation
from recbole.model.sequential_recommender import GRU4Rec, SASRec
from recbole.trainer import Trainer
from stock_curve import stock_config

from recbole_delta.compute.matmul import quick_float32
from recbole_delta.model.sequence import next_items


def ours(data: Path, model: str, settings: dict[str, Any], loss: str) -> Callable[[], float]:
    """Whole epochs of our trainer."""
    made = parts(model, data, **settings, loss=loss)
    trainer = made.trainer(made.config, made.model)
    trainer._begin(made.train)
    return lambda: trainer._timed_epoch(made.train, 0, show_progress=False)["seconds"]


def recbole(data: Path, model: type, n: int, anomaly: bool, **settings: Any) -> Callable[[], float]:
    """``n`` batches of RecBole's own data set and trainer, scaled to an epoch."""
    config = stock_config(data, checkpoint_dir=SCRATCH, model=model, **settings)
    train, *_ = data_preparation(config, create_dataset(config))
    trainer = Trainer(config, model(config, train.dataset).to(DEVICE))
    trainer.model.train()
    batches = list(islice(train, n))

    class Some(list):
        shuffle = False

    def epoch() -> float:
        with torch.autograd.set_detect_anomaly(anomaly):
            return seconds(lambda: trainer._train_epoch(Some(batches), 0)) * len(train) / n

    return epoch


def plain(made: Any, n: int, given: argparse.Namespace) -> Callable[[], float]:
    """``n`` batches of the plain loop, scaled to an epoch."""
    items, model = made.dataset.n_warm + 1, made.model
    sasrec = PlainSASRec(items, given.dim, given.length, 2, given.heads, given.inner).to(DEVICE)
    batches = []
    for batch in islice(made.train, n):
        batch = batch.to(DEVICE)
        item_seq, length = batch[model.ITEM_SEQ], batch[model.ITEM_SEQ_LEN]
        target = next_items(item_seq, length, batch[model.POS_ITEM_ID])
        batches.append((item_seq, target * (item_seq > 0)))
    return lambda: seconds(lambda: steps(sasrec, batches)) * len(made.train) / n


def floor(made: Any, given: argparse.Namespace) -> Callable[[], float]:
    """The products of an epoch's steps."""
    sizes = [int((batch[made.model.ITEM_SEQ] > 0).sum()) for batch in made.train]
    dim, inner = given.dim, given.inner
    layer = [(dim, 3 * dim), (dim, dim), (dim, inner), (inner, dim)]
    factors = [*layer, *layer, (dim, made.dataset.n_warm)]
    flops = sum(6 * n * a * b for n in sizes for a, b in factors)
    print(f"Products of an epoch: {flops / 1e12:.3f} TFLOP, {len(sizes)} steps", flush=True)
    shapes = {}
    for n in sizes:
        rows = n + -n % 64
        for a, b in factors:
            sides = ((rows, a), (a, b), (rows, b))
            shapes[rows, a, b] = [torch.randn(side, device=DEVICE) for side in sides]

    def epoch() -> None:
        for n in sizes:
            for a, b in factors:
                inputs, weight, outputs = shapes[n + -n % 64, a, b]
                torch.mm(inputs, weight, out=outputs)
                torch.mm(outputs, weight.T, out=inputs)
                torch.mm(inputs.T, outputs, out=weight)
                inputs.fill_(0.01), weight.fill_(0.01)

    def timed() -> float:
        with quick_float32(DEVICE):
            return seconds(epoch)

    return timed


def rectools(given: argparse.Namespace) -> Callable[[], float]:
    """An epoch of RecTools' SASRec, see ``rectools_epoch.py``."""
    script = Path(__file__).with_name("rectools_epoch.py")
    sizes = [str(given.dim), str(given.length), str(given.heads), str(given.batch)]
    command = [given.rectools, str(script), str(given.data), *sizes]

    def epoch() -> float:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return float(done.stdout.split()[-1])

    return epoch


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of a prepared data set")
    for name in ("dim", "length", "heads", "inner", "batch"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--mode", default="id")
    parser.add_argument("--plain", type=int, default=12, help="batches of the plain loop")
    parser.add_argument("--recbole", type=int, default=2, help="batches of RecBole")
    parser.add_argument("--rectools", help="Python of an environment that has RecTools")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    shared = {"hidden_size": given.dim, "MAX_ITEM_LIST_LENGTH": given.length}
    sasrec = {**shared, "n_heads": given.heads, "inner_size": given.inner}
    mine = {"item_embedding": given.mode, "train_batch_size": given.batch, **sasrec}
    few = {**mine, "sampled_items": 256}
    made = parts("SASRecDelta", given.data, **mine)
    gru = {**shared, "embedding_size": given.dim}
    gru_mine = {"item_embedding": given.mode, "train_batch_size": given.batch, **gru}
    versions = {
        **{f"SASRecDelta, {loss}": ours(given.data, "SASRecDelta", mine, loss)
           for loss in ("ce", "chunked", "sampled")},
        "SASRecDelta, sampled, 256 items": ours(given.data, "SASRecDelta", few, "sampled"),
        "products of SASRecDelta, ce": floor(made, given),
        "plain PyTorch SASRec": plain(made, given.plain, given),
        "RecBole SASRec as it is": recbole(given.data, SASRec, given.recbole, True, **sasrec),
        "RecBole SASRec": recbole(given.data, SASRec, given.recbole, False, **sasrec),
        "GRU4RecDelta, ce": ours(given.data, "GRU4RecDelta", gru_mine, "ce"),
        "RecBole GRU4Rec": recbole(given.data, GRU4Rec, given.recbole, False, **gru),
    }  # fmt: skip
    if given.rectools:
        versions["RecTools SASRec"] = rectools(given)
    found = pd.Series(in_turn(versions, given.rounds), name="seconds").to_frame()
    found["of SASRecDelta, ce"] = found["seconds"] / found.loc["SASRecDelta, ce", "seconds"]
    print(given.data.name, machine(), found.to_markdown(floatfmt=".2f"), sep="\n\n")


if __name__ == "__main__":
    main()
