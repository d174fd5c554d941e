"""The first error of one process ends all of them, and its sentence is the only one.

torch's launcher ends the processes of its machine as soon as one of them has failed, but others
fail too when that one is gone, and those of other machines may wait for it for half an hour. So
the one that fails first says so in the store that all of them share.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from dataset_prep.errors import DeltaError

KEY = "recbole_delta: the first failure"
POLL = 0.5
"""Seconds between two looks into the store."""
ECHO = 1.0
"""Seconds that an unforeseen error waits for its cause: when a process has been killed, its peers
fail at once, and the launcher knows the reason a little later."""
GRACE = 3.0
"""Seconds that a process has to end by itself after the first failure of any."""
STOPPED, REFUSED = 130, 2
"""Exit codes after Ctrl-C and after an error, as those of the command."""

_watched = Event()


@contextmanager
def ending_together() -> Iterator[None]:
    """Let an error in the block end every process of the run; without others, nothing changes.

    Exactly one process leaves the block by an error; the others are ended. The reason is in the
    error file that torch's launcher has asked for, so that torchrun names it as the root cause.

    Raises:
        DeltaError: this process has failed first, by this error or by an unforeseen one that it
            quotes.
        KeyboardInterrupt: Ctrl-C has reached this process first.
    """
    if not dist.is_torchelastic_launched() or _watched.is_set():
        yield
        return
    store, rank, world_size = next(rendezvous("env://"))
    over = Event()
    Thread(target=_end_after_failure, args=(store, over), daemon=True).start()
    _watched.set()
    before = _interrupted_once()
    try:
        yield
    except (DeltaError, KeyboardInterrupt) as error:
        _report(store, rank, error, str(error))
        raise
    except Exception as error:
        time.sleep(ECHO)
        reason = f"{type(error).__name__}: {error}"
        failed = DeltaError(f"Process {rank} of {world_size} failed ({reason}).")
        _report(store, rank, failed, traceback.format_exc())
        raise failed from error
    over.set()
    _watched.clear()
    if before is not None:
        signal.signal(signal.SIGINT, before)


def _interrupted_once() -> Any:
    """Take Ctrl-C once, as the launcher passes on what the terminal has sent; the earlier handler.

    A second one would come while the first is being answered.
    """

    def interrupt(*_: Any) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    on_main = threading.current_thread() is threading.main_thread()
    return signal.signal(signal.SIGINT, interrupt) if on_main else None


def read_failure(folder: Path) -> BaseException | None:
    """The error that has ended the processes, from the files that they leave; None without any.

    Args:
        folder: log folder of torch's launcher.
    """
    for path in folder.rglob("error.json"):
        said = json.loads(path.read_text(encoding="utf-8"))["message"]
        kind = KeyboardInterrupt if said["errorCode"] == STOPPED else DeltaError
        return kind(said["message"])
    return None


def _report(store: Any, rank: int, error: BaseException, trace: str) -> None:
    """Say why all have to end, in torch's format; does not return if another process has said so.

    Args:
        store: what the processes share.
        rank: number of this process.
        error: what the user is told.
        trace: what torchrun prints.
    """
    extra = {"py_callstack": trace, "timestamp": str(int(time.time())), "rank": rank}
    code = STOPPED if isinstance(error, KeyboardInterrupt) else REFUSED
    said = {"message": str(error), "errorCode": code, "extraInfo": extra}
    report = json.dumps({"message": said})
    try:
        first = store.compare_set(KEY, "", report).decode()
    except RuntimeError:  # the launcher is gone, and the store with it
        first = report
    while first != report:
        time.sleep(GRACE)
    _write(report)


def _end_after_failure(store: Any, over: Event) -> None:
    """End this process soon after the first failure of any, whatever it is waiting for."""
    try:
        while not store.check([KEY]):
            if over.wait(POLL):
                return
        report = store.get(KEY).decode()
    except RuntimeError:  # the launcher has ended; so will its processes
        return
    if not over.wait(GRACE):
        _write(report)
        os._exit(1)


def _write(report: str) -> None:
    path = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if path:
        with suppress(OSError):
            Path(path).write_text(report, encoding="utf-8")
