"""A clean data set passes, and each leak that is planted is found, and nothing else."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from support.datasets import as_log, as_pandas, as_polars, random_interactions

from dataset_prep.errors import DeltaError
from dataset_prep.format.atomic import write_atomic
from dataset_prep.format.content import write_content
from dataset_prep.protocols import item_holdout
from recbole_delta.audit.audit import audit_dataset

INTER = {"user_id": "token", "item_id": "token", "timestamp": "float", "split": "token"}
COLUMNS = list(INTER)


class Clean:
    """Six warm items and two cold ones, born before the first of seven test targets.

    Six users train; v validates and tests, x validates only.
    """

    def __init__(self):
        rows = []
        for u in range(6):
            rows += [(f"u{u}", f"w{(u + n) % 6}", 10 * u + n, "train") for n in range(3)]
            rows.append((f"u{u}", "c0" if u % 2 else f"w{(u + 4) % 6}", 200 + u, "test"))
        rows += [("v", "w0", 1.5, "history"), ("v", "w1", 50.5, "valid")]
        rows += [("v", "c0", 150, "history"), ("v", "c1", 151, "history"), ("v", "w3", 220, "test")]
        rows += [("x", "w2", 2.5, "history"), ("x", "w4", 55.5, "valid")]
        self.rows = pd.DataFrame(rows, columns=COLUMNS)
        self.items = pd.DataFrame({"item_id": [*(f"w{n}" for n in range(6)), "c0", "c1"]})
        self.items["is_cold"] = ["0"] * 6 + ["1"] * 2
        self.tokens = self.items["item_id"].tolist()
        self.vectors = np.random.default_rng(0).normal(size=(8, 4))
        self.protocol = "global_time"

    def add(self, *row):
        self.rows.loc[len(self.rows)] = row

    def of(self, user, split):
        return (self.rows["user_id"] == user) & (self.rows["split"] == split)

    def vector(self, token):
        return self.vectors[self.tokens.index(token)]

    def shuffle(self, seed):
        self.rows = self.rows.sample(frac=1, random_state=seed)
        self.items = self.items.sample(frac=1, random_state=seed)
        order = np.random.default_rng(seed).permutation(len(self.tokens))
        self.tokens, self.vectors = [self.tokens[n] for n in order], self.vectors[order]

    def write(self, folder):
        folder.mkdir(exist_ok=True)
        path = folder / folder.name
        write_atomic([as_polars(self.rows)], INTER, path.with_suffix(".inter"))
        item = {"item_id": "token", "is_cold": "token"}
        write_atomic([as_polars(self.items)], item, path.with_suffix(".item"))
        if self.tokens:
            write_content(f"{path}.content.made.safetensors", self.tokens, self.vectors)
        path.with_suffix(".json").write_text(json.dumps({"protocol": self.protocol}))
        return folder


def later_training(data):
    data.add("other", "w0", 210, "train")


def by_design(data):
    later_training(data)
    data.protocol = "leave_one_out"


def unsaid(data):
    later_training(data)
    data.protocol = None


def training_after_own_target(data):
    data.add("v", "w5", 52, "train")


def target_in_training(data):
    data.add("v", "w1", 50.5, "train")


def one_row_twice(data):
    data.add("u0", "w4", 200, "valid")


def one_target_twice(data):
    data.add("u0", "w4", 200, "test")


def validation_target_in_history(data):
    data.rows.loc[data.of("v", "valid"), "item_id"] = "w0"


def late_history(data):
    data.add("u0", "w5", 230, "history")


def target_in_history(data):
    data.rows.loc[data.of("u0", "test"), "item_id"] = "w0"


def tie(data):
    data.add("u0", "w5", 200, "history")


def unborn_cold(data):
    data.add("v", "c2", 215, "history")
    data.items.loc[8] = ["c2", "1"]
    data.tokens.append("c2")
    data.vectors = np.vstack([data.vectors, np.ones(4)])


def unborn_warm(data):
    unborn_cold(data)
    data.add("other", "c2", 216, "train")
    data.items.loc[8, "is_cold"] = "0"


def cold_flag_on_a_trained_item(data):
    data.add("other", "c0", 5.5, "train")


def warm_flag_on_a_cold_item(data):
    data.items.loc[7, "is_cold"] = "0"


def no_flag(data):
    data.items = data.items[data.items["item_id"] != "w2"]


def warm_twins(data):
    data.vector("w0")[:] = data.vector("w1")


def cold_twin(data):
    data.vector("c0")[:] = data.vector("w1")


def cold_twins(data):
    data.vector("c0")[:] = data.vector("c1")


def no_vector(data):
    data.tokens[2] = "stranger"


def zeros(data):
    data.vector("w2")[:] = 0


def not_finite(data):
    data.vector("w2")[1] = np.nan


def two_vectors(data):
    data.tokens.append("w2")
    data.vectors = np.vstack([data.vectors, np.ones(4)])


def no_content(data):
    data.tokens = []


def no_clock(data):
    data.rows["timestamp"] -= data.rows.groupby("user_id")["timestamp"].transform("min")


LEAKS = {
    later_training: {("fault", "training after test targets", 6 / 7)},
    by_design: {("warning", "training after test targets", 6 / 7)},
    unsaid: {("warning", "training after test targets", 6 / 7)},
    training_after_own_target: {("fault", "training after the user's own target", 1)},
    target_in_training: {("fault", "target in training", 1)},
    one_row_twice: {("warning", "same row in several splits", 1)},
    one_target_twice: {("warning", "same row again", 1)},
    validation_target_in_history: {("warning", "validation targets seen before", 1 / 2)},
    late_history: {("note", "history that no case sees", 1)},
    target_in_history: {("warning", "targets seen before", 1 / 7)},
    tie: {("note", "targets tied in time", 1 / 7)},
    # Six of seven cases ask before c2 is born; it is one of three cold candidates.
    unborn_cold: {("warning", "unborn cold candidates", 6 / 7 / 3)},
    # A warm item that is not born yet is a training row that comes later, too.
    unborn_warm: {
        ("fault", "training after test targets", 6 / 7),
        ("warning", "unborn warm candidates", 6 / 7 / 7),
    },
    cold_flag_on_a_trained_item: {("fault", "cold items with training rows", 1)},
    warm_flag_on_a_cold_item: {("fault", "cold items in the training softmax", 1)},
    no_flag: {("fault", "items without a flag", 1)},
    warm_twins: {("note", "shared vectors", 2)},
    cold_twin: {("note", "shared vectors", 2), ("note", "cold items with a warm twin", 1)},
    cold_twins: {("note", "shared vectors", 2)},
    no_vector: {("fault", "items without a vector", 1)},
    zeros: {("fault", "empty vectors", 1)},
    not_finite: {("fault", "empty vectors", 1)},
    two_vectors: {("fault", "several vectors for one item", 1)},
    no_content: {("note", "no content", 0)},
    no_clock: {("note", "no common clock", 8)},
}


def test_a_clean_data_set_passes(tmp_path):
    assert audit_dataset(Clean().write(tmp_path / "clean")).findings == []


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.__name__)
def test_a_planted_leak_is_found_and_nothing_else(leak, tmp_path):
    data = Clean()
    leak(data)
    findings = audit_dataset(data.write(tmp_path / "leaky")).findings
    named = {(each.severity, each.check): each.number for each in findings}
    assert named == pytest.approx({(s, check): number for s, check, number in LEAKS[leak]})
    assert len(findings) == len(named)
    assert all(each.sentence.endswith(".") for each in findings)


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.__name__)
def test_the_order_of_rows_changes_nothing(leak, tmp_path):
    data = Clean()
    leak(data)
    before = audit_dataset(data.write(tmp_path / "leaky")).findings
    for seed in range(3):
        if leak not in (two_vectors, no_content):  # which of two vectors is the first
            data.shuffle(seed)
        assert audit_dataset(data.write(tmp_path / "leaky")).findings == before


def test_examples_name_what_was_planted(tmp_path):
    for leak, example in (
        (training_after_own_target, "user v, item w5"),
        (target_in_training, "user v, item w1"),
        (one_row_twice, "user u0, item w4"),
        (unborn_cold, "item c2"),
        (warm_flag_on_a_cold_item, "item c1"),
        (zeros, "item w2"),
    ):
        data = Clean()
        leak(data)
        [finding] = audit_dataset(data.write(tmp_path / "leaky")).findings
        assert finding.examples == (example,)


@pytest.mark.parametrize("seed", range(4))
def test_numbers_are_those_of_counting_case_by_case(seed, tmp_path):
    data = Clean()
    rows = as_pandas(*item_holdout(as_log(random_interactions(seed)), cold="random", fraction=0.2))
    trained = rows.loc[rows["split"] == "train", "item_id"]
    items = sorted(rows["item_id"].unique())
    data.rows, data.tokens, data.protocol = rows[COLUMNS], [], "item_holdout"
    cold = [str(int(token not in set(trained))) for token in items]
    data.items = pd.DataFrame({"item_id": items, "is_cold": cold})
    numbers = {e.check: e.number for e in audit_dataset(data.write(tmp_path / "random")).findings}

    log = list(rows[COLUMNS].itertuples(index=False, name=None))
    train = [row for row in log if row[3] == "train"]
    tests = [row for row in log if row[3] == "test"]
    born = {item: min(t for _, i, t, _ in log if i == item) for item in items}
    places = {"0": [], "1": []}
    for _, _, time, _ in tests:
        for item, is_cold in zip(items, cold):
            places[is_cold].append(born[item] > time)

    def share(of):
        return np.mean([any(of(row, other) for other in log) for row in tests])

    expected = {
        "training after test targets": np.mean([any(t[2] > r[2] for t in train) for r in tests]),
        "unborn cold candidates": np.mean(places["1"]),
        "unborn warm candidates": np.mean(places["0"]),
        "targets seen before": share(lambda r, o: o[:2] == r[:2] and o[2] < r[2]),
        "targets tied in time": share(lambda r, o: o[0] == r[0] and o[2] == r[2] and o[1] != r[1]),
        "history that no case sees": sum(
            row[3] == "history"
            and not any(
                o[0] == row[0] and o[3] in ("valid", "test") and o[2] >= row[2] for o in log
            )
            for row in log
        ),
    }
    for check, number in expected.items():
        assert numbers.get(check, 0) == pytest.approx(number), check


@pytest.mark.parametrize(
    ("frame", "field", "value", "message"),
    [
        ("rows", "split", "tain", "split must be one of .*not 'tain'"),
        ("rows", "timestamp", "noon", "timestamp:float, all filled"),
        ("items", "is_cold", "x", "is_cold must be 0 or 1"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(frame, field, value, message, tmp_path):
    data = Clean()
    setattr(data, frame, getattr(data, frame).assign(**{field: value}))
    with pytest.raises(DeltaError, match=message):
        audit_dataset(data.write(tmp_path / "broken"))
