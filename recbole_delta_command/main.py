"""Which subcommand is meant, and which function does it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from recbole_delta_command import __version__, parsers
from recbole_delta_command.refusal import UsageError, did_you_mean, printable
from recbole_delta_command.settings import read_resume, read_run

USAGE = """\
recbole-delta prep NAME [OPTION ...]     raw data to a prepared data set; the same as
                                         python -m dataset_prep NAME [OPTION ...]
recbole-delta [FILE.yaml ...] [-m NAME] [-d NAME] [--config_files="A.yaml B.yaml"]
              [--SETTING=VALUE ...]      train and evaluate one model (-m, --model) on one data
                                         set (-d, --dataset), settings as in RecBole
recbole-delta resume CHECKPOINT [--SETTING=VALUE ...]
                                         go on with an interrupted run
recbole-delta bench FILE.yaml [--out DIR] [--workers N] [--cluster ADDRESS] [--data_path DIR]
              [--report-only]            all runs of a bench file that are not done, and the report
recbole-delta audit DATASET | BENCH.yaml [--out DIR] [--data_path DIR] [--json FILE]
                                         what could be wrong with an evaluation: in a prepared data
                                         set, or in the records of a bench; exit code 1 for a fault
recbole-delta add CHECKPOINT --to NEW [--items FILE] [--audio DIR] [--vectors FILE]
              [--remove ID ...]          items that came after training, in or out
recbole-delta warm-up CHECKPOINT [FILE.jsonl] --to NEW [--background FILE.jsonl]
                                         deltas for cold items from the histories they are in
recbole-delta recommend CHECKPOINT [FILE.jsonl] [-k N] [--seen] [--cold-only]
              [--allow FILE] [--deny FILE] [--cold-share X] [--skip-unknown]
                       {"history": ["item", ...]} a line, or standard input
recbole-delta export CHECKPOINT --to DIR  item vectors, and the session encoder as ONNX
recbole-delta explain CHECKPOINT [ITEM ...] [-k N] [--to DIR]
                                         what training made of an item: neighbours, drift, pictures
recbole-delta demo [--out DIR] [--seeds N ...] [--backbone NAME] [--cold random|newest]
                                         the comparison on ml-100k, with table and picture

Models of your own: --import MODULE, with every command but prep and demo, imports the module that
registers them, from this folder or installed. Help on one command: recbole-delta COMMAND --help.
"""


class Command(NamedTuple):
    """How a subcommand is read and done.

    Attributes:
        read: from the arguments after the subcommand's name to what the function takes.
        function: ``module:name`` of the function that does it, which is imported for it.
    """

    read: Callable[[list[str]], Any]
    function: str


STOPPED = 130
"""Exit code after Ctrl-C, as that of a shell."""

TRAIN = Command(read_run, "recbole_delta.cli.train:train")
"""What is done without a subcommand."""

COMMANDS = {
    "prep": Command(list, "dataset_prep.__main__:main"),
    "resume": Command(read_resume, "recbole_delta.cli.train:go_on"),
    "bench": Command(parsers.bench, "recbole_delta.cli.compare:run_bench"),
    "audit": Command(parsers.audit, "recbole_delta.cli.audit:audit"),
    "add": Command(parsers.add, "recbole_delta.cli.serve:add"),
    "warm-up": Command(parsers.warm_up, "recbole_delta.cli.serve:warm_up"),
    "recommend": Command(parsers.recommend, "recbole_delta.cli.serve:recommend"),
    "export": Command(parsers.export, "recbole_delta.cli.serve:export"),
    "explain": Command(parsers.explain, "recbole_delta.cli.serve:explain"),
    "demo": Command(parsers.demo, "recbole_delta.cli.compare:run_demo"),
}
"""Subcommands by name."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; an error in the user's input is one sentence and exit code 2.

    Ctrl-C ends it with one line that says what is kept and how to go on.

    Args:
        arguments: arguments of the command; those of the process by default.

    Example:
        >>> from recbole_delta_command.main import main
        >>> main(["--version"])  # doctest: +ELLIPSIS
        recbole-delta 0...
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if sys.stdout is None:
        _stop("standard output is closed, so nobody would see the answer.")
    if isinstance(sys.stdout, TextIOWrapper):  # a terminal may lack a letter of an answer
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        _answer(given)
    except BrokenPipeError:  # whoever reads has read enough, such as head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt as stopped:
        print(
            f"\n{stopped}" if str(stopped) else "\nStopped; nothing was written.", file=sys.stderr
        )
        sys.exit(STOPPED)
    except (UsageError, OSError) as error:  # of the system: a full disk behind a pipe, and so on
        _stop(printable(str(error)))
    except ValueError as error:
        from dataset_prep.errors import DeltaError

        if not isinstance(error, DeltaError):
            raise
        # Several errors are a line each.
        _stop("\n".join(map(printable, str(error).splitlines())))


def _answer(given: list[str]) -> None:
    if not given or given[0] in ("-h", "--help"):
        print(USAGE, end="")
    elif given[0] == "--version":
        print(f"recbole-delta {__version__}")
    elif given[0] in COMMANDS:
        _do(COMMANDS[given[0]], given[1:])
    else:
        _refuse_misspelt(given[0])
        _do(TRAIN, given)


def _do(command: Command, arguments: list[str]) -> None:
    given = command.read(arguments)
    module, _, name = command.function.partition(":")
    function = getattr(import_module(module), name)
    modules = getattr(given, "modules", ())
    if modules:
        import_module("recbole_delta.compute.modules").import_modules(modules)
    _let_ctrl_c_through()
    function(given)


def _let_ctrl_c_through() -> None:
    """What waits, for a run or for a line of input, would go on waiting once polars is imported."""
    if threading.current_thread() is threading.main_thread() and hasattr(signal, "siginterrupt"):
        signal.siginterrupt(signal.SIGINT, True)


def _refuse_misspelt(word: str) -> None:
    """A word that is neither a subcommand nor a file would be read as a file of settings."""
    if word.startswith("-") or Path(word).exists():
        return
    hint = did_you_mean(word, COMMANDS)
    if hint or not Path(word).suffix:
        hint = hint or "; recbole-delta --help names the commands."
        raise UsageError(f"There is no command and no file {word!r}{hint}")


def _stop(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)
