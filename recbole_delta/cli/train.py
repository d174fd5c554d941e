"""Subcommands that train: one run, or the rest of one."""

from __future__ import annotations

import json
import os
from typing import Any

from recbole_delta.config.yaml_file import parse_setting
from recbole_delta.evaluator.labels import mode_note
from recbole_delta.quick_start.run import RunResult, resume, run
from recbole_delta_command.settings import RunArguments


def train(given: RunArguments) -> None:
    """Train and test one model, and print what came of it."""
    _print_result(run(config_files=given.files, settings=values(given)))


def go_on(given: RunArguments) -> None:
    """Go on with an interrupted run, and print what came of it."""
    [checkpoint] = given.files
    _print_result(resume(checkpoint, values(given)))


def values(given: RunArguments) -> dict[str, Any]:
    """The settings of a command line; values are YAML, never evaluated as Python.

    Args:
        given: settings as they were typed.

    Raises:
        DeltaError: a value is not YAML.

    Example:
        >>> typed = {"model": "SASRecDelta", "topk": "[10,20]", "learning_rate": "1e-3"}
        >>> values(RunArguments([], typed, []))
        {'model': 'SASRecDelta', 'topk': [10, 20], 'learning_rate': 0.001}
    """
    return {
        name: value if name in ("model", "dataset") else parse_setting(value)
        for name, value in given.settings.items()
    }


def _print_result(result: RunResult) -> None:
    if os.environ.get("RANK", "0") != "0":  # torchrun has started several
        return
    # Without vectors for cold items all modes are one.
    distinct = result.test_modes if result.test_mode["embeds_cold_items"] else [result.test_mode]
    for mode in distinct:
        cases, empty = mode["cases"], mode["empty_history"]["total"]
        shown = "  ".join(f"{name} {value:.4f}" for name, value in mode["metrics"].items())
        print(f"test, {mode_note(mode)}: {cases['cold']} cold, {cases['warm']} warm, {empty} empty")
        print(f"  {shown}")
    print(json.dumps({"test_result": result.test_result, "checkpoint": result.checkpoint}))
