"""What our commands read: one good file of every kind, and the command that reads it."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import yaml
from mutations import (
    BYTES,
    TEXT,
    Mutation,
    json_line,
    json_value,
    npy_header,
    npz_member,
    tensors_header,
    without_digest,
    yaml_value,
)

import recbole_delta
from dataset_prep.__main__ import main as dataset_prep
from dataset_prep.format.content import write_content
from recbole_delta.cli.main import main as recbole_delta_command

N_USERS, N_ITEMS, DIM = 24, 20, 12
SETTINGS = {
    "model": "SASRecDelta", "dataset": "tiny", "data_path": "dataset", "checkpoint_dir": "saved",
    "hidden_size": 8, "inner_size": 8, "n_layers": 1, "n_heads": 1, "MAX_ITEM_LIST_LENGTH": 6,
    "train_batch_size": 64, "epochs": 1, "topk": [5, 10], "learning_rate": 0.001,
    "eval_args": {"mode": {"valid": "full", "test": "full"}}, "show_progress": False,
    "state": "ERROR",
}  # fmt: skip
ROWS, ITEMS = "raw/rows", "raw/items"
CHECKPOINT, VECTORS = "trained.safetensors", "raw/vectors"


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        file: the good one, below the folder that :func:`build` fills.
        mutations: that make sense of it.
        read: the command; it runs in that folder.
        slow: whether that takes seconds, so that an eighth of the inputs has to do.
    """

    file: str
    mutations: tuple[Mutation, ...]
    read: Callable[[], object]
    slow: bool = False


def build(bench: bool) -> None:
    """Lay a good file of every kind into the working directory; those of a bench if asked."""
    draw = random.Random(0)
    rows = [
        {"user_id": f"u{user}", "item_id": f"i{item}", "timestamp": draw.randrange(10**6),
         "rating": draw.randrange(1, 6)}
        for user in range(N_USERS)
        for item in draw.sample(range(N_ITEMS), 9)
    ]  # fmt: skip
    items = [{"item_id": f"i{n}", "title": f"title {n}"} for n in range(N_ITEMS)]
    Path("raw").mkdir()
    for stem, table in ((ROWS, pl.DataFrame(rows)), (ITEMS, pl.DataFrame(items))):
        table.write_csv(f"{stem}.csv")
        table.write_csv(f"{stem}.tsv", separator="\t")
        table.write_ndjson(f"{stem}.jsonl")
        table.write_parquet(f"{stem}.parquet")
    tokens = [each["item_id"] for each in items]
    vectors = np.random.default_rng(0).normal(size=(N_ITEMS, DIM)).astype(np.float32)
    write_content(f"{VECTORS}.safetensors", tokens, vectors)
    np.save(f"{VECTORS}.npy", vectors)
    Path(f"{VECTORS}.ids.txt").write_text("\n".join(tokens) + "\n")
    lists = pl.DataFrame({"item_id": tokens, "vector": vectors.tolist()})
    lists.write_parquet(f"{VECTORS}.parquet")
    lines = [f"{token}\t{' '.join(map(str, row))}" for token, row in zip(tokens, vectors)]
    Path(f"{VECTORS}.item").write_text("item_id:token\tv:float_seq\n" + "\n".join(lines) + "\n")
    _prepare("csv", "safetensors", "dataset", "tiny")
    Path("model.yaml").write_text(yaml.safe_dump(SETTINGS))
    trained = recbole_delta.run(settings={**SETTINGS, "epochs": 2}).checkpoint
    Path(trained).rename(CHECKPOINT)
    cold = sorted(recbole_delta.Recommender(CHECKPOINT).cold_items)[0]
    histories = [{"history": [f"i{n}", "i3", cold], "user": n} for n in range(4)]
    Path("histories.jsonl").write_text("".join(json.dumps(each) + "\n" for each in histories))
    Path("ids.txt").write_text("i1\ni2\ni3\n")
    if bench:
        _bench()


def _bench() -> None:
    own = {k: v for k, v in SETTINGS.items() if k not in ("model", "dataset", "data_path", "state")}
    asked = {
        "datasets": ["tiny"], "data_path": "dataset", "seeds": [1],
        "settings": {**own, "embedding_size": 8, "checkpoint_dir": "unused"},
        "models": {"ours": {"model": "SASRecDelta", "vary": {"delta_max": [0.3, 0.5]}},
                   "content": {"model": "ContentMean", "seeds": [1]}},
        "report": {"title": "t", "metrics": ["ndcg@5"], "reference": "content",
                   "baseline": "content", "notes": "n"},
    }  # fmt: skip
    Path("bench.yaml").write_text(yaml.safe_dump(asked, sort_keys=False))
    recbole_delta_command(["bench", "bench.yaml"])


