"""The command ``recbole-delta``, the same as ``python run_recbole_delta.py``."""

from __future__ import annotations

import os
import sys

from dataset_prep.errors import DeltaError
from recbole_delta.cli.compare import _bench, _demo
from recbole_delta.cli.serve import SERVING
from recbole_delta.cli.train import _resume, _run

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
              [--allow FILE] [--deny FILE] [--cold-share X]
                       {"history": ["item", ...]} a line, or standard input
recbole-delta export CHECKPOINT --to DIR  item vectors, and the session encoder as ONNX
recbole-delta explain CHECKPOINT [ITEM ...] [-k N] [--to DIR]
                                         what training made of an item: neighbours, drift, pictures
recbole-delta demo [--out DIR] [--seeds N ...] [--backbone NAME] [--cold random|newest]
                                         the comparison on ml-100k, with table and picture
"""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; an error in the user's input is one sentence and exit code 2.

    Args:
        arguments: arguments of the command; those of the process by default.
    """
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


COMMANDS = {"demo": _demo, "bench": _bench, "resume": _resume, **SERVING}
"""Subcommands by name; each takes its arguments. Without one, a model is trained."""
