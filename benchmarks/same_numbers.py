"""Whether two versions of this package compute the same, bit for bit.

::

    python benchmarks/same_numbers.py before --beauty DIR     # in the old checkout
    python benchmarks/same_numbers.py after --beauty DIR --against before

The first call prepares ml-100k (and Amazon Beauty by the paper's protocol, where DIR holds its raw
files), trains on both, resumes, trains in two processes, and leaves digests of everything in
``before/numbers.json``. The second does the same with its own code, loads the checkpoints of
``before`` too, and prints a table. Only the public interface is used, so that either version may be
any. Run both with the same number of threads (``OMP_NUM_THREADS=1``).
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from tabulate import tabulate

import recbole_delta
from dataset_prep import ContentOptions, Filters, prepare
from recbole_delta import Recommender, resume, run

COMMON = {"show_progress": False, "state": "ERROR", "seed": 42}
SMALL = {"hidden_size": 32, "inner_size": 32, "train_batch_size": 64, "valid_metric": "NDCG@10",
         "valid_candidates": "all", "stopping_step": 99}  # fmt: skip
PAPER = {"hidden_size": 128, "inner_size": 128, "embedding_size": 128, "MAX_ITEM_LIST_LENGTH": 64}
HALF = "half.safetensors"
HISTORIES = [["50", "181", "174"], ["1"], ["100", "56", "127", "98"]]


def main() -> None:
    """Compute, write, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--beauty", type=Path, help="folder of Beauty's raw files")
    parser.add_argument("--against", type=Path, help="the folder of another version")
    given = parser.parse_args()
    found = numbers(given.out.absolute(), given.beauty)
    if given.against:
        found |= _of_other(given.against.absolute(), given.out.absolute())
    text = json.dumps(found, indent=1)
    (given.out / "numbers.json").write_text(text + "\n")
    if given.against:
        before = json.loads((given.against / "numbers.json").read_text())
        before |= {f"{name}, by the other's checkpoint": before[name] for name in OF_CHECKPOINT}
        rows = [(name, before.get(name), each, before.get(name) == each)
                for name, each in found.items()]  # fmt: skip
        print(tabulate(rows, ("what", "before", "after", "same"), tablefmt="github"))
        sys.exit(not all(row[-1] for row in rows))


def numbers(out: Path, beauty: Path | None) -> dict[str, str]:
    """Digests by what was computed, of the code that is imported."""
    out.mkdir(parents=True, exist_ok=True)
    data = out / "dataset"
    folder = prepare("ml-100k", data, name="ml-same", filters=Filters(core=5),
                     protocol_options={"cold": "random", "seed": 42})  # fmt: skip
    found = {"dataset_prep ml-100k": _files(folder)}

    def trained(name: str, dataset: str, model: str = "SASRecDelta", **settings: Any) -> str:
        everywhere = {**COMMON, "data_path": str(data), "checkpoint_dir": str(out / "saved" / name)}
        return _result(run(model, dataset, settings={**everywhere, **settings}))

    for loss in ("ce", "chunked", "sampled"):
        found[f"ml-100k SASRecDelta {loss}"] = trained(
            loss, "ml-same", loss=loss, epochs=3, **SMALL
        )
    for model in ("GRU4RecDelta", "BERT4RecDelta", "COREDelta", "SASRecEnsemble", "ContentMean"):
        settings = {**SMALL, "embedding_size": 32, "train_batch_size": 512}
        found[f"ml-100k {model}"] = trained(model, "ml-same", model, epochs=1, **settings)
    for mode in ("id", "alphafuse", "llminit", "whitening", "moe", "id_dropout"):
        settings = {**SMALL, "item_embedding": mode}
        found[f"ml-100k SASRecDelta {mode}"] = trained(mode, "ml-same", epochs=1, **settings)
    found["ml-100k, RecBole's SASRec"] = trained(
        "stock", "ml-same", "SASRec", epochs=1, train_batch_size=8192, hidden_size=32, inner_size=32
    )
    found["ml-100k, two processes"] = trained("two", "ml-same", epochs=2, nproc=2, **SMALL)
    trained("half", "ml-same", epochs=2, **SMALL)
    half = Path(shutil.copy(_only(out / "saved" / "half"), out / HALF))
    found["ml-100k, 2 epochs and 1 resumed"] = _resumed(half, out / "resumed.safetensors")
    found["recommendations"] = _recommended(_only(out / "saved" / "ce"))
    if beauty:
        folder = prepare(
            "amazon-2014",
            data,
            raw=beauty,
            name="beauty-same",
            protocol="paper",
            source_options={"category": "Beauty"},
            filters=Filters(above={"rating": 3}),
            content=ContentOptions(missing="None"),
        )
        found["dataset_prep Beauty"] = _files(folder)
        for loss in ("ce", "chunked", "sampled"):
            found[f"Beauty SASRecDelta {loss}"] = trained(
                f"beauty-{loss}", "beauty-same", loss=loss, epochs=2, **PAPER
            )
    return found


OF_CHECKPOINT = ("ml-100k, 2 epochs and 1 resumed", "recommendations")


def _of_other(other: Path, out: Path) -> dict[str, str]:
    """What this code makes of the checkpoints that the other version left."""
    values = (
        _resumed(other / HALF, out / "resumed-from-other.safetensors"),
        _recommended(_only(other / "saved" / "ce")),
    )
    return {f"{name}, by the other's checkpoint": v for name, v in zip(OF_CHECKPOINT, values)}


def _resumed(half: Path, copy: Path) -> str:
    """The same run, to its third epoch; ``half`` stays as it is."""
    shutil.copy(half, copy)
    return _result(resume(copy, {"epochs": 3}))


def _result(result: recbole_delta.RunResult) -> str:
    """Of losses, metrics, and the weights and moments of the best epoch."""
    curve = [{k: v for k, v in epoch.items() if k != "seconds"} for epoch in result.curve]
    tensors = load_file(str(result.checkpoint))
    digest = hashlib.sha256(json.dumps([curve, result.test_modes], sort_keys=True).encode())
    for name in sorted(tensors):
        if not name.startswith("generator/"):
            digest.update(name.encode() + tensors[name].reshape(-1).numpy().tobytes())
    key = "ndcg@10"
    return f"{digest.hexdigest()[:12]} ({key} {result.test_result[key]:.6f})"


def _recommended(checkpoint: Path) -> str:
    found = Recommender(checkpoint).recommend(HISTORIES, k=20)
    text = json.dumps([[(each.item, each.score) for each in row] for row in found])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _files(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _only(folder: Path) -> Path:
    [path] = folder.glob("*.safetensors")
    return path


if __name__ == "__main__":
    with contextlib.redirect_stderr(sys.stdout):
        main()
