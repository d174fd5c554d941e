"""The command ``recbole-delta``, the same as ``python run_recbole_delta.py``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from recbole_delta.bench.bench import bench
from recbole_delta.demo import demo
from recbole_delta.errors import DeltaError
from recbole_delta.model import BACKBONES
from recbole_delta.report import mode_note
from recbole_delta.run import RunResult, resume, run
from recbole_delta.seam.config import parse_setting
from recbole_delta.serving.commands import SERVING

USAGE = """\
recbole-delta [FILE.yaml ...] [--model=NAME] [--dataset=NAME] [--config_files="A.yaml B.yaml"]
              [--SETTING=VALUE ...]      train and evaluate one model, settings as in RecBole
recbole-delta resume CHECKPOINT [--SETTING=VALUE ...]
                                         go on with an interrupted run
recbole-delta bench FILE.yaml [--out DIR] [--workers N] [--cluster ADDRESS] [--data_path DIR]
              [--report-only]            all runs of a bench file that are not done, and the report
recbole-delta add CHECKPOINT --to NEW [--items FILE] [--audio DIR] [--vectors FILE]
              [--remove ID ...]          items that came after training, in or out
recbole-delta warm-up CHECKPOINT [FILE.jsonl] --to NEW
                                         deltas for cold items from the histories they are in
recbole-delta recommend CHECKPOINT [FILE.jsonl] [-k N] [--seen] [--cold-only] [--approximate]
              [--allow FILE] [--deny FILE]
                       {"history": ["item", ...]} a line, or standard input
recbole-delta export CHECKPOINT --to DIR  item vectors, and the session encoder as ONNX
recbole-delta explain CHECKPOINT [ITEM ...] [-k N] [--to DIR]
                                         what training made of an item: neighbours, drift, pictures
recbole-delta demo [--out DIR] [--seeds N ...] [--backbone NAME] [--cold random|newest]
                                         the comparison on ml-100k, with table and picture
"""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; an error a user can mend is one sentence and exit code 2."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        command = COMMANDS.get(given[0]) if given else None
        if command:
            command(given[1:])
        elif not given or given[0] in ("-h", "--help"):
            print(USAGE, end="")
        else:
            _run(given)
    except DeltaError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # whoever reads has read enough, such as head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _demo(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="recbole-delta demo")
    parser.add_argument("--out", default="demo")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42])
    parser.add_argument("--backbone", choices=BACKBONES, default="SASRecDelta")
    parser.add_argument("--cold", choices=["random", "newest"], default="random")
    demo(**vars(parser.parse_args(arguments)))


def _bench(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="recbole-delta bench")
    parser.add_argument("path", metavar="FILE.yaml")
    parser.add_argument("--out", help="folder for records and report; by default the file's")
    parser.add_argument("--workers", type=int, default=1, help="runs at a time on this machine")
    parser.add_argument("--cluster", metavar="ADDRESS", help="of a Dask scheduler that runs them")
    parser.add_argument("--data_path", help="folder of the prepared data sets, above the file's")
    parser.add_argument("--report-only", dest="train", action="store_false")
    out = bench(**vars(parser.parse_args(arguments)))
    for name, what in (
        ("report.html", "everything on one page"),
        ("report.md", "the same as Markdown"),
        ("tables", "Markdown, LaTeX, CSV"),
        ("figures", "PNG and SVG"),
    ):
        print(f"{out / name}: {what}")
    print(f"{out.parent / 'records'}: what each run has left")


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

    Raises:
        DeltaError: an argument that is neither, or a setting given twice.
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


COMMANDS = {"demo": _demo, "bench": _bench, "resume": _resume, **SERVING}


def _print_result(result: RunResult) -> None:
    if os.environ.get("RANK", "0") != "0":  # torchrun has started several
        return
    # Without vectors for cold items all modes are one.
    distinct = result.test_modes if result.test_mode["embeds_cold_items"] else [result.test_mode]
    for record in distinct:
        cases, empty = record["cases"], record["empty_history"]["total"]
        shown = "  ".join(f"{name} {value:.4f}" for name, value in record["metrics"].items())
        print(
            f"test, {mode_note(record)}: {cases['cold']} cold, {cases['warm']} warm, {empty} empty"
        )
        print(f"  {shown}")
    print(json.dumps({"test_result": result.test_result, "checkpoint": result.checkpoint}))
