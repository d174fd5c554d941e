"""Where the runs of a bench are done: processes of this machine, or a Dask cluster.

Dask lives beside RecBole. RecBole itself pins ray 2.6.3, whose workers do not start on NumPy 2.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import Any

from dataset_prep.errors import DeltaError
from recbole_delta.bench.runs.one import Task

_running: set[subprocess.Popen[str]] = set()
_stopping = Event()
"""Set when no process may go on; a thread may be about to start one."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        code: exit status of its process; 0 where it left a record.
        output: what it printed, errors included.
    """

    code: int
    output: str

    @property
    def reason(self) -> str:
        """Why it failed, in a line: by what went wrong first, whatever fails in its wake."""
        lines = [line for line in self.output.splitlines() if line.strip()]
        if self.code < 0:
            return f"killed by signal {-self.code}"
        starts = [n for n, line in enumerate(lines, 1) if line.startswith("Traceback (")]
        for line in lines[starts[0] :] if starts else []:
            if not line.startswith(" "):
                return line
        return lines[-1].removeprefix("error: ") if lines else f"exit status {self.code}"


def perform(task: Task) -> Outcome:
    """Do a task in a process of its own, whose memory and crashes do not touch this one.

    Args:
        task: the run to do.
    """
    threads = {f"{name}_NUM_THREADS": str(task.threads) for name in ("OMP", "MKL", "POLARS_MAX")}
    environment = {**os.environ, **threads}
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "recbole_delta.bench.runs.one"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        text=True,
        errors="replace",
        # Ctrl-C is for us; the process ends when its pipe closes.
        start_new_session=True,
    )
    _running.add(process)
    if _stopping.is_set():
        process.kill()
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(task.line())
        process.stdin.flush()
        output = process.stdout.read()
        return Outcome(process.wait(), output)
    except BrokenPipeError:
        return Outcome(process.wait(), process.stdout.read())
    finally:
        _running.discard(process)


def in_order_of_completion(
    tasks: list[Task], workers: int, cluster: str | None
) -> Iterator[tuple[int, Outcome]]:
    """Do some tasks in parallel.

    Args:
        tasks: runs to do.
        workers: number of processes on this machine at a time.
        cluster: address of a Dask scheduler that does the runs instead; its workers must reach the
            same folders.

    Yields:
        the position of a task in ``tasks`` and how it ended, as they end.

    Raises:
        DeltaError: there is no such scheduler, or no Dask.
    """
    with _dask(cluster) if cluster else _threads(workers) as submit:
        futures, completed = submit(tasks)
        position = {future: n for n, future in enumerate(futures)}
        for future in completed:
            yield position[future], _result(future)


@contextmanager
def _threads(workers: int) -> Iterator[Any]:
    pool = ThreadPoolExecutor(workers)
    _stopping.clear()

    def submit(tasks: list[Task]) -> tuple[list[Future[Outcome]], Iterator[Future[Outcome]]]:
        futures = [pool.submit(perform, task) for task in tasks]
        return futures, as_completed(futures)

    try:
        yield submit
    finally:
        _stopping.set()
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list(_running):
            process.kill()


@contextmanager
def _dask(address: str) -> Iterator[Any]:
    try:
        import distributed
    except ImportError as error:
        raise DeltaError("--cluster needs Dask: pip install 'recbole-delta[cluster]'.") from error
    try:
        client = distributed.Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise DeltaError(f"There is no Dask scheduler at {address} ({error}).") from error

    def submit(tasks: list[Task]) -> tuple[list[Any], Iterator[Any]]:
        futures = client.map(perform, tasks, pure=False)
        return futures, distributed.as_completed(futures)

    with client:
        yield submit


def _result(future: Any) -> Outcome:
    try:
        return future.result()
    except Exception as error:  # a worker died, or cannot import us
        return Outcome(1, f"{type(error).__name__}: {error}")
