"""``python -m recbole_delta.bench.runs.one``: one run of a bench, in a process of its own.

It reads its task as one line of JSON and leaves a record. It ends with the process that started
it: then the pipe that it reads from closes. What it had trained until then is gone on from the next
time, by the same code, and gives the record of a run that nothing had disturbed.
"""

from __future__ import annotations

import json
import logging
import math
import os
import platform
import resource
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from torch.nn import functional as F

from dataset_prep.errors import DeltaError
from dataset_prep.files import write_text
from recbole_delta._version import versions
from recbole_delta.bench.plan.spec import Spec, run_config
from recbole_delta.bench.records.record import CASES, Cases, is_done, save_record
from recbole_delta.compute.modules import import_modules
from recbole_delta.data.dataset import ColdWarmDataset, train_positions
from recbole_delta.data.fingerprint import read_preparation
from recbole_delta.embedding.base import ItemEmbedding
from recbole_delta.embedding.delta import DeltaEmbedding
from recbole_delta.evaluator.evaluate import MODES
from recbole_delta.evaluator.recommended import recommended_counts
from recbole_delta.quick_start.build import Parts, make_parts
from recbole_delta.quick_start.run import train
from recbole_delta.trainer.checkpoint import Checkpoint
from recbole_delta.trainer.run_state import NOT_RESUMABLE

MACHINE_SETTINGS = (
    "data_path",
    "checkpoint_dir",
    "device",
    "show_progress",
    "state",
    "dataset_save_path",
    "dataloaders_save_path",
)
"""Settings that say where a run was, not what it was."""

CODE = (":/recbole_delta", ":/dataset_prep", ":/properties", ":/constraints.txt")
"""What of a checkout decides a run's numbers; a changed bench file or page does not."""


@dataclass(frozen=True)
class Task:
    """What a process is told, in values that JSON holds.

    Attributes:
        spec: fields of the run's :class:`~recbole_delta.bench.plan.spec.Spec`.
        data_path: folder of the data sets.
        record: folder of the record to write.
        work: working directory of the run, which is removed once there is a record.
        threads: number of torch's threads.
        modules: names of the user's modules, which register models.
        folder: folder where these are, if they are not installed.
    """

    spec: dict[str, Any]
    data_path: str
    record: str
    work: str
    threads: int
    modules: list[str] = field(default_factory=list)
    folder: str = "."

    def line(self) -> str:
        """The line of JSON that the process reads."""
        return json.dumps(vars(self)) + "\n"


def main() -> None:
    """Do the task of standard input; exit code 2 and a sentence for errors in the user's input."""
    task = Task(**json.loads(sys.stdin.readline()))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work = Path(task.work)
    work.parent.mkdir(parents=True, exist_ok=True)
    # Another bench may be at the same run.
    with FileLock(work.with_name(f"{work.name}.lock")):
        if is_done(Path(task.record)):
            return
        checkpoint = _begin(work, task)
        # RecBole writes its logs into the working directory.
        os.chdir(work)
        try:
            perform(task, checkpoint)
        except DeltaError as error:
            print(f"error: {error}")
            sys.exit(2)
        finally:
            os.chdir(work.parent)
            shutil.rmtree(work, ignore_errors=True)


def _begin(work: Path, task: Task) -> Path | None:
    """Make the working directory; the checkpoint of a run that was killed there, if it may go on.

    A record belongs to one commit and one kind of machine: what other code, code in no commit or
    of the user's own, or another processor has trained is removed, and so is what the model could
    not go on from.
    """
    revision = _revision()
    code = {"revision": revision, "versions": versions(), "threads": task.threads, "on": _machine()}
    left, file = sorted(work.glob("*.safetensors")), work / "code.json"
    of_a_commit = revision is not None and not revision.endswith("-dirty") and not task.modules
    may_go_on = of_a_commit and task.spec["model"] not in NOT_RESUMABLE
    if may_go_on and left and file.is_file() and json.loads(file.read_text()) == code:
        return left[-1]
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    write_text(file, json.dumps(code))
    return None


def _finite(score: float) -> float | None:
    """A score as JSON can hold it: that of a run without any validation is none."""
    return float(score) if math.isfinite(score) else None


