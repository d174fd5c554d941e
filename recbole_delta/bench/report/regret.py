"""What a chosen offset on cold items loses against the best one on the test data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from recbole_delta.bench.comparison.compare import Row
from recbole_delta.bench.comparison.frontier_rows import Frontiers
from recbole_delta.bench.records.record import Record
from recbole_delta.evaluator.frontier import Frontier
from recbole_delta.evaluator.labels import metric_label

RULES = {"none": None, "best": "best", "equal mass": "equal_mass", "by skill": "by_skill",
         "chosen": "offset"}  # fmt: skip
"""Offsets that are compared, and the fields of a calibration that hold them: 0, the best one on
validation data, the one of equal mass, that one corrected by skill, and the one that the run has,
between these."""


@dataclass(frozen=True)
class Regret:
    """One calibrated run beside the best that an offset can do for it.

    Attributes:
        best_total: largest total along the offset, on test data.
        lost: by the names of :data:`RULES`, the share of ``best_total`` that each offset loses;
            none for an offset that the run does not know.
    """

    best_total: float
    lost: dict[str, float]

    @classmethod
    def of(cls, curve: Frontier, calibration: dict[str, Any]) -> Regret:
        """The regret of a run.

        Args:
            curve: frontier on the test targets of the run as it was, its offset in its scores.
            calibration: how that offset was chosen, of the run's record.

        Example:
            >>> import torch
            >>> from recbole_delta.evaluator.group_ranks import rank_in_groups
            >>> scores = torch.tensor([[-torch.inf, 3.0, 2.0, 3.5, 0.0]] * 3)  # items 3, 4 are cold
            >>> ranks = rank_in_groups(scores, torch.tensor([3, 3, 1]), n_warm=2, k=1)
            >>> said = {"offset": 1.5, "best": 2.0, "equal_mass": 0.5}
            >>> found = Regret.of(Frontier(ranks, "hit", 1), said)
            >>> {name: round(lost, 6) for name, lost in found.lost.items()}
            {'none': 0.5, 'best': 0.0, 'equal mass': 0.5, 'chosen': 0.0}
        """
        chosen, lost = calibration["offset"], {}
        for name, key in RULES.items():
            offset = 0.0 if key is None else calibration.get(key)
            if offset is not None:
                total = curve.total_at(offset - chosen)
                lost[name] = 1 - total / curve.best_total if curve.best_total else 0.0
        return cls(curve.best_total, lost)


def regrets(frontiers: Frontiers) -> list[tuple[Row, Record, Regret]]:
    """The regret of every run whose offset was chosen."""
    return [
        (row, record, Regret.of(curve, record.calibration))
        for row in frontiers.comparison.rows
        if row.label in frontiers.curves
        for record, curve in zip(row.records, frontiers.curves[row.label].curves)
        if record.calibration is not None
    ]


def regret_frame(found: list[tuple[Row, Record, Regret]]) -> pd.DataFrame:
    """A line for each row, as text: the mean over its seeds and, in brackets, the worst of them.

    Args:
        found: regrets of at least one run.
    """
    known = [rule for rule in RULES if any(rule in each.lost for _, _, each in found)]
    lines: dict[str, dict[str, str]] = {}
    for label in dict.fromkeys(row.label for row, _, _ in found):
        runs = [each for row, _, each in found if row.label == label]
        best = sum(each.best_total for each in runs) / len(runs)
        lines[label] = {"best total": f"{best:.4f}"}
        for name in known:
            lost = [each.lost[name] for each in runs if name in each.lost]
            lines[label][name] = _shown(lost) if lost else "-"
    return pd.DataFrame.from_dict(lines, orient="index")


def regret_csv(frontiers: Frontiers, found: list[tuple[Row, Record, Regret]]) -> pd.DataFrame:
    """The figures themselves, unrounded: a line for each run and rule."""
    return pd.DataFrame(
        {"dataset": frontiers.comparison.dataset, "row": row.label, "model": row.spec.model,
         "seed": record.facts["seed"], "metric": frontiers.metric, "rule": name,
         "lost": lost, "best_total": each.best_total}
        for row, record, each in found
        for name, lost in each.lost.items()
    )  # fmt: skip


def regret_note(frontiers: Frontiers, found: list[tuple[Row, Record, Regret]]) -> str:
    """What the columns of :func:`regret_frame` are, for the reader of a report."""
    several = any(len(row.records) > 1 for row, _, _ in found)
    seeds = " Mean over seeds, the worst seed in brackets." if several else ""
    return (
        f"How much of the best total {metric_label(frontiers.metric)} along the constant, on these "
        "test targets, a constant loses that has not seen them: none at all, the best one on "
        "validation data, the one at which cold items have the expected share of the softmax's "
        "mass, that one corrected by how far the model's confidence comes true on cold items "
        "(by skill), and the chosen one, between these. What is added after a cold item besides "
        f"(after_cold_offset) stays in all of them.{seeds}"
    )


def _shown(lost: list[float]) -> str:
    mean = f"{-sum(lost) / len(lost):.1%}"
    return mean if len(lost) == 1 else f"{mean} ({-max(lost):.1%})"
