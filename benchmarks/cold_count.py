"""What to keep when the number of cold items changes: the offset, or the mass of cold items.

    python benchmarks/cold_count.py CHECKPOINT

Cold items are taken out of the catalogue at random, their test targets with them, as if fewer had
come. Each way of carrying the best offset of the whole catalogue over loses so much of the best
total NDCG@10 that any offset has on what is left.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
import torch

import recbole_delta
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.evaluator.evaluate import Mode, evaluate_modes
from recbole_delta.evaluator.frontier import Frontier
from recbole_delta.evaluator.group_ranks import GroupRanks
from recbole_delta.evaluator.mass import equal_mass, log_odds

FRACTIONS, DRAWS = (0.5, 0.25, 0.1), 5


def measure(model: Any, cases: ColdWarmDataset, kept: torch.Tensor) -> tuple[Frontier, np.ndarray]:
    """Frontier and log-odds with some cold items alone; ``kept`` are their ids."""
    gone = torch.ones(cases.n_catalogue, dtype=torch.bool)
    gone[: cases.n_warm + 1], gone[kept] = False, False
    predict = type(model).full_sort_predict
    model.full_sort_predict = lambda batch: predict(model, batch).masked_fill(gone, -torch.inf)
    [found] = evaluate_modes(model, cases, [Mode("all", "keep")], batch_size=2048)
    odds = log_odds(model, cases, 2048)
    del model.full_sort_predict
    there = ~gone[cases.instances.target].numpy()
    ranks: GroupRanks = found.groups.of(np.flatnonzero(there))
    return Frontier(ranks, "ndcg", 10), odds


def main() -> None:
    """Print a line for each fraction of the cold items, a mean over draws."""
    _, model, dataset, _, _, test = recbole_delta.load_run(sys.argv[1])
    model.eval()
    model.set_offsets(0.0)
    cases = test.dataset
    cold = torch.arange(dataset.n_warm + 1, dataset.n_catalogue)
    whole, odds = measure(model, cases, cold)
    best = whole.best_offset
    mass = float((1 / (1 + np.exp(-(odds + best)))).mean())
    print(
        f"whole: share {whole.share:.3f}, best total {whole.best_total:.4f} at {best:.2f}, "
        f"mass {mass:.3f}"
    )
    lines = []
    for fraction in FRACTIONS:
        for draw in range(DRAWS):
            order = torch.randperm(len(cold), generator=torch.Generator().manual_seed(draw))
            curve, odds = measure(model, cases, cold[order[: round(fraction * len(cold))]])
            ways = {
                "same offset": best,
                "same mass": equal_mass(odds, mass),
                "mass as the share": equal_mass(odds, mass * curve.share / whole.share),
            }
            lost = {name: 1 - curve.total_at(at) / curve.best_total for name, at in ways.items()}
            lines.append({"fraction": fraction, "share": curve.share,
                          "best at": curve.best_offset, **lost})  # fmt: skip
    shown = pd.DataFrame(lines).groupby("fraction").mean().sort_index(ascending=False)
    print(shown.round(4).to_markdown())


if __name__ == "__main__":
    main()
