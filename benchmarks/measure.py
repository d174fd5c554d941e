"""What the benchmarks share: turns, medians, peak memory, made-up data sets."""

from __future__ import annotations

import multiprocessing
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from dataset_prep.format.content import write_content
from recbole_delta.config.run_config import RunConfig
from recbole_delta.quick_start.build import Parts, make_parts

SCRATCH = str(Path(tempfile.gettempdir()) / "recbole_delta")
"""For checkpoints that nobody wants."""

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
"""Where RecBole computes by default, and so do ours."""


def seconds(call: Callable[[], Any]) -> float:
    """Wall-clock seconds of one call."""
    started = time.perf_counter()
    call()
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def in_turn(versions: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """The median of what each version says, over rounds in which they take turns."""
    said: dict[str, list[float]] = {name: [] for name in versions}
    for _ in range(rounds):
        for name, version in versions.items():
            said[name].append(version())
            print(f"{name}: {said[name][-1]:.3f}", flush=True)
    return {name: statistics.median(values) for name, values in said.items()}


def alone(function: Callable[..., Any], *arguments: Any, limit: float = 900) -> tuple[Any, float]:
    """What a function returns in a process of its own, and its peak memory in GiB.

    The memory is that of the GPU where the function computes on one, else that of the process.

    The result is the text "over 900 s" or "died" where it is so.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_call, args=(sender, function, arguments))
    process.start()
    sender.close()
    try:
        found = receiver.recv() if receiver.poll(limit) else (f"over {limit:.0f} s", float("nan"))
    except EOFError:
        found = "died", float("nan")
    process.kill()
    process.join()
    return found


def _call(sender: Any, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    result = function(*arguments)
    if torch.cuda.is_initialized():
        peak = torch.cuda.max_memory_allocated() / 2**30
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    sender.send((result, peak))


def machine() -> str:
    """One line for the head of a table."""
    if DEVICE.type == "cuda":
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    return (
        f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}"
    )


def parts(model: str, data: Path, **settings: Any) -> Parts:
    """Data, model and trainer of a run over the prepared data set in the folder ``data``."""
    quiet = {"state": "ERROR", "show_progress": False, "checkpoint_dir": SCRATCH}
    places = {"data_path": str(data.parent), "require_cold": False}
    return make_parts(RunConfig(model, data.name, config_dict={**quiet, **places, **settings}))


def make_up(folder: Path, rows: int, items: int, dim: int = 64, users: int | None = None) -> Path:
    """A data set in dataset_prep's format: leave-one-out, popular items first, no order else."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    user = np.sort(rng.integers(0, users or max(rows // 20, 1), rows))
    item = (items * rng.random(rows) ** 2).astype(np.int64)
    last = np.r_[user[1:] != user[:-1], True]
    split = np.where(last, "test", np.where(np.r_[last[1:], False], "valid", "train"))
    # Every item is trained on.
    item[rng.permutation(np.flatnonzero(split == "train"))[:items]] = np.arange(items)
    count = np.bincount(item[split == "train"], minlength=items)
    inter = {"user_id:token": user, "item_id:token": item}
    table = pl.DataFrame(inter | {"timestamp:float": np.arange(rows), "split:token": split})
    table.write_csv(folder / f"{folder.name}.inter", separator="\t")
    cold = {"item_id:token": np.arange(items), "is_cold:token": (count == 0).astype(int)}
    pl.DataFrame(cold).write_csv(folder / f"{folder.name}.item", separator="\t")
    vectors = rng.standard_normal((items, dim), dtype=np.float32)
    tokens = [str(each) for each in range(items)]
    write_content(folder / f"{folder.name}.content.made-up.safetensors", tokens, vectors)
    return folder
