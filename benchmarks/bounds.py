"""Other bounds on the delta than one radius: do they earn a place? On validation data alone.

    python benchmarks/bounds.py dataset/ml-100k-holdout-random --dim 64 --batch 32 --all-candidates
    python benchmarks/bounds.py dataset/amazon-2014-paper --dim 128 --batch 128 --seeds 42

A radius of each item's own, by its n training rows and their median m: δ·√(n / (n + m)) trusts the
interactions of frequent items more, δ·√(m / (n + m)) holds them back. Soft ones: after each step a
delta shrinks by a part of itself (``decay``), or of what is outside the ball (``excess``; all of it
is the hard bound). Writes a ``.csv`` of the data set's name, where what is there is not trained
again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from measure import SCRATCH, machine
from torch import Tensor

import recbole_delta
from dataset_prep.files import replacing
from recbole_delta.embedding import EMBEDDINGS, EmbeddingArgs, EmbeddingSpec
from recbole_delta.embedding.content_map import ContentMap
from recbole_delta.embedding.delta import DeltaEmbedding
from recbole_delta.embedding.modes import INIT_STD
from recbole_delta.embedding.spec import standardised

Radii = Callable[[Tensor], Tensor]
"""From training rows of the warm items to their radii."""


@dataclass(frozen=True)
class Bound:
    """What is done to the deltas after a step.

    Attributes:
        radii: of the items.
        excess: part of what is outside that is taken away.
        decay: part of the whole delta that is taken away.
    """

    radii: Radii
    excess: float = 1.0
    decay: float = 0.0


def same(radius: float) -> Radii:
    """One radius for all."""
    return lambda rows: torch.full_like(rows, radius)


def trusting(radius: float) -> Radii:
    """A larger one for frequent items."""
    return lambda rows: radius * torch.sqrt(rows / (rows + rows.median()))


def holding(radius: float) -> Radii:
    """A larger one for rare items."""
    return lambda rows: radius * torch.sqrt(rows.median() / (rows + rows.median()))


BOUNDS = {
    **{f"radius {r}": Bound(same(r)) for r in (0.4, 0.5, 0.6)},
    **{f"more for frequent items, {r}": Bound(trusting(r)) for r in (0.5, 0.7, 1.0)},
    **{f"more for rare items, {r}": Bound(holding(r)) for r in (0.5, 0.7, 1.0)},
    **{f"decay {part}": Bound(same(np.inf), decay=part) for part in (1e-3, 1e-2)},
    **{f"excess of 0.4, {part}": Bound(same(0.4), excess=part) for part in (1e-2, 1e-1)},
}


class Bounded(DeltaEmbedding):
    """A delta under any :class:`Bound`."""

    def __init__(self, args: EmbeddingArgs, bound: Bound, train_count: Tensor) -> None:
        self._bound = bound
        self._radii = torch.cat([torch.zeros(1), bound.radii(train_count)])
        start = {"init_std": INIT_STD, "generator": args.generator}
        super().__init__(args.content, args.n_warm, float("inf"), **start)

    @torch.no_grad()
    def project_(self, ids: Tensor | None = None) -> None:
        """Apply the :class:`Bound` to all rows."""
        assert ids is None
        norm = self.delta.norm(dim=1)
        target = torch.minimum(norm, self._radii)
        kept = norm + self._bound.excess * (target - norm)
        scale = (1 - self._bound.decay) * kept / norm.clamp_min(1e-12)
        self.delta *= scale[:, None]


def mode(bound: Bound) -> EmbeddingSpec:
    """``item_embedding: delta`` under another bound."""
    seen: list[Tensor] = []

    def fit(warm: np.ndarray, train_count: np.ndarray, dim: int) -> ContentMap:
        seen[:] = [torch.as_tensor(train_count, dtype=torch.float32)]
        return standardised(warm, train_count, dim)

    def make(args: EmbeddingArgs) -> Bounded:
        return Bounded(args, bound, seen[0])

    return EmbeddingSpec(make, fit)


def main() -> None:
    """Train what is missing, and print the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of a prepared data set")
    parser.add_argument("--dim", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--all-candidates", action="store_true", help="cold ones in validation")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 221, 451])
    parser.add_argument("--only", nargs="+", choices=list(BOUNDS), default=list(BOUNDS))
    parser.add_argument("--out", type=Path, default=Path("results/bounds"))
    given = parser.parse_args()
    settings = {
        "data_path": str(given.data.parent),
        "checkpoint_dir": SCRATCH,
        "hidden_size": given.dim,
        "inner_size": given.dim,
        "train_batch_size": given.batch,
        "show_progress": False,
        "state": "ERROR",
    }
    if given.all_candidates:
        settings |= {"valid_candidates": "all", "valid_metric": "NDCG@10"}
    else:
        settings |= {"MAX_ITEM_LIST_LENGTH": 64}
    path = given.out / f"{given.data.name}.csv"
    table = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=["bound", "seed"])
    done = set(table[["bound", "seed"]].itertuples(index=False, name=None))
    for seed in given.seeds:
        for name in given.only:
            if (name, seed) in done:
                continue
            EMBEDDINGS["delta"] = mode(BOUNDS[name])
            asked = settings | {"seed": seed}
            result = recbole_delta.run("SASRecDelta", given.data.name, settings=asked, saved=False)
            row = {"bound": name, "seed": seed, **_validation(result)}
            print(row, flush=True)
            table = pd.concat([table, pd.DataFrame([row])], ignore_index=True)
            given.out.mkdir(parents=True, exist_ok=True)
            with replacing(path) as temporary:
                table.to_csv(temporary, index=False, float_format="%.5f")
    means = table.groupby("bound", sort=False)["ndcg@10"].agg(["mean", "std", "count"])
    print(machine(), means.reset_index().to_markdown(index=False, floatfmt=".4f"), sep="\n\n")


def _validation(result: recbole_delta.RunResult) -> dict[str, float]:
    found = result.best_valid_result or {}
    return {name: value for name, value in found.items() if name.startswith("ndcg")}


if __name__ == "__main__":
    main()