def _prepare(table: str, vectors: str, out: str = "out", name: str = "fuzzed") -> None:
    chosen = [f"interactions=rows.{table}", f"items=items.{table}", "rating=rating"]
    options = [part for each in chosen for part in ("--set", each)]
    # Prepared from other bytes, it would not be replaced.
    shutil.rmtree(Path(out, name), ignore_errors=True)
    dataset_prep(
        ["table", "--raw", "raw", "--out", out, "--name", name, "--cold", "random",
         "--cold-fraction", "0.15", "--vectors", f"{VECTORS}.{vectors}", *options]
    )  # fmt: skip


def _train() -> None:
    recbole_delta_command(["model.yaml"])


def _train_and_add() -> None:
    """What name.json says goes into the checkpoint, and comes back when items are added."""
    _train()
    [trained] = Path("saved").glob("*.safetensors")
    _add(str(trained))


def _add(trained: str) -> None:
    recbole_delta_command(
        ["add", trained, "--to", "more.safetensors", "--vectors", f"{VECTORS}.safetensors"]
    )


def _load_run() -> None:
    model = recbole_delta.load_run(CHECKPOINT)[1]
    assert next(model.parameters()) is not None


def _resume() -> None:
    recbole_delta_command(["resume", CHECKPOINT, "--epochs=3"])


def _recommend() -> None:
    options = ["-k", "3", "--allow", "ids.txt", "--deny", "deny.txt"]
    Path("deny.txt").write_text("i5\n")
    recbole_delta_command(["recommend", CHECKPOINT, "histories.jsonl", *options])


def _warm_up() -> None:
    recbole_delta_command(["warm-up", CHECKPOINT, "histories.jsonl", "--to", "warm.safetensors"])


def _serve() -> None:
    _recommend()
    _add(CHECKPOINT)
    recbole_delta_command(["explain", CHECKPOINT, "i1", "-k", "3"])


def _report() -> None:
    recbole_delta_command(["bench", "bench.yaml", "--report-only"])


def kinds() -> dict[str, Kind]:
    """Every kind of file by name, in the folder that :func:`build` has filled."""
    content = sorted(Path("dataset/tiny").glob("*.safetensors"))[0]
    tensors = (*BYTES, tensors_header)
    spoilt = (*tensors, *(without_digest(each) for each in tensors))
    found = {
        ".inter": Kind("dataset/tiny/tiny.inter", TEXT, _train),
        ".item": Kind("dataset/tiny/tiny.item", TEXT, _train),
        "content .safetensors": Kind(str(content), tensors, _train),
        "name.json": Kind("dataset/tiny/tiny.json", (*TEXT, json_value), _train_and_add),
        "model YAML": Kind("model.yaml", (*TEXT, yaml_value), _train),
        "checkpoint, load_run": Kind(CHECKPOINT, spoilt, _load_run),
        "checkpoint, resume": Kind(CHECKPOINT, spoilt, _resume),
        "checkpoint, serving": Kind(CHECKPOINT, spoilt, _serve),
        "histories": Kind("histories.jsonl", (*TEXT, json_line), _recommend),
        "histories, warm-up": Kind("histories.jsonl", (*TEXT, json_line), _warm_up),
        "--allow": Kind("ids.txt", TEXT, _recommend),
    }
    if Path("bench.yaml").exists():
        found |= _bench_kinds()
    for ending, mutations in {
        "npy": (*BYTES, npy_header), "ids.txt": TEXT, "parquet": BYTES, "item": TEXT,
        "safetensors": tensors,
    }.items():  # fmt: skip
        asked = "npy" if ending == "ids.txt" else ending
        found[f"vectors .{ending}"] = Kind(
            f"{VECTORS}.{ending}", mutations, lambda asked=asked: _prepare("csv", asked)
        )
    for ending in ("csv", "tsv", "jsonl", "parquet"):
        mutations = BYTES if ending == "parquet" else TEXT
        mutations += (json_line,) if ending == "jsonl" else ()
        for stem in (ROWS, ITEMS):
            found[f"{Path(stem).name}.{ending}"] = Kind(
                f"{stem}.{ending}", mutations, lambda asked=ending: _prepare(asked, "npy")
            )
    return found


def _bench_kinds() -> dict[str, Kind]:
    record = sorted(Path("records").glob("*/SASRecDelta-1-*"))[0]
    text = (*TEXT, json_value)
    return {
        "bench YAML": Kind("bench.yaml", (*TEXT, yaml_value), _report, True),
        "record.json": Kind(str(record / "record.json"), text, _report, True),
        "measured.json": Kind(str(record / "measured.json"), text, _report, True),
        "ranks.npz": Kind(str(record / "ranks.npz"), (*BYTES, npz_member), _report, True),
        "cases.npz": Kind(str(record.parent / "cases.npz"), (*BYTES, npz_member), _report, True),
    }
