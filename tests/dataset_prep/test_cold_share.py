"""The expected share of cold targets: by hand, without a look at test rows, and recorded."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.originals import write_m2

from dataset_prep import ContentOptions, Filters, prepare
from dataset_prep.__main__ import main, summary
from dataset_prep.format.content import write_content
from dataset_prep.interactions.filters import in_n_core
from dataset_prep.interactions.log import Log
from dataset_prep.protocols import PROTOCOLS, item_holdout, leave_one_out, official_test, paper
from dataset_prep.protocols.cold_share import cold_share
from dataset_prep.protocols.common import HISTORY, TEST, TRAIN, VALID, Split
from dataset_prep.protocols.earlier import EARLIER
from dataset_prep.steps import split_log


def frame(rows, **more):
    """Rows "user item", one after the other, or "user item time"."""
    table = [row.split() for row in rows]
    times = [int(row[2]) if len(row) > 2 else at for at, row in enumerate(table)]
    columns = {"user_id": [row[0] for row in table], "item_id": [row[1] for row in table]}
    return pl.DataFrame({**columns, "timestamp": times, **more})


def as_log(table):
    return Log.read(table.lazy(), "rows")[0].in_order_of_time()


def estimate(log, protocol, core=1, **options):
    kept = in_n_core(log.user, log.item, core)
    return cold_share(log, kept, protocol(log.keep(kept), **options), protocol, options, core)


def counted(found):
    return [(cut["rows"], cut["cold"], cut["targets"]) for cut in found["cuts"]]


def random_log(seed, n=400, users=20, items=40, sessions=False):
    """Items come and go with time, so that some are cold."""
    rng = np.random.default_rng(seed)
    item = (np.arange(n) * items // n + rng.integers(0, items // 2, n)) % (items * 2)
    rows = [f"u{u} i{i}" for u, i in zip(rng.integers(0, users, n), item)]
    given = {"official_test": [int(int(row.split()[0][1:]) % 4 == 0) for row in rows]}
    return as_log(frame(rows, **(given if sessions else {})))


def test_leave_one_out_by_hand():
    # Test targets: a's z, b's y, d's x. Left: a x y | b x w | c - | d x; c's only row trains.
    # Targets then: a's y, which only c trains on; b's w, which nobody does. d has one row.
    log = as_log(frame(["a x", "a y", "a z", "b x", "b w", "b y", "c y", "d x", "d x"]))
    found = estimate(log, leave_one_out)
    assert counted(found) == [(6, 1, 2)]
    assert found["value"] == 0.5


def test_paper_by_hand():
    # Four users take x, y and z three times, at 0 to 35; a takes n at 36. The five rows after
    # that are the test: the cut of 42 rows is at 0.9 * 41 = 36.9.
    rows = [f"{user} {item}" for _ in range(3) for user in "abcd" for item in "xyz"]
    rows += ["a n", "b m", "c m", "d m", "a m", "b x"]
    found = estimate(as_log(frame(rows)), paper)
    # 37 rows, cut at 0.9 * 36 = 32.4. After it d takes x, y, z, and a takes n: z is warm, n cold.
    # 33 rows, cut at 28.8: the targets are b's z (29) and c's z (32).
    # 29 rows, cut at 25.2: the targets are a's z (26) and b's y (28).
    assert counted(found) == [(37, 1, 2), (33, 0, 2), (29, 0, 2)]
    assert found["value"] == round(1 / 6, 6)


def test_paper_counts_what_the_3_core_drops_as_cold():
    # q has a row before the cut, but two rows are no 3-core: nothing trains on it.
    rows = [f"{user} {item}" for _ in range(3) for user in "abcd" for item in "xyz"]
    rows[:2] = ["a q", "b q"]
    rows += ["a q", "b x", "c x", "d x", "a x"]  # 41 rows, cut at 36.0: the last four are test
    found = estimate(as_log(frame(rows)), paper)
    assert counted(found)[0] == (37, 1, 2)  # cut at 32.4: d's z is warm, a's q cold


def test_a_core_filter_is_run_anew_on_what_is_left():
    rows = ["e x", "e r", "e s", *(f"{user} {item}" for user in "abc" for item in "xy")]
    log = as_log(frame([*rows, "a p", "b p", "c p", "d p", "d x"]))
    # The 2-core drops e, whose r and s are the only ones. Test targets: p of a, b and c, d's x.
    # Left: the rows above and d's p. The 2-core of that drops e and d. Targets then: y of a, b
    # and c, on which no row trains. Without the core e's s would be a fourth.
    found = estimate(log, leave_one_out, core=2)
    assert counted(found) == [(10, 3, 3)]
    assert found["how"].endswith("; the 2-core is taken anew of the rows that are left")


def test_sessions_by_hand():
    rows = [
        "a x 0",
        "a y 1",
        "b x 2",
        "b y 9",
        "c x 4",
        "c y 5",
        "d x 6",
        "d n 20",
        "e x 30",
        "e q 31",
    ]
    log = as_log(frame(rows, official_test=[0] * 8 + [1] * 2))
    found = estimate(log, official_test, train_users=1.0)
    # One session of five is given (e). Of the others one takes its place, whichever ends last:
    # d, whose n is cold; then, of a, b and c, b, whose y is warm; then, of a and c, c; y is warm.
    assert counted(found) == [(8, 1, 1), (6, 0, 1), (4, 0, 1)]
    assert found["value"] == round(1 / 3, 6)


@pytest.mark.parametrize("starts", ["0", "7"])
def test_sessions_without_a_common_clock_give_none(starts):
    rows = [f"{user} {item} {at}" for user in "abcd" for item, at in (("x", starts), ("y", "9"))]
    log = as_log(frame(rows, official_test=[0] * 6 + [1] * 2))
    found = estimate(log, official_test)
    assert (found["value"], found["cuts"]) == (None, [])
    assert "no common clock" in found["how"]


def test_item_holdout_by_hand():
    # x is held out for test, y for validation (tests/test_protocols.py says why).
    table = frame(
        ["a i1 1", "a i2 2", "a i3 3", "a y 4", "a i1 5", "a x 6", "a i2 7", "a x 8",
         "b i3 1", "b i2 2", "b i1 9", "c x 10", "d y 11"]
    )  # fmt: skip
    found = estimate(as_log(table), item_holdout, fraction=0.2, seed=3)
    # Without the test targets (a's i2 and x, b's i1, c's x): y of a and d, warm rows of a and b.
    assert counted(found) == [(9, 2, 4), (9, 2, 4)]
    assert found["value"] == 0.5
    assert [cut["share"] for cut in found["cuts"]] == [0.5, 0.5]


def test_validation_items_count_after_the_test_target_too():
    # b's y comes after the test target, so that it is no validation target, but a test item
    # there would have been a target.
    codes = [TRAIN, TRAIN, VALID, VALID, TEST, TRAIN, TEST, HISTORY]
    log = as_log(frame(["a i", "a i", "a i", "a y", "a i", "b i", "b i", "b y"]))
    found = cold_share(log, np.ones(8, bool), Split(log, np.array(codes)), item_holdout, {})
    assert counted(found) == [(6, 2, 4), (6, 1, 2)]


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
@pytest.mark.parametrize("core", [1, 2])
def test_what_test_rows_hold_changes_nothing(name, core):
    """Raw rows to recorded value, every test row given another item of the test rows."""
    protocol, changed = PROTOCOLS[name], 0
    options = {"cold": "random"} if name == "item_holdout" else {}
    for seed in range(12):
        log = random_log(seed, sessions=name == "official_test")
        kept = in_n_core(log.user, log.item, core)
        done = protocol(log.keep(kept), **options)
        if name == "paper":
            hidden = kept & (log.time > np.quantile(log.time[kept], 0.9))
        elif name == "official_test":
            hidden = kept & (log.extra["official_test"] > 0)
        else:
            hidden = kept.copy()
            hidden[kept] = done.split == TEST
        before = cold_share(log, kept, done, protocol, options, core)
        item = log.item.copy()
        item[hidden] = shuffled(seed, item[hidden], name, done)
        changed += np.count_nonzero(item != log.item)
        for each in (log.item, item):
            done = split_log(table_of(log, each), "rows", Filters(core=core), name, options)
            assert done.cold_share == before
        assert before["value"] is not None
    assert changed > 100


def shuffled(seed, items, name, done):
    """Items in another order; those of item_holdout stay in their group, warm or held out."""
    rng = np.random.default_rng(seed)
    warm = np.isin(items, done.log.item[done.split == TRAIN])
    groups = (warm, ~warm) if name == "item_holdout" else (np.ones(len(items), bool),)
    items = items.copy()
    for group in groups:
        items[group] = rng.permutation(items[group])
    return items


def table_of(log, item):
    columns = {"user_id": log.users.gather(log.user), "item_id": log.items.gather(item)}
    return pl.DataFrame({**columns, "timestamp": log.time, **log.extra}).lazy()


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_test_rows_may_hold_anything(name):
    """All test rows get items that are drawn anew, half of them such as nobody has seen."""
    protocol = PROTOCOLS[name]
    for seed in range(12):
        log = random_log(seed, sessions=name == "official_test")
        done, kept = protocol(log), np.ones(len(log), dtype=bool)
        hidden = {
            "paper": log.time > np.quantile(log.time, 0.9),
            "official_test": log.extra.get("official_test", kept) > 0,
        }.get(name)
        hidden = done.split == TEST if hidden is None else hidden
        drawn = np.random.default_rng(seed).integers(0, 2 * len(log.items), len(log))
        old = pl.concat([log.items, pl.Series([f"new{n}" for n in range(len(log.items))])])
        items = old.gather(np.where(hidden, drawn, log.item))
        columns = {"user_id": log.users.gather(log.user), "item_id": items, "timestamp": log.time}
        other = as_log(pl.DataFrame({**columns, **log.extra}))
        # item_holdout draws what it holds out from the items of all rows: here its split stays.
        again = Split(other, done.split) if name == "item_holdout" else protocol(other)
        before = cold_share(log, kept, done, protocol, {})
        assert cold_share(other, kept, again, protocol, {}) == before
        assert before["value"] is not None


@given(
    st.integers(0, 10_000),
    st.integers(1, 12),
    st.sampled_from(sorted(PROTOCOLS)),
    st.integers(1, 3),
)
@settings(max_examples=60, deadline=None)
def test_small_logs_give_a_share_or_a_reason(seed, n, name, core):
    log = random_log(seed, n=n, users=3, items=4, sessions=name == "official_test")
    kept = in_n_core(log.user, log.item, core)
    options = {"fraction": 0.4} if name == "item_holdout" else {}
    if not kept.any() or (name == "item_holdout" and len(np.unique(log.item[kept])) < 3):
        return
    found = estimate(log, PROTOCOLS[name], core, **options)
    if found["value"] is None:
        assert found["how"].startswith("not estimated: ")
        assert not found["cuts"]
    else:
        assert 0 <= found["value"] <= 1
        assert all(cut["cold"] <= cut["targets"] <= cut["rows"] for cut in found["cuts"])
    json.dumps(found)


def test_a_protocol_from_outside_has_none():
    log = random_log(0)
    found = estimate(log, lambda rows: leave_one_out(rows))
    assert found["value"] is None
    assert set(EARLIER) | {item_holdout} == set(PROTOCOLS.values())


def test_ml_100k_is_near_its_test_share_and_printed(tmp_path, capsys):
    vectors = tmp_path / "vectors.safetensors"
    write_content(vectors, [str(n) for n in range(1, 1683)], np.eye(1682, 4, dtype=np.float32) + 1)
    common = ["ml-100k", "--out", str(tmp_path), "--vectors", str(vectors)]
    main([*common, "--cold", "random"])
    record = json.loads((tmp_path / "ml-100k-item_holdout/ml-100k-item_holdout.json").read_text())
    test, share = record["targets"]["test"], record["cold_share"]
    assert share["value"] == pytest.approx(test["cold"] / (test["cold"] + test["warm"]), abs=0.02)
    [line] = [line for line in capsys.readouterr().out.splitlines() if "Expected share" in line]
    assert line.startswith(f"Expected share of cold targets: {share['value']:.4f} (the items held")
    assert line == summary(record).splitlines()[-1]


def test_amazon_m2_has_positions_for_times(tmp_path, monkeypatch):
    raw = tmp_path / "raw"
    raw.mkdir()
    write_m2(raw)
    vectors = tmp_path / "vectors.safetensors"
    write_content(vectors, [f"B0{n}" for n in (1, 2, 3, 4, 5, 9)], np.eye(6, dtype=np.float32))
    folder = prepare(
        "amazon-m2", tmp_path, raw=raw, source_options={"locale": "FR"}, protocol="official_test",
        content=ContentOptions(vectors=vectors),
    )  # fmt: skip
    record = json.loads((folder / f"{folder.name}.json").read_text())
    assert record["cold_share"]["value"] is None
    assert (
        summary(record)
        .splitlines()[-1]
        .startswith(
            "Expected share of cold targets: unknown (not estimated: the sessions have no common clock"
        )
    )


def test_nothing_is_drawn_from_other_columns_and_twice_gives_the_same():
    log = random_log(5)
    more = Log(log.user, log.item, log.time, log.users, log.items, {"rating": np.arange(400.0)})
    assert estimate(log, paper) == estimate(more, paper) == estimate(log, paper)
