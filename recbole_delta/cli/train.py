"""Subcommands that train: one run, or the rest of one."""

from __future__ import annotations

import json
import os
from typing import Any

from dataset_prep.errors import DeltaError
from recbole_delta.config.yaml_file import parse_setting
from recbole_delta.evaluator.labels import mode_note
from recbole_delta.quick_start.run import RunResult, resume, run


def _run(arguments: list[str]) -> None:
    files, settings = parse_arguments(arguments)
    _print_result(run(config_files=files, settings=settings))


def _resume(arguments: list[str]) -> None:
    files, settings = parse_arguments(arguments)
    if len(files) != 1:
        raise DeltaError("Say which checkpoint: recbole-delta resume CHECKPOINT.")
    _print_result(resume(files[0], settings))


def parse_arguments(arguments: list[str]) -> tuple[list[str], dict[str, Any]]:
    """YAML files and settings of a command line in RecBole's manner.

    Values are YAML (``--topk=[10,20]``, ``--learning_rate=1e-3``), never evaluated as Python.

    Args:
        arguments: ``FILE.yaml``, ``--config_files="A.yaml B.yaml"`` or ``--SETTING=VALUE`` each.

    Returns:
        paths of the YAML files, and values by the setting's name.

    Raises:
        DeltaError: a setting without value, given twice, or with a value that is not YAML.

    Example:
        >>> parse_arguments(["my.yaml", "--model=SASRecDelta", "--topk=[10,20]"])
        (['my.yaml'], {'model': 'SASRecDelta', 'topk': [10, 20]})
    """
    files: list[str] = []
    settings: dict[str, Any] = {}
    for argument in arguments:
        name, equals, value = argument.removeprefix("--").partition("=")
        if not argument.startswith("--"):
            files.append(argument)
        elif not equals:
            raise DeltaError(f"{argument} has no value; write {argument}=VALUE.")
        elif name == "config_files":
            files.extend(value.split())
        elif name in settings:
            raise DeltaError(f"--{name} is given twice.")
        else:
            settings[name] = value if name in ("model", "dataset") else parse_setting(value)
    return files, settings


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
