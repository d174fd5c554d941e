"""kill -9 at random moments of preparing, training and benchmarking, and what a restart leaves.

    python benchmarks/kill.py --kills 20 --seed 0          # of each job
    python benchmarks/kill.py --job train --kills 3

A trial starts the command, kills it up to three times at a moment of the undisturbed run's
duration, starts it again each time (training by `recbole-delta resume` where a checkpoint is
left), lets it end, and compares what is there with what the undisturbed run left. Every third kill
spares the processes that the command has started.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
import yaml
from measure import make_up
from tabulate import tabulate

from recbole_delta.trainer.checkpoint import Checkpoint

CHECKOUT = Path(__file__).absolute().parents[1]
COMMAND = str(CHECKOUT / "run_recbole_delta.py")
SETTINGS = {
    "hidden_size": 16, "inner_size": 16, "MAX_ITEM_LIST_LENGTH": 20, "train_batch_size": 32,
    "epochs": 6, "require_cold": False, "eval_args": {"mode": {"valid": "full", "test": "full"}},
}  # fmt: skip


@dataclass(frozen=True)
class Job:
    """A command that is killed.

    Attributes:
        command: its arguments, by what the working directory holds.
        state: what has to be there at the end, by the working directory and the output.
        progress: what a killed command has left for the next one: a restart must leave as much.
    """

    command: Callable[[Path], list[str]]
    state: Callable[[Path, str], dict[str, Any]]
    progress: Callable[[Path], dict[str, Any]]


def main() -> None:
    """Print counts by job; exit status 1 if a restart has ended in another state."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="of each job")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--job", action="append", choices=list(JOBS), help="only these")
    given = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as scratch:
        make_up(Path(scratch) / "dataset" / "made-up", rows=6000, items=150, dim=16)
        for name in given.job or JOBS:
            counts = campaign(JOBS[name], Path(scratch), name, given.kills, given.seed)
            lines.append({"job": name, **{column: counts[column] for column in COLUMNS}})
            print(lines[-1], flush=True)
    print(tabulate(lines, headers="keys", tablefmt="github"))
    sys.exit(1 if any(line["trials"] != line["same end"] or line["lost"] for line in lines) else 0)


COLUMNS = ("kills", "parent alone", "trials", "same end", "went on", "lost", "left beside")


def campaign(job: Job, scratch: Path, name: str, kills: int, seed: int) -> Counter[str]:
    """Counts over as many trials as it takes."""
    started = time.perf_counter()
    expected = job.state(*_undisturbed(job, scratch / name / "undisturbed"))
    duration = time.perf_counter() - started
    counts: Counter[str] = Counter()
    while counts["kills"] < kills:
        folder = _working(scratch / name / str(counts["trials"]))
        draw = random.Random(f"{seed} {name} {counts['trials']}")
        before: dict[str, Any] = {}
        for _ in range(min(draw.randint(1, 3), kills - counts["kills"])):
            alone = counts["kills"] % 3 == 2
            if not _killed(_start(job, folder), draw.uniform(0, duration), alone):
                break
            counts["kills"] += 1
            counts["parent alone"] += alone
            after = job.progress(folder)
            counts["went on"] += bool(after)
            counts["lost"] += _lost(before, after)
            before = after
        found = job.state(*_undisturbed(job, folder))
        counts["lost"] += _lost(before, job.progress(folder))
        counts["trials"] += 1
        counts["left beside"] += len([*folder.rglob(".*.partial")])
        differ = sorted(
            k for k in expected.keys() | found.keys() if expected.get(k) != found.get(k)
        )
        counts["same end"] += not differ
        print(f"{name}, trial {counts['trials']}: {', '.join(differ) or 'the same'}", flush=True)
    return counts


def _working(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "dataset").symlink_to(folder.parents[1] / "dataset")
    settings = {"model": "SASRecDelta", "dataset": "made-up", "data_path": "dataset",
                "checkpoint_dir": "saved", "show_progress": False, "state": "ERROR"}  # fmt: skip
    (folder / "model.yaml").write_text(yaml.safe_dump(settings | SETTINGS))
    rows = {"ours": {"model": "SASRecDelta", "vary": {"delta_max": [0.3, 0.5]}},
            "content": {"model": "ContentMean", "embedding_size": 16}}  # fmt: skip
    bench = {"datasets": ["made-up"], "data_path": "dataset", "seeds": [1, 2]}
    text = yaml.safe_dump({**bench, "settings": SETTINGS, "models": rows}, sort_keys=False)
    (folder / "bench.yaml").write_text(text)
    return folder


