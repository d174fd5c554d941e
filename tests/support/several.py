"""``python -m support.several``: runs of several processes, one after the other, some of which fail.

For each line of JSON, ``[{"settings": ..., "resume": path, "fault": [name, rank]}, ...]``, it prints
another, a list of what came of each; ``resume`` and ``fault`` may be left out. The processes are
forked: they find faults that no user could set, and start at once. A program of its own does so,
because libraries that start threads must not be forked; for the same reason it trains nothing
itself, and ``nproc`` is to be 2 or more.
"""

from __future__ import annotations

import gc
import json
import logging
import multiprocessing
import os
import signal
import sys
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch
import torch._dynamo  # every optimizer imports it, which takes seconds: once for all processes
from torch.distributed.launcher import LaunchConfig

import recbole_delta
from recbole_delta.compute import distributed, launch
from recbole_delta.data import dataset
from recbole_delta.quick_start import build
from recbole_delta.trainer import checkpoint, run_state, trainer

FAILED_AT = Path("failed_at")


def _nan(*_):
    return torch.tensor(torch.nan, requires_grad=True)


def _full_disk(*_):
    raise OSError("No space left on device")


def _bug(*_, **__):
    raise ZeroDivisionError("a bug")


def _ctrl_c(*_):
    raise KeyboardInterrupt


def _killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)


FAULTS = {
    "NaN in the loss": (distributed.SharedLoss, "forward", _nan),
    "Ctrl-C in the loss": (distributed.SharedLoss, "forward", _ctrl_c),
    "a bug in the loss": (distributed.SharedLoss, "forward", _bug),
    "killed in the loss": (distributed.SharedLoss, "forward", _killed),
    "a full disk in saving": (checkpoint, "save_file", _full_disk),
    "a bug in saving": (run_state, "generator_states", _bug),
    "a bug in evaluation": (trainer, "evaluate_modes", _bug),
    "other rows": (build, "data_fingerprint", lambda _: {"rows": "other", "items": "other"}),
    "other content": (dataset, "read_content", None),
}


def break_(name, rank):
    """Replace a function by one that fails in process ``rank``, and notes when."""
    owner, attribute, fault = FAULTS[name]
    sound = getattr(owner, attribute)

    def faulty(*arguments, **named):
        if distributed.rank() != rank:
            return sound(*arguments, **named)
        FAILED_AT.write_text(str(time.time()))
        if fault is not None:
            return fault(*arguments, **named)
        content = sound(*arguments, **named)
        return replace(content, vectors=content.vectors + 1)

    setattr(owner, attribute, faulty)
    return lambda: setattr(owner, attribute, sound)


def _in_child(started, *arguments):
    # A process that is started, not forked, has none of the launcher's handlers.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return started(*arguments)


def main():
    launch.LaunchConfig = partial(LaunchConfig, start_method="fork")
    launch._in_child = partial(_in_child, launch._in_child)
    launch._in_child.__name__ = launch._in_child.__qualname__ = "_in_child"
    for line in sys.stdin:
        print(json.dumps([_done(**case) for case in json.loads(line)]), flush=True)


def _done(settings, resume=None, fault=None):
    undo = break_(*fault) if fault else lambda: None
    said = {}
    try:
        result = (
            recbole_delta.resume(resume, settings)
            if resume
            else recbole_delta.run(settings=settings)
        )
        said["result"] = asdict(result)
    except (Exception, KeyboardInterrupt) as error:
        said |= {"error": type(error).__name__, "sentence": str(error)}
        if fault:
            said["seconds"] = time.time() - float(FAILED_AT.read_text())
    undo()
    # A forked process must not collect what the launcher leaves: its threads are not there.
    gc.collect()
    gc.freeze()
    return said | {"left": len(multiprocessing.active_children())}


if __name__ == "__main__":
    logging.getLogger().setLevel(logging.ERROR)
    main()
    # What the launchers have left would be waited for, frozen as it is.
    os._exit(0)
