"""Full evaluation: our ranks and metrics beside RecBole's evaluator, on one and the same model.

    python benchmarks/evaluate.py --users 10000 --items 50000

RecBole's ``Trainer.evaluate`` and ours score with a SASRec of the same weights over the same
histories, rank all items, and report NDCG, Hit and MRR at 10. They take turns; each run is a
process of its own, and its peak memory that of the whole process. "Given the scores" leaves the
model out: both evaluators get rows of one and the same matrix of random scores.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import pandas as pd
import torch
from measure import DEVICE, alone, machine, make_up, parts, seconds
from recbole.data.interaction import Interaction
from recbole.model.sequential_recommender import SASRec
from recbole.trainer import Trainer

from recbole_delta.quick_start.build import Parts

SETTINGS = {
    "mask_history": False,
    "metrics": ["NDCG", "Hit", "MRR"],
    "metric_decimal_place": 10,
    "eval_batch_size": 256,
    "n_heads": 2,
    "inner_size": 256,
    "item_embedding": "id",
}


class Given(torch.nn.Module):
    """Scores that are there: what remains is the evaluator."""

    def __init__(self, users: int, items: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        table = torch.randn(users + 1, items, generator=generator)
        self.register_buffer("table", table)

    def full_sort_predict(self, interaction: Interaction) -> torch.Tensor:
        """The rows of these users, who follow each other."""
        user = interaction["user_id"]
        return self.table[int(user[0]) : int(user[-1]) + 1]


def ours(data: Path, given: bool) -> tuple[float, dict[str, float]]:
    """Seconds of ``ColdWarmTrainer.evaluate``, and the metrics."""
    made = parts("SASRecDelta", data, **SETTINGS)
    trainer = made.trainer(made.config, _known(made.model))
    return _evaluated(trainer, made, given)


def recbole(data: Path, given: bool) -> tuple[float, dict[str, float]]:
    """Seconds of RecBole's ``Trainer.evaluate``, and the metrics."""
    settings = {name: value for name, value in SETTINGS.items() if name != "item_embedding"}
    made = parts("SASRec", data, **settings)
    trainer = Trainer(made.config, _known(SASRec(made.config, made.train.dataset).to(DEVICE)))
    trainer.eval_collector.data_collect(made.train)
    return _evaluated(trainer, made, given)


def products(data: Path, given: bool) -> tuple[float, dict[str, float]]:
    """Seconds of the scores alone: every user's vector by every item's."""
    made = parts("SASRec", data, mask_history=False)
    users, items = len(made.test.dataset), made.dataset.item_num
    vectors = torch.randn(users, 64, device=DEVICE)
    table, block = (torch.randn(n, m, device=DEVICE) for n, m in ((items, 64), (256, items)))
    blocks = vectors.split(256)
    return seconds(lambda: [torch.mm(b, table.T, out=block[: len(b)]) for b in blocks]), {}


def _known(model: torch.nn.Module) -> torch.nn.Module:
    """The same weights in both models, whatever the order of their random numbers."""
    for name, value in sorted(model.state_dict().items()):
        generator = torch.Generator().manual_seed(len(name))
        value.copy_(torch.randn(value.shape, generator=generator) * 0.1)
    return model


def _evaluated(trainer: Trainer, made: Parts, given: bool) -> tuple[float, dict[str, float]]:
    if given:
        trainer.model = Given(len(made.test.dataset), made.dataset.item_num).to(DEVICE)
    found: dict[str, float] = {}
    took = seconds(lambda: found.update(trainer.evaluate(made.test, load_best_model=False)))
    return took, {name: float(value) for name, value in found.items() if "_" not in name}


VERSIONS = ((ours, False), (recbole, False), (products, False), (ours, True), (recbole, True))
"""In turn; whether the scores are given."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        data = make_up(Path(folder) / "made-up", 30 * given.users, given.items, users=given.users)
        for _ in range(given.rounds):
            for version, with_scores in VERSIONS:
                (took, metrics), memory = alone(version, data, with_scores)
                name = version.__name__ + (", given the scores" if with_scores else "")
                rows.append({"version": name, "seconds": took, "GiB": memory, **metrics})
                print(rows[-1], flush=True)
    table = pd.DataFrame(rows).groupby("version", sort=False).agg(statistics.median)
    print(machine(), table.to_markdown(floatfmt=".8f"), sep="\n\n")


if __name__ == "__main__":
    main()
