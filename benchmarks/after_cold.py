"""How far new items follow new items, and what a constant on cold items after a cold one is worth.

    python benchmarks/after_cold.py CHECKPOINT ...

The share of cold targets after a history that ends with a cold item and after others, beside the
softmax's mass on cold items there; and the best total NDCG@10 along the constant on all cold items
with each constant after a cold item, on test targets.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

import recbole_delta
from recbole_delta.evaluator.evaluate import Mode, evaluate_modes
from recbole_delta.evaluator.frontier import Frontier
from recbole_delta.evaluator.mass import log_odds

CONSTANTS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0)


def shares(model: Any, cases: Any) -> str:
    """A line on the cases after a cold item, and one on the others."""
    mass = 1 / (1 + np.exp(-log_odds(model, cases, 2048)))
    cold, after_cold = cases.has_cold_target.numpy(), cases.ends_cold.numpy()
    lines = []
    for name, group in (("after a cold item", after_cold), ("after others", ~after_cold)):
        expected = np.nanmean(mass[group])
        lines.append(
            f"  {name}: {group.mean():.3f} of the cases, {cold[group].mean():.3f} of their targets "
            f"are cold, mass {expected:.3f}"
        )
    return "\n".join(lines)


def best_totals(model: Any, cases: Any) -> str:
    """A line for each constant."""
    lines = []
    for constant in CONSTANTS:
        model.set_offsets(0.0, after_cold=constant)
        [found] = evaluate_modes(model, cases, [Mode("all", "keep")], k=10, batch_size=2048)
        curve = Frontier(found.groups, "ndcg", 10)
        cold, warm = curve.at(curve.best_offset)
        lines.append(
            f"  {constant:.1f}: best total {curve.best_total:.4f} at {curve.best_offset:+.2f}, "
            f"cold {cold:.4f}, warm {warm:.4f}"
        )
    return "\n".join(lines)


def main() -> None:
    """Print both for each checkpoint."""
    for path in sys.argv[1:]:
        config, model, _, _, _, test = recbole_delta.load_run(path)
        model.eval().set_offsets(0.0)
        print(f"{config['model']}, {config['item_embedding']}, {config['dataset']}")
        print(shares(model, test.dataset))
        print(best_totals(model, test.dataset), flush=True)


if __name__ == "__main__":
    main()
