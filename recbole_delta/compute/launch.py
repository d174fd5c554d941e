"""Several processes of this machine for one call."""

from __future__ import annotations

import logging
import signal
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher import LaunchConfig, elastic_launch
from tqdm import tqdm

from dataset_prep.errors import DeltaError
from recbole_delta.compute.failure import REFUSED, STOPPED, ending_together, read_failure
from recbole_delta.compute.modules import import_modules, imported_modules

NOISY = ("torch.distributed.elastic", "torch.multiprocessing", "torchelastic-events-null")
"""Loggers that say in many lines what the one error says."""


def launch(function: Callable[..., Any], nproc: int, *arguments: Any) -> Any:
    """Call ``function(*arguments)`` in several processes of this machine.

    Args:
        function: function that can be pickled; every process calls it.
        nproc: number of processes.
        arguments: arguments of the function.

    Returns:
        what the function has returned in process 0.

    Raises:
        DeltaError: the function has failed in any of the processes, or one has died.
        KeyboardInterrupt: Ctrl-C; the message is that of the process that it has reached first.
    """
    threads = max(1, torch.get_num_threads() // nproc)
    with TemporaryDirectory() as folder:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=nproc,
            run_id=uuid.uuid4().hex,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(log_dir=folder),
        )
        try:
            with _signals_and_logs_as_they_were():
                start = elastic_launch(config, _in_child)
                return start(function, threads, imported_modules(), *arguments)[0]
        except ChildFailedError as error:
            _, failure = error.get_first_failure()
            reason = str(failure.message).splitlines()[0]
            died = DeltaError(f"Process {failure.local_rank} of {nproc} died ({reason}).")
            raise read_failure(Path(folder)) or died from error
        except SignalException as error:
            if error.sigval != signal.SIGINT:
                signal.raise_signal(error.sigval)
            raise read_failure(Path(folder)) or KeyboardInterrupt() from None


def _in_child(
    function: Callable[..., Any], threads: int, modules: list[str], *arguments: Any
) -> Any:
    torch.set_num_threads(threads)
    # tqdm's own is for several processes: one that is ended would leave a semaphore behind.
    tqdm.set_lock(threading.RLock())
    # The error is told in the parent.
    try:
        with ending_together():
            import_modules(modules)
            return function(*arguments)
    except DeltaError:
        raise SystemExit(REFUSED) from None
    except KeyboardInterrupt:
        raise SystemExit(STOPPED) from None


@contextmanager
def _signals_and_logs_as_they_were() -> Iterator[None]:
    """Within the block, torch's launcher logs nothing; its handlers of signals go with it."""
    signals = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT]
    handlers = {each: signal.getsignal(each) for each in signals}
    loggers = [logging.getLogger(name) for name in NOISY]
    nothing = logging.NullHandler()
    for logger in loggers:
        logger.addHandler(nothing)
        logger.propagate = False
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(nothing)
            logger.propagate = True
        if threading.current_thread() is threading.main_thread():
            for each, handler in handlers.items():
                signal.signal(each, handler)
