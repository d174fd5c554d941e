"""The command ``recbole-delta``, the same as ``python run_recbole_delta.py``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, TextIO

from dataset_prep.more import NewItems
from recbole_delta.bench.bench import bench
from recbole_delta.demo import demo
from recbole_delta.errors import DeltaError
from recbole_delta.model import BACKBONES
from recbole_delta.report import mode_note
from recbole_delta.run import RunResult, resume, run
from recbole_delta.seam.config import parse_setting
from recbole_delta.serving import Recommender
from recbole_delta.serving.lines import read_histories, recommend_lines
from recbole_delta.serving.pictures import write_pictures

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
        if given[:1] == ["demo"]:
            _demo(given[1:])
        elif given[:1] == ["bench"]:
            _bench(given[1:])
        elif given[:1] == ["add"]:
            _add(given[1:])
        elif given[:1] == ["warm-up"]:
            _warm_up(given[1:])
        elif given[:1] == ["recommend"]:
            _recommend(given[1:])
        elif given[:1] == ["export"]:
            _export(given[1:])
        elif given[:1] == ["explain"]:
            _explain(given[1:])
        elif given[:1] == ["resume"]:
            _resume(given[1:])
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


def _add(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="recbole-delta add")
    parser.add_argument("checkpoint")
    parser.add_argument("--to", required=True, metavar="NEW", help="the checkpoint to write")
    parser.add_argument("--items", type=Path, help="table with item_id and the texts' fields")
    parser.add_argument("--audio", type=Path, help="folder of audio files named by item id")
    parser.add_argument("--vectors", type=Path, help="ready ones: npy, safetensors, parquet, item")
    parser.add_argument("--remove", nargs="+", default=[], metavar="ID", help="recommend no more")
    given = parser.parse_args(arguments)
    recommender = Recommender(given.checkpoint)
    content = (given.items, given.audio, given.vectors)
    if any(content):
        table = NewItems(*content).encode(recommender.encoding)
        recommender.add_items(table.tokens, table.vectors)
        print(f"{len(table.tokens)} items added or replaced")
    recommender.remove_items(given.remove)
    recommender.save(given.to)
    cold = len(recommender.cold_items)
    print(f"{given.to}: recommends {len(recommender.items)} items, {cold} of them cold")


def _warm_up(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="recbole-delta warm-up")
    parser.add_argument("checkpoint")
    parser.add_argument("file", nargs="?", help="JSON lines; standard input by default")
    parser.add_argument("--to", required=True, metavar="NEW", help="the checkpoint to write")
    given = parser.parse_args(arguments)
    recommender = Recommender(given.checkpoint)
    with _histories(given.file) as (name, file):
        count = recommender.warm_up(read_histories(recommender, file, name))
    recommender.save(given.to)
    print(f"{given.to}: {len(count)} items have deltas from {sum(count.values())} interactions")


def _recommend(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="recbole-delta recommend")
    parser.add_argument("checkpoint")
    parser.add_argument("file", nargs="?", help="JSON lines; standard input by default")
    parser.add_argument("-k", type=int, default=10, help="items a history (10)")
    parser.add_argument("--seen", action="store_true", help="items of the history too")
    parser.add_argument("--cold-only", action="store_true", help="items without training rows only")
    parser.add_argument("--approximate", action="store_true", help="by an index, for millions")
    parser.add_argument("--allow", type=Path, help="file of item ids, one a line: only these")
    parser.add_argument("--deny", type=Path, help="file of item ids, one a line: none of these")
    given = parser.parse_args(arguments)
    options = {
        "k": given.k,
        "exclude_seen": not given.seen,
        "cold_only": given.cold_only,
        "approximate": given.approximate,
        "allow": _lines(given.allow) if given.allow else None,
        "deny": _lines(given.deny) if given.deny else (),
    }
    recommender = Recommender(given.checkpoint)
    with _histories(given.file) as (name, file):
        for line in recommend_lines(recommender, file, name, **options):
            print(line)


@contextmanager
def _histories(path: str | None) -> Iterator[tuple[str, TextIO]]:
    """The name and the lines of a file, or of standard input."""
    try:
        with Path(path).open(encoding="utf-8") if path else nullcontext(sys.stdin) as file:
            yield path or "standard input", file
    except BrokenPipeError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise DeltaError(f"Cannot read {path or 'standard input'} ({error}).") from error


def _export(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="recbole-delta export")
    parser.add_argument("checkpoint")
    parser.add_argument("--to", required=True, metavar="DIR", help="the folder to write")
    given = parser.parse_args(arguments)
    recommender = Recommender(given.checkpoint)
    recommender.export(given.to)
    print(f"{given.to}: {len(recommender.items)} items; onnxruntime scores them as the model does")


def _explain(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="recbole-delta explain")
    parser.add_argument("checkpoint")
    parser.add_argument("items", nargs="*", metavar="ITEM", help="ids of items")
    parser.add_argument("-k", type=int, default=10, help="neighbours an item (10)")
    parser.add_argument("--to", type=Path, metavar="DIR", help="where to draw drift and spaces")
    given = parser.parse_intermixed_args(arguments)  # items may follow an option
    if not given.items and not given.to:
        raise DeltaError("Say which items to explain, or with --to DIR where to draw them all.")
    spaces = Recommender(given.checkpoint).spaces()
    for each in [spaces.explain(item, given.k) for item in given.items]:
        print(f"{each}\n")
    if given.to:
        write_pictures(spaces, given.items, given.to)
        print(f"{given.to / 'drift.png'}: cos(content, embedding) by training rows")
        print(f"{given.to / 'spaces.png'}: items by content and by adapted vector")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DeltaError(f"Cannot read {path} ({error}).") from error


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
