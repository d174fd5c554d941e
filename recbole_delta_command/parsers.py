"""Arguments of the subcommands that do not take settings: a function each."""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from recbole_delta_command.refusal import UsageError, did_you_mean


class Parser(argparse.ArgumentParser):
    """A parser whose files may follow its options, and whose errors are one sentence.

    Args:
        command: name of the subcommand.
        about: what it does, for its help.
    """

    def __init__(self, command: str, about: str) -> None:
        super().__init__(prog=f"recbole-delta {command}", description=about)

    def read(self, arguments: Sequence[str]) -> Namespace:
        """The arguments by name; help is printed and ends the process.

        Args:
            arguments: what was typed after the name of the subcommand.

        Raises:
            UsageError: they cannot be read.
        """
        given, unknown = self.parse_known_intermixed_args(arguments)
        if unknown:
            option = unknown[0].partition("=")[0]
            hint = did_you_mean(option, self._option_string_actions)
            hint = hint or self._where_to_look
            raise UsageError(f"{self.prog} has no argument {unknown[0]!r}{hint}")
        return given

    def error(self, message: str) -> NoReturn:
        """What argparse calls over arguments that it cannot read.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{self.prog}: {message}{self._where_to_look}")

    @property
    def _where_to_look(self) -> str:
        return f"; see {self.prog} --help."

    def add_modules(self) -> None:
        """The option ``--import``."""
        self.add_argument(
            "--import",
            dest="modules",
            action="append",
            default=[],
            metavar="MODULE",
            help="a module that registers models of your own; may be repeated",
        )


def bench(arguments: Sequence[str]) -> Namespace:
    """The arguments of ``recbole-delta bench``."""
    parser = Parser("bench", "All runs of a bench file that are not done, and the report.")
    parser.add_argument("path", metavar="FILE.yaml")
    parser.add_argument("--out", help="folder for records and report; by default the file's")
    parser.add_argument("--workers", type=int, default=1, help="runs at a time on this machine")
    parser.add_argument("--cluster", metavar="ADDRESS", help="of a Dask scheduler that runs them")
    parser.add_argument("--data_path", help="folder of the prepared data sets, above the file's")
    parser.add_argument("--report-only", dest="train", action="store_false")
    parser.add_modules()
    return parser.read(arguments)


def audit(arguments: Sequence[str]) -> Namespace:
    """The arguments of ``recbole-delta audit``."""
    parser = Parser("audit", "What could be wrong with an evaluation; exit code 1 for a fault.")
    parser.add_argument(
        "path",
        metavar="DATASET|BENCH",
        help="folder of a prepared data set, a bench file, or the folder of its report",
    )
    parser.add_argument("--out", help="folder of a bench's records; by default the file's")
    parser.add_argument("--data_path", help="folder of the data sets, above a bench file's")
    parser.add_argument("--json", metavar="FILE", help="write the findings there too")
    parser.add_modules()
    return parser.read(arguments)


def demo(arguments: Sequence[str]) -> Namespace:
    """The arguments of ``recbole-delta demo``."""
    parser = Parser("demo", "The comparison on ml-100k, with table and picture.")
    parser.add_argument("--out", default="demo", help="folder for everything (demo)")
    parser.add_argument("--seeds", type=int, nargs="+", action="extend", metavar="N", help="(42)")
    parser.add_argument("--backbone", default="SASRecDelta", metavar="NAME", help="(SASRecDelta)")
    parser.add_argument("--cold", choices=["random", "newest"], default="random")
    given = parser.read(arguments)
    given.seeds = given.seeds or [42]  # a default of the argument's would be extended
    return given


def add(arguments: Sequence[str]) -> Namespace:
    """The arguments of ``recbole-delta add``."""
    parser = _after_training("add", "Items that came after training, in or out.")
    parser.add_argument("--to", required=True, metavar="NEW", help="the checkpoint to write")
    parser.add_argument("--items", type=Path, help="table with item_id and the texts' fields")
    parser.add_argument("--audio", type=Path, help="folder of audio files named by item id")
    parser.add_argument("--vectors", type=Path, help="ready ones: npy, safetensors, parquet, item")
    parser.add_argument(
        "--remove",
        nargs="+",
        action="extend",
        default=[],
        metavar="ID",
        help="recommend no more; --remove=-x for an id that starts with a dash",
    )
    return parser.read(arguments)


def warm_up(arguments: Sequence[str]) -> Namespace:
    """The arguments of ``recbole-delta warm-up``."""
    parser = _after_training("warm-up", "Deltas for cold items from the histories they are in.")
    _add_histories(parser)
    parser.add_argument("--to", required=True, metavar="NEW", help="the checkpoint to write")
    parser.add_argument(
        "--background",
        metavar="FILE.jsonl",
        help="further histories as they come, which show where the new items are not wanted",
    )
    return parser.read(arguments)


def recommend(arguments: Sequence[str]) -> Namespace:
    """The arguments of ``recbole-delta recommend``."""
    parser = _after_training(
        "recommend",
        "The best items after each history, answered as the lines come in. A line that cannot be "
        'served is answered by {"error": ...}; the exit code is 2 only if that is so of all lines.',
    )
    _add_histories(parser)
    parser.add_argument("-k", type=int, default=10, metavar="N", help="items a history (10)")
    parser.add_argument("--seen", action="store_true", help="items of the history too")
    parser.add_argument("--cold-only", action="store_true", help="items without training rows only")
    parser.add_argument(
        "--cold-share", type=float, metavar="X", help="of probability, for cold items together"
    )
    parser.add_argument(
        "--allow", type=Path, metavar="FILE", help="item ids, one a line: only these"
    )
    parser.add_argument(
        "--deny", type=Path, metavar="FILE", help="item ids, one a line: none of these"
    )
    parser.add_argument(
        "--skip-unknown", action="store_true", help="leave unknown ids of a history out"
    )
    return parser.read(arguments)


def export(arguments: Sequence[str]) -> Namespace:
    """The arguments of ``recbole-delta export``."""
    parser = _after_training("export", "Item vectors, and the session encoder as ONNX.")
    parser.add_argument("--to", required=True, metavar="DIR", help="the folder to write")
    return parser.read(arguments)


def explain(arguments: Sequence[str]) -> Namespace:
    """The arguments of ``recbole-delta explain``."""
    parser = _after_training(
        "explain", "What training made of an item: neighbours, drift, pictures."
    )
    parser.add_argument("items", nargs="*", metavar="ITEM", help="ids of items")
    parser.add_argument("-k", type=int, default=10, metavar="N", help="neighbours an item (10)")
    parser.add_argument("--to", type=Path, metavar="DIR", help="where to draw drift and spaces")
    return parser.read(arguments)


def _after_training(command: str, about: str) -> Parser:
    parser = Parser(command, about)
    parser.add_argument("checkpoint", metavar="CHECKPOINT")
    parser.add_argument("--device", metavar="NAME", help="where to compute: cpu, cuda:1, ...")
    parser.add_modules()
    return parser


def _add_histories(parser: Parser) -> None:
    parser.add_argument(
        "file", nargs="?", metavar="FILE.jsonl", help="JSON lines; standard input by default"
    )
