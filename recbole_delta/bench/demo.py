"""The main job in one command: prepare ml-100k, train four embeddings, compare cold and warm."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

from dataset_prep import Filters, prepare
from dataset_prep.files import write_text
from recbole_delta.bench.comparison.frontier_mean import MeanFrontier
from recbole_delta.bench.report.frontier_figures import frontier_figure, uncalibrated_point
from recbole_delta.bench.report.palette import looks
from recbole_delta.bench.report.summary import comparison_figure, comparison_table, save_figure
from recbole_delta.config.defaults import properties
from recbole_delta.config.run_config import RunConfig
from recbole_delta.evaluator.evaluate import MODES
from recbole_delta.evaluator.frontier import Frontier
from recbole_delta.evaluator.labels import counted, group_key, metric_label, mode_note
from recbole_delta.quick_start.build import make_parts
from recbole_delta.quick_start.run import RunResult, train

DATASET = "ml-100k-holdout"
METRICS = ("ndcg@10", "hit@10")
EMBEDDINGS = ("id", "init", "frozen", "delta")


def demo(
    out: str | Path = "demo",
    *,
    backbone: str = "SASRecDelta",
    seeds: Sequence[int] = (42,),
    cold: str = "random",
) -> Path:
    """Run the demo and print its table.

    Args:
        out: folder for everything: data set, checkpoints, table, pictures, results.
        backbone: name of the model whose four item embeddings are compared.
        seeds: seeds of training; the split stays the same.
        cold: which items are held out, ``random`` or ``newest``.

    Returns:
        path of the Markdown table.
    """
    out = Path(out)
    name = f"{DATASET}-{cold}"
    options = {"cold": cold, "fraction": 0.1, "seed": 42}
    prepare(
        "ml-100k",
        out / "dataset",
        name=name,
        filters=Filters(core=5),
        protocol_options=options,
    )
    results: dict[str, list[RunResult]] = {}
    curves: dict[str, list[Frontier]] = {}
    for label, model, settings in _runs(backbone):
        for seed in seeds:
            print(f"\n{label} (seed {seed})", flush=True)
            result, curve = _train(model, name, out, {**settings, "seed": seed})
            results.setdefault(label, []).append(result)
            if result.test_mode["embeds_cold_items"]:
                curves.setdefault(label, []).append(curve)
    return _report(results, curves, out, backbone, name)


def _runs(backbone: str) -> list[tuple[str, str, dict[str, Any]]]:
    embeddings = [(mode, backbone, {"item_embedding": mode}) for mode in EMBEDDINGS]
    calibrated = ("delta, calibrated", backbone, {"recipe": "calibrated"})
    return [("ContentMean", "ContentMean", {}), *embeddings, calibrated]


def _train(
    model: str, dataset: str, out: Path, settings: dict[str, Any]
) -> tuple[RunResult, Frontier]:
    """A run, and its frontier of the first metric on the test targets."""
    everywhere = {
        "data_path": str(out / "dataset"),
        "checkpoint_dir": str(out / "saved"),
        "state": "WARNING",
        "show_progress": True,
    }
    logging.getLogger().setLevel(logging.WARNING)
    shared = [str(properties() / "demo.yaml")]
    parts = make_parts(RunConfig(model, dataset, shared, {**everywhere, **settings}))
    trainer = parts.trainer(parts.config, parts.model)
    if not sys.stderr.isatty():  # no bar will show that it goes on
        log = logging.getLogger()
        log.setLevel(logging.INFO)
        for handler in log.handlers:
            handler.setLevel(logging.INFO)
    result, evaluations = train(parts, trainer, saved=True)
    trained = (
        f"{counted(len(result.curve), 'epoch')}, best validation {result.best_valid_score:.4f}"
    )
    print(trained if result.curve else "not trained", flush=True)
    configured = evaluations[MODES.index(trainer.configured_mode(parts.test))]
    name, k = METRICS[0].split("@")
    return result, Frontier(configured.groups, name, int(k))


def _report(
    results: dict[str, list[RunResult]],
    curves: dict[str, list[Frontier]],
    out: Path,
    backbone: str,
    dataset: str,
) -> Path:
    values = {label: [each.test_result for each in runs] for label, runs in results.items()}
    shown = {label: runs[0].test_mode for label, runs in results.items()}
    notes = {label: mode_note(mode) for label, mode in shown.items()}
    table = comparison_table(values, notes, METRICS)
    cases = next(iter(shown.values()))["cases"]
    empty = next(iter(shown.values()))["empty_history"]["total"]
    heading = (
        f"{backbone} on {dataset}: {cases['cold']} cold and {cases['warm']} warm test targets "
        f"({empty} with an empty history count as misses); history items masked; "
        f"content all-MiniLM-L6-v2; {len(next(iter(values.values())))} seed(s). id has no vectors "
        "for cold items, so it recommends warm ones."
    )
    write_text(out / "table.md", f"{heading}\n\n{table}")
    title = heading.split(" (")[0]
    comparison_figure(values, METRICS[0], title, out / "comparison.png")
    points = {label: (_mean(runs, "cold"), _mean(runs, "warm")) for label, runs in values.items()}
    means = {label: MeanFrontier(each) for label, each in curves.items()}
    uncalibrated = {
        label: uncalibrated_point(means[label], said)
        for label, runs in results.items()
        if (said := [run.calibration for run in runs if run.calibration])
    }
    unit = metric_label(METRICS[0])
    figure = frontier_figure(means, points, uncalibrated, looks(points), unit, title)
    save_figure(figure, out / "frontier.png")
    plain = {label: [asdict(each) for each in runs] for label, runs in results.items()}
    text = json.dumps(plain, indent=1, default=str)
    write_text(out / "results.json", text)
    print(f"\n{heading}\n\n{table}\n")
    for file, what in (
        ("table.md", "this table"),
        ("comparison.png", "the same as bars"),
        ("frontier.png", "cold against warm as a constant is added to all cold scores"),
        ("results.json", "all four evaluation modes, curves and settings"),
        ("saved", "checkpoints"),
        ("dataset", "the prepared data set"),
    ):
        print(f"{out / file}: {what}")
    return out / "table.md"


def _mean(runs: Sequence[dict[str, float]], group: str) -> float:
    return fmean(run[group_key(METRICS[0], group)] for run in runs)