def _start(job: Job, folder: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", *job.command(folder)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _undisturbed(job: Job, folder: Path) -> tuple[Path, str]:
    if not folder.exists():
        _working(folder)
    process = _start(job, folder)
    output = process.communicate()[0]
    assert process.returncode == 0, output
    return folder, output


def _killed(process: subprocess.Popen[str], seconds: float, alone: bool) -> bool:
    """False where it has ended before."""
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        family = [psutil.Process(process.pid)]
        family += [] if alone else family[0].children(recursive=True)
        for each in family:
            if each.is_running():
                each.kill()
        process.communicate()
    return process.returncode < 0


def _lost(before: dict[str, Any], after: dict[str, Any]) -> int:
    return sum(name not in after or after[name] < value for name, value in before.items())


def _prepared(folder: Path, _: str) -> dict[str, Any]:
    return {path.name: path.read_bytes() for path in (folder / "out" / "small").iterdir()}


def _encoded(folder: Path) -> dict[str, Any]:
    return {str(path): path.stat().st_size for path in folder.glob("out/.content/*/[!.]*")}


def _checkpoints(folder: Path) -> list[Path]:
    return sorted((folder / "saved").glob("[!.]*.safetensors"))


def _trained(folder: Path, output: str) -> dict[str, Any]:
    [path] = _checkpoints(folder)
    checkpoint = Checkpoint.load(path)
    said = checkpoint.metadata.as_json()
    said["curve"] = [{k: v for k, v in each.items() if k != "seconds"} for each in said["curve"]]
    said["settings"] = {k: v for k, v in said["settings"].items() if k != "data_path"}
    tensors = checkpoint.model | checkpoint.catalogue
    tensors |= {n: v for n, v in checkpoint.generators.items() if torch.is_tensor(v)}
    for index, each in checkpoint.optimizer["state"].items():
        tensors |= {f"optimizer {index} {name}": value for name, value in each.items()}
    printed = json.loads(output.strip().splitlines()[-1])["test_result"]
    arrays = {name: value.numpy().tobytes() for name, value in tensors.items()}
    return {"metadata": said, "test result": printed, **arrays}


def _epoch(folder: Path) -> dict[str, Any]:
    return {str(path): Checkpoint.load(path).metadata.epoch for path in _checkpoints(folder)}


def _measured(folder: Path) -> dict[str, Any]:
    """Seconds of the runs: those of one that is done again would differ."""
    return {
        str(path): Unchanged(path.read_text())
        for path in folder.glob("records/*/[!.]*/measured.json")
    }


class Unchanged(str):
    """A text that any other is less than."""

    def __lt__(self, other: str) -> bool:
        return self != other


def _benched(folder: Path, _: str) -> dict[str, Any]:
    files = [
        *folder.glob("records/*/*/record.json"),
        *folder.rglob("*.npz"),
        *folder.rglob("*.csv"),
    ]
    found: dict[str, Any] = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    return {**found, "unfinished": [str(path) for path in folder.glob("work/*/")]}


def _train_or_resume(folder: Path) -> list[str]:
    found = _checkpoints(folder)
    again = ["resume", str(found[0])] if found else ["model.yaml"]
    return [COMMAND, *again]


JOBS = {
    "prepare": Job(
        lambda _: ["-m", "dataset_prep", "ml-100k", "--users", "100", "--core", "5",
                   "--cold", "random", "--out", "out", "--name", "small"],
        _prepared,
        _encoded,
    ),
    "train": Job(_train_or_resume, _trained, _epoch),
    "bench": Job(
        lambda _: [COMMAND, "bench", "bench.yaml", "--workers", "2"],
        _benched,
        _measured,
    ),
}  # fmt: skip


if __name__ == "__main__":
    main()