def _machine() -> str:
    """What the last bits of a run's numbers depend on besides code and threads."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, {gpu}"


def perform(task: Task, checkpoint: Path | None = None) -> None:
    """Train, test and write the record.

    Args:
        task: the run to do.
        checkpoint: what an interrupted run of this very task has left, to go on from.

    Raises:
        DeltaError: settings or data that cannot be used.
    """
    torch.set_num_threads(task.threads)
    import_modules(task.modules, task.folder)
    spec, record = Spec(**task.spec), Path(task.record)
    started = time.perf_counter()
    logging.getLogger().setLevel(logging.WARNING)
    quiet = {"checkpoint_dir": task.work, "show_progress": False, "state": "WARNING"}
    config = run_config(spec, Path(task.data_path), **quiet)
    parts = make_parts(config, Checkpoint.load(checkpoint) if checkpoint else None)
    trainer = parts.trainer(config, parts.model)
    if checkpoint:
        trainer.resume_checkpoint(checkpoint)
    # Their validations are not in it; what is stored beside says for how many epochs.
    before = sum(epoch["seconds"] for epoch in trainer.curve)
    epochs_before = len(trainer.curve)
    prepared = time.perf_counter()
    result, evaluations = train(parts, trainer, saved=True)
    ended = time.perf_counter()
    curve = [{k: v for k, v in epoch.items() if k != "seconds"} for epoch in result.curve]
    effective = {k: v for k, v in config.final_config_dict.items() if k not in MACHINE_SETTINGS}
    facts = {
        "dataset": spec.dataset,
        "model": spec.model,
        "seed": spec.seed,
        "asked": spec.settings,
        "settings": json.loads(json.dumps(effective, default=str)),
        "prepared": _prepared(Path(task.data_path) / spec.dataset / f"{spec.dataset}.json"),
        "train_positions": train_positions(parts.dataset.settings, type(parts.model)),
        "modes": result.test_modes,
        "configured_mode": result.test_modes.index(result.test_mode),
        "best_valid_score": _finite(result.best_valid_score),
        "best_valid_result": result.best_valid_result,
        "curve": curve,
        "calibration": result.calibration,
        "after_cold_offset": result.after_cold_offset,
        "warm_offsets": result.warm_offsets,
        "softmax_items": _softmax_items(parts),
        "parameters": sum(p.numel() for p in parts.model.parameters() if p.requires_grad),
        "threads": task.threads,
        "versions": versions(),
        "revision": _revision(),
    }
    measured = {
        "seconds": {
            "prepare": prepared - started,
            "train_and_evaluate": before + ended - prepared,
            "epoch": float(np.median([epoch["seconds"] for epoch in result.curve] or [0])),
        },
        "epochs_before_it_was_killed": epochs_before,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "device": str(config["device"]),
    }
    _cases(parts.test.dataset).save(record.parent / CASES)
    drift = _drift(parts.model)
    groups = evaluations[facts["configured_mode"]].groups
    recommended = recommended_counts(
        parts.model,
        parts.test.dataset,
        MODES[facts["configured_mode"]],
        batch_size=config["eval_batch_size"],
    )
    ranks = [each.ranks for each in evaluations]
    save_record(record, facts, measured, ranks, groups, drift, recommended)


def _cases(test: ColdWarmDataset) -> Cases:
    instances = test.instances
    count = np.concatenate([[0], test.interactions.train_counts()])
    target = instances.target.numpy()
    return Cases(
        user=test.field2id_token[test.uid_field][instances.user.numpy()].astype(str),
        target=test.item_tokens[target].astype(str),
        train_count=np.where(target <= test.n_warm, count[np.minimum(target, test.n_warm)], 0),
        item_train_count=count[1:],
    )


def _softmax_items(parts: Parts) -> int:
    """How many items the training loss ranges over.

    That of ours ranges over the rows that an embedding trains; RecBole's own over the items that
    its data set shows.
    """
    tables = [each for each in parts.model.modules() if isinstance(each, ItemEmbedding)]
    with torch.no_grad():
        rows = [len(each.trained_rows()) for each in tables]
    return max(rows, default=parts.train.dataset.item_num) - 1


def _drift(model: Any) -> np.ndarray | None:
    embedding = model.content_embedding if model.content_model is model else None
    if not isinstance(embedding, DeltaEmbedding) or not embedding.delta.requires_grad:
        return None  # nothing drifts, or not from the same space
    warm = slice(1, embedding.n_warm + 1)
    with torch.no_grad():
        return F.cosine_similarity(embedding.content[warm], embedding.weight[warm]).cpu().numpy()


def _prepared(path: Path) -> dict[str, Any]:
    """What the data set's ``name.json`` says of its preparation, in short."""
    said = read_preparation(path)
    kept = ("source", "protocol", "protocol_options", "items", "targets", "content", "cold_share")
    return {name: said[name] for name in kept if name in said}


def _revision() -> str | None:
    """The commit of the checkout that this code lies in; None outside of one."""
    try:
        commit = _git("describe", "--always", "--abbrev=12", "--match=")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", *CODE)
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{commit}-dirty" if changed else commit


def _git(*arguments: str) -> str:
    command, here = ["git", *arguments], Path(__file__).parent
    done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
