"""A GPU at work: step and epoch of each loss, evaluation, and what the device could do at best.

    python benchmarks/gpu.py                   # one the size of Beauty, one of a million items
    python benchmarks/gpu.py --only beauty     # or: --only million
    python benchmarks/gpu.py --cpu --only tiny # that the script itself runs

Made-up interactions. Beside them, on the one that they can take: RecBole's SASRec on its own
prefixes (2,048 a batch), and a plain PyTorch loop that forms all logits of padded batches. "Of
peak" is the rate of the logits' products (forward and backward; ``chunked`` makes the forward ones
twice) as a share of that of one large product of float32; "of copy" that of the item table's
memory traffic (read by the loss, its gradient written; Adam reads four tables and writes three) as
a share of that of a plain copy. ``sampled`` reads few rows, so it has neither.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from measure import DEVICE, SCRATCH, in_turn, machine, make_up, parts, seconds
from recbole.model.sequential_recommender import SASRec
from train_epoch import plain, recbole

from recbole_delta.compute.matmul import quick_float32
from recbole_delta.evaluator.evaluate import MODES
from recbole_delta.loss import LOSSES

PRODUCTS = {"ce": 3, "chunked": 4}
"""Products of the size of all logits in a step."""
TABLE_PASSES = 9
"""Times that a step of an exact loss goes through memory of the item table's size."""


@dataclass(frozen=True)
class Size:
    """A made-up data set and the model over it; ``others``: RecBole and the plain loop too."""

    rows: int
    items: int
    users: int
    dim: int
    length: int
    heads: int
    inner: int
    batch: int
    others: bool


SIZES = {
    "beauty": Size(198_000, 12_100, 22_400, 128, 64, 1, 128, 128, others=True),
    "million": Size(3_000_000, 1_000_000, 150_000, 64, 50, 1, 64, 128, others=False),
    "tiny": Size(900, 60, 60, 16, 8, 1, 16, 16, others=True),
}


def peaks(side: int) -> tuple[float, float]:
    """TFLOP/s of one product of float32, and GB/s of a copy (read and written)."""
    factor = torch.randn(side, side, device=DEVICE)
    product, copied = torch.empty_like(factor), torch.empty_like(factor)

    def per_second(call: Callable[[], Any], work: float) -> float:
        call()
        return work * 10 / seconds(lambda: [call() for _ in range(10)])

    flops = per_second(lambda: torch.mm(factor, factor, out=product), 2 * side**3)
    moved = per_second(lambda: copied.copy_(factor), 2 * factor.nbytes)
    return flops / 1e12, moved / 1e9


def settings_of(size: Size) -> dict[str, Any]:
    """Settings of our SASRec and of RecBole's."""
    return {
        "hidden_size": size.dim, "inner_size": size.inner, "n_heads": size.heads,
        "MAX_ITEM_LIST_LENGTH": size.length,
    }  # fmt: skip


def steps_of(data: Path, size: Size, loss: str, n: int) -> tuple[Callable[[], float], Any]:
    """Seconds of a step, over ``n`` of them, and what the run is made of."""
    given = {**settings_of(size), "train_batch_size": size.batch, "loss": loss}
    made = parts("SASRecDelta", data, **given)
    trainer = made.trainer(made.config, made.model)
    trainer._begin(made.train)
    trainer._epoch = 0
    batches = list(islice(made.train, n))

    def step() -> float:
        with quick_float32(DEVICE):
            return seconds(lambda: trainer._train_epoch(batches, 0)) / len(batches)

    step()  # the optimizer makes its state
    return step, (made, trainer)


def table(name: str, size: Size, given: argparse.Namespace, folder: Path) -> pd.DataFrame:
    """The rows of one data set."""
    data = make_up(folder / name, size.rows, size.items, size.dim, size.users)
    flops, moved = peaks(given.side)
    print(f"one product: {flops:.2f} TFLOP/s of float32; a copy: {moved:.0f} GB/s", flush=True)
    versions, rows = {}, {}
    for loss in LOSSES:
        versions[loss], (made, trainer) = steps_of(data, size, loss, given.steps)
    n_steps = len(made.train)
    positions = sum(int((b[made.model.ITEM_SEQ] > 0).sum()) for b in islice(made.train, 20))
    positions = positions / min(20, n_steps)
    if size.others:
        shape = {**vars(given), **vars(size)}
        alone = plain(made, given.others, argparse.Namespace(**shape))
        stock = recbole(data, SASRec, given.others, False, **settings_of(size))
        versions["plain loop"] = lambda: alone() / n_steps
        versions["RecBole's SASRec, its epoch as so many steps"] = lambda: stock() / n_steps
    for version, step in in_turn(versions, given.rounds).items():
        row = {"ms a step": step * 1e3, "s an epoch": step * n_steps}
        if version in PRODUCTS:
            work = PRODUCTS[version] * 2 * positions * size.items * size.dim
            row["of peak"] = work / step / 1e12 / flops
            row["of copy"] = TABLE_PASSES * 4 * size.items * size.dim / step / 1e9 / moved
        rows[version] = row
    evaluate = partial(trainer.evaluate_modes, made.test, MODES[:1])
    evaluate()
    took = seconds(evaluate)
    print(f"evaluation: {took:.2f} s for {len(made.test.dataset):,} cases", flush=True)
    return pd.DataFrame(rows).T


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=SIZES, help="by default beauty and million")
    parser.add_argument("--steps", type=int, default=50, help="steps that are timed at a time")
    parser.add_argument("--others", type=int, default=4, help="batches of RecBole and plain loop")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", type=int, default=8192, help="of the matrices of the peak")
    parser.add_argument("--cpu", action="store_true", help="run without a GPU all the same")
    given = parser.parse_args()
    if DEVICE.type == "cpu" and not given.cpu:
        sys.exit("gpu.py needs a GPU that torch finds, and there is none here (--cpu runs anyway).")
    Path(SCRATCH).mkdir(exist_ok=True)
    for name in [given.only] if given.only else ["beauty", "million"]:
        with tempfile.TemporaryDirectory() as folder:
            found = table(name, SIZES[name], given, Path(folder))
        print(name, machine(), found.to_markdown(floatfmt=".3g"), sep="\n\n", flush=True)


if __name__ == "__main__":
    main()
