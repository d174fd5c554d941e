"""Spoilt files of every kind, and what our commands make of them.

    python benchmarks/fuzz.py --inputs 430 --seed 1 --bench --hostile     # of each kind
    python benchmarks/fuzz.py --kind "model YAML" --first 17 --inputs 1   # one of them again

An input is accepted, or refused by one sentence. It fails if it raises anything else, kills the
process, takes longer or more memory than the bounds, writes outside the working directory or
starts a program. The process that reads is another one, so that nothing it does ends the campaign.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import multiprocessing
import os
import random
import resource
import shutil
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hostile import hostile
from mutations import BYTES
from readers import Kind, build, kinds
from tabulate import tabulate

from dataset_prep.errors import DeltaError

SECONDS, GIB = 60, 1.5
"""What one input may take: time, and memory beyond that of good files."""

ADDRESSES = 16
"""GiB of address space beyond that: readers in threads reserve more than they use."""

LONGEST = 1100
"""Characters of a sentence."""


def main() -> None:
    """Print counts by kind; exit status 1 if an input has failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=400, help="of each kind")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bench", action="store_true", help="what bench reads too")
    parser.add_argument("--hostile", action="store_true", help="hostile sizes too")
    parser.add_argument("--kind", action="append", help="only these")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        reader = Reader(Path(folder), given.bench)
        lines = []
        for kind in given.kind or reader.kinds:
            counts: Counter[str] = Counter()
            numbers = range(given.first, given.first + given.inputs // reader.kinds[kind])
            for n in [*numbers, *(reader.hostile[kind] if given.hostile else ())]:
                verdict, said = reader.read(kind, n, given.seed)
                counts[verdict] += 1
                if verdict == "failed" or given.inputs == 1:
                    print(f"{kind}, input {n}: {verdict}: {said}", flush=True)
            lines.append({"kind": kind, **{name: counts[name] for name in VERDICTS}})
            print(lines[-1], flush=True)
        reader.close()
    total = {name: sum(line[name] for line in lines) for name in VERDICTS}
    print(tabulate([*lines, {"kind": "all", **total}], headers="keys", tablefmt="github"))
    sys.exit(1 if total["failed"] else 0)


CHECKOUT = Path(__file__).absolute().parents[1]
VERDICTS = ("accepted", "refused", "failed")


class Reader:
    """A process that reads one input after the other, and a new one where it dies.

    Args:
        folder: where it works.
        bench: whether it reads what bench does.
    """

    def __init__(self, folder: Path, bench: bool) -> None:
        self._folder, self._bench = folder, bench
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, there = context.Pipe()
        self._process = context.Process(
            target=serve, args=(there, self._folder, self._bench), daemon=True
        )
        self._process.start()
        there.close()
        self.kinds: dict[str, int]
        self.hostile: dict[str, list[str]]
        self.kinds, self.hostile = self._pipe.recv()

    def read(self, kind: str, n: int | str, seed: int) -> tuple[str, str]:
        """The verdict on input ``n`` of a kind, or a hostile one by name, and what was said."""
        self._pipe.send((kind, n, seed))
        try:
            if self._pipe.poll(SECONDS):
                return self._pipe.recv()
            said = f"took more than {SECONDS} s"
        except EOFError:
            said = "the process died"
        self.close()
        self._start()
        return "failed", said

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()


def serve(pipe: Any, folder: Path, bench: bool) -> None:
    """Read what the pipe asks for, in the process of a :class:`Reader`."""
    warnings.simplefilter("ignore")
    work, good = folder / "work", folder / "good"
    if not good.exists():
        work.mkdir()
        os.chdir(work)
        with _silent():
            build(bench)
        shutil.copytree(work, good)
    _renew(work, good)
    known = kinds()
    tempfile.tempdir = str(work)
    strange = _watch(work)
    for name, kind in known.items():
        verdict, said = _verdict(kind.read, strange)
        assert verdict == "accepted", f"{name}: {said}"
        _renew(work, good)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES * 2**30,) * 2)
    shares = {name: 8 if kind.slow else 1 for name, kind in known.items()}
    pipe.send((shares, {name: [*hostile(Path(kind.file))] for name, kind in known.items()}))
    while True:
        name, n, seed = pipe.recv()
        path = Path(known[name].file)
        data = path.read_bytes()
        if isinstance(n, str):
            data = hostile(path)[n](data)
        else:
            data = spoilt(known[name], data, random.Random(f"{seed} {name} {n}"))
        path.write_bytes(data)
        del data
        before = _memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak is from now on
        verdict, said = _verdict(known[name].read, strange)
        took = _memory("VmHWM") - before
        pipe.send((verdict, said) if took < GIB else ("failed", f"took {took:.1f} GiB"))
        _renew(work, good)


def _memory(name: str) -> float:
    """GiB that this process has, by the kernel's name for it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 2**20


def spoilt(kind: Kind, data: bytes, draw: random.Random) -> bytes:
    """A good file mutated as its kind is, now and then twice."""
    data = draw.choice(kind.mutations)(data, draw)
    return draw.choice(BYTES)(data, draw) if data and draw.random() < 0.2 else data


def _renew(work: Path, good: Path) -> None:
    """The working directory as :func:`build` has left it."""
    shutil.rmtree(work)
    shutil.copytree(good, work)
    os.chdir(work)


def _verdict(read: Callable[[], object], strange: list[str]) -> tuple[str, str]:
    del strange[:]
    errors = io.StringIO()
    verdict, said = "accepted", ""
    try:
        with _silent(errors):
            read()
    except DeltaError as error:
        verdict, said = "refused", str(error)
    except SystemExit:
        verdict, said = "refused", errors.getvalue().strip().rpartition("error: ")[2]
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [each for each in frames if Path(each.filename).is_relative_to(CHECKOUT)]
        places = " from ".join(f"{each.filename}:{each.lineno}" for each in (frames[-1], ours[-1]))
        verdict, said = "failed", f"{type(error).__name__}: {str(error)[:300]} ({places})"
    if strange:
        return "failed", strange[0]
    if verdict == "refused" and ("\n" in said or not said or len(said) > LONGEST):
        return "failed", f"{len(said)} characters, no one sentence: {said[:300]!r}"
    return verdict, said


@contextlib.contextmanager
def _silent(errors: io.StringIO | None = None) -> Any:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors or out):
        yield


WRITES = {"os.mkdir": 0, "os.rename": 1, "os.remove": 0, "os.rmdir": 0, "os.symlink": 1}
"""Events of Python's audit that change files, and which argument is the path."""


WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def _watch(work: Path) -> list[str]:
    """What is written outside ``work``, and programs that are started, from now on."""
    strange: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen"):
            strange.append(f"{event} {arguments[0]}")
        path = arguments[WRITES[event]] if event in WRITES else None
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING:
            path = arguments[0]
        if isinstance(path, (str, bytes, os.PathLike)):
            place = Path(os.fsdecode(path)).resolve()
            if not place.is_relative_to(work):
                strange.append(f"{event} of {place}")

    sys.addaudithook(hook)
    return strange


if __name__ == "__main__":
    main()
