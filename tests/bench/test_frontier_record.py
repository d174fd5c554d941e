"""What a record keeps of the frontier is enough for all of it, and is checked when it is read."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import yaml

from dataset_prep.errors import DeltaError
from recbole_delta.bench.bench import bench
from recbole_delta.bench.records.frontier_record import CASE, GAP, check_packed, packed, unpacked
from recbole_delta.bench.records.record import Record
from recbole_delta.evaluator.frontier import Frontier
from recbole_delta.evaluator.frontier_metrics import FRONTIER
from recbole_delta.evaluator.group_ranks import rank_in_groups
from recbole_delta.evaluator.labels import COLUMNS

N_WARM, N_COLD, K = 40, 15, 10


def some_ranks(seed, n_cold=N_COLD, step=0.5, n=400):
    """With ties everywhere, some items masked, and few cold items where ``n_cold`` is small."""
    rng = np.random.default_rng(seed)
    scores = np.round(rng.normal(size=(n, 1 + N_WARM + n_cold)) / step) * step
    target = rng.integers(1, 1 + N_WARM + n_cold, n)
    kept = scores[np.arange(n), target] + 0.5
    scores[rng.random(scores.shape) < 0.2] = -np.inf
    scores[np.arange(n), target] = kept
    scores[rng.random(n) < 0.05] = -np.inf
    scores[:, 0] = -np.inf
    return rank_in_groups(torch.from_numpy(scores).float(), torch.from_numpy(target), N_WARM, K)


@pytest.mark.parametrize("n_cold", [1, 5, N_COLD])
@pytest.mark.parametrize("seed", range(3))
def test_the_stored_part_has_the_whole_frontier(seed, n_cold):
    ranks = some_ranks(seed, n_cold)
    arrays = packed(ranks)
    check_packed("ranks.npz", arrays, len(ranks.is_cold))
    stored = unpacked(arrays, ranks.is_cold)
    assert len(arrays[CASE]) < len(ranks.is_cold)
    for metric, k in (("ndcg", K), ("mrr", 3), ("hit", 1)):
        one, two = Frontier(ranks, metric, k), Frontier(stored, metric, k)
        for offset in np.arange(-4, 4.01, 0.25):
            assert (one.gains_at(offset) == two.gains_at(offset)).all()
        for name in ("offsets", "cold", "warm"):
            assert getattr(two, name) == pytest.approx(getattr(one, name), abs=1e-12)
        for name in ("within_cold", "within_warm"):
            assert getattr(two, name) == getattr(one, name)


def test_what_no_offset_can_bring_into_the_list_is_not_kept():
    arrays = packed(some_ranks(0))
    # A target behind `above` of its own group needs at most K - above of the other.
    room = K - arrays["frontier_above"]
    assert (np.isfinite(arrays[GAP]).sum(1) <= room).all()
    assert arrays[GAP].dtype == np.float32


@pytest.fixture
def plan(tiny, tmp_path):
    tiny.write(tmp_path / "dataset")
    settings = {"hidden_size": 16, "inner_size": 16, "embedding_size": 16, "epochs": 1,
                "MAX_ITEM_LIST_LENGTH": 8, "train_batch_size": 16, "topk": [5, 10]}  # fmt: skip
    models = {
        "ours": {"model": "SASRecDelta"},
        "content": {"model": "ContentMean"},
        "id": {"model": "SASRecDelta", "item_embedding": "id"},
    }
    asked = {"datasets": ["tiny"], "seeds": [1], "settings": settings, "models": models}
    (tmp_path / "try.yaml").write_text(yaml.safe_dump(asked, sort_keys=False))
    return tmp_path / "try.yaml"


def respoilt(file, **changes):
    with np.load(file) as arrays:
        kept = {**arrays, **changes}
    np.savez_compressed(file, **{name: value for name, value in kept.items() if value is not None})


def test_records_of_a_bench(plan, tmp_path, in_process):
    """Metrics equal those from the stored arrays; bad arrays are named; old records are read."""
    bench(plan)
    folders = sorted(file.parent for file in tmp_path.rglob("record.json"))
    assert len(folders) == 3
    for folder in folders:
        record = Record.read(folder)
        metrics, embeds = record.mode["metrics"], record.mode["embeds_cold_items"]
        for metric in ("ndcg", "hit", "mrr"):
            for k in (5, 10):
                curve = record.frontier(metric, k)
                gain, cold = curve.gains_at(0.0), record.cases.is_cold
                for group, mask in zip(COLUMNS, (cold, ~cold, cold | ~cold)):
                    name = f"{metric}@{k}" if group == "total" else f"{metric}_{group}@{k}"
                    assert gain[mask].mean() == pytest.approx(metrics[name], abs=1e-12)
                found = [curve.within_cold, curve.within_warm, curve.best_total, curve.area]
                for name, value in zip(FRONTIER, found):
                    key = f"{metric}_{name}@{k}"
                    assert (key in metrics) == (embeds or name == "within_warm")
                    if key in metrics:
                        assert value == pytest.approx(metrics[key], abs=1e-12)
        assert record.frontier("ndcg", 20) is None

    file = folders[-1] / "ranks.npz"  # SASRecDelta's
    good = file.read_bytes()
    with np.load(file) as arrays:
        arrays = dict(arrays)
    case, gap = arrays[CASE], arrays[GAP]
    spoilt = [
        ("case", case[::-1]), ("case", case + 10_000), ("case", case[:, None]), ("case", None),
        ("above", arrays["frontier_above"] + 10), ("above", arrays["frontier_above"].astype(float)),
        ("tied", arrays["frontier_tied"] - 100), ("tied", arrays["frontier_tied"][1:]),
        ("gap", gap[:, ::-1]), ("gap", gap * np.float32("nan")), ("gap", gap[:, :0]),
        ("gap", gap[0]), ("gap", np.full_like(gap, np.inf)), ("gap", gap > 0),
        ("further", arrays["frontier_further"] - 1), ("further", None),
    ]  # fmt: skip
    for name, value in spoilt:
        respoilt(file, **{f"frontier_{name}": value})
        with pytest.raises(
            DeltaError, match=r"ranks.npz does not hold the frontier_\w+ of its run"
        ):
            bench(plan, train=False)
        file.write_bytes(good)
    respoilt(file, **dict.fromkeys(arrays.keys() & set(packed(some_ranks(0)))))
    assert Record.read(folders[-1]).frontier("ndcg", 10) is None
    bench(plan, train=False)
