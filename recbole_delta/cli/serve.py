"""The commands of ``recbole-delta`` for what comes after training."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TextIO

from dataset_prep.encoders.new_items import NewItems
from dataset_prep.errors import DeltaError
from recbole_delta.cli.json_lines import read_histories, recommend_lines
from recbole_delta.serving.pictures import write_pictures
from recbole_delta.serving.recommender import Recommender


def _add(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="recbole-delta add")
    parser.add_argument("checkpoint")
    parser.add_argument("--to", required=True, metavar="NEW", help="the checkpoint to write")
    parser.add_argument("--items", type=Path, help="table with item_id and the texts' fields")
    parser.add_argument("--audio", type=Path, help="folder of audio files named by item id")
    parser.add_argument("--vectors", type=Path, help="ready ones: npy, safetensors, parquet, item")
    parser.add_argument("--remove", nargs="+", default=[], metavar="ID", help="recommend no more")
    given = parser.parse_args(arguments)
    content = (given.items, given.audio, given.vectors)
    if not any(content) and not given.remove:
        raise DeltaError("Say what to add (--items, --audio, --vectors) or which ids to --remove.")
    recommender = Recommender(given.checkpoint)
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
    parser.add_argument("--cold-share", type=float, help="of probability, for cold items together")
    parser.add_argument("--allow", type=Path, help="file of item ids, one a line: only these")
    parser.add_argument("--deny", type=Path, help="file of item ids, one a line: none of these")
    given = parser.parse_args(arguments)
    options = {
        "k": given.k,
        "exclude_seen": not given.seen,
        "cold_only": given.cold_only,
        "approximate": given.approximate,
        "allow": _ids(given.allow) if given.allow else None,
        "deny": _ids(given.deny) if given.deny else (),
    }
    recommender = Recommender(given.checkpoint)
    if given.cold_share is not None:
        recommender.set_cold_share(given.cold_share)
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


def _ids(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
        return [line for line in lines if line]
    except (OSError, UnicodeDecodeError) as error:
        raise DeltaError(f"Cannot read {path} ({error}).") from error


SERVING: dict[str, Callable[[list[str]], None]] = {
    "add": _add,
    "warm-up": _warm_up,
    "recommend": _recommend,
    "export": _export,
    "explain": _explain,
}
"""Subcommands by name; each takes its arguments."""
