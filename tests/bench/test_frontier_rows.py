"""Rows at one warm level: an offset alone makes no difference, a better ranking does."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from recbole_delta.bench.comparison.compare import Comparison, Row
from recbole_delta.bench.comparison.frontier_mean import MeanFrontier
from recbole_delta.bench.comparison.frontier_rows import Frontiers
from recbole_delta.bench.plan.spec import Spec
from recbole_delta.bench.report.frontier_figures import frontier_figure, frontiers_of_rows
from recbole_delta.bench.report.frontier_tables import (
    NOT_REACHED,
    NOT_STORED,
    frontier_csv,
    frontier_frame,
    frontier_note,
)
from recbole_delta.bench.report.palette import looks
from recbole_delta.bench.report.regret import Regret, regret_csv, regret_frame, regrets
from recbole_delta.bench.report.tables import NOT_RUN
from recbole_delta.evaluator.evaluate import Evaluation, Mode
from recbole_delta.evaluator.frontier import Frontier
from recbole_delta.evaluator.group_ranks import rank_in_groups

N_WARM, N_COLD, K, N = 30, 12, 10, 600
RNG = np.random.default_rng(0)
TARGET = RNG.integers(1, 1 + N_WARM + N_COLD, N)
IS_COLD = TARGET > N_WARM
USER = np.array([f"u{n}" for n in RNG.integers(0, 250, N)])


def some_scores(seed, step=0.25):
    """Warm scores are whole steps, cold ones half a step beside: no tie between the groups."""
    rng = np.random.default_rng(seed)
    scores = np.round(rng.normal(size=(N, 1 + N_WARM + N_COLD)) / step) * step
    scores[np.arange(N), TARGET] += 0.75
    scores[:, 1 + N_WARM :] -= 0.75 + step / 2
    scores[:, 0] = -np.inf
    return scores


def moved(scores, offset):
    scores = scores.copy()
    scores[:, 1 + N_WARM :] += offset
    return scores


def better(scores, by=0.75, which=IS_COLD):
    scores, rows = scores.copy(), np.flatnonzero(which)
    scores[rows, TARGET[rows]] += by
    return scores


def record(scores, seed=1, stored=True, embeds=True, calibration=None):
    if not embeds:
        scores = moved(scores, -np.inf)
    ranks = rank_in_groups(torch.from_numpy(scores).float(), torch.from_numpy(TARGET), N_WARM, K)
    none = np.zeros(N, dtype=bool)
    evaluation = Evaluation("test", Mode("all", "keep"), embeds, ranks.among("all"), ranks.is_cold,
                            none, ranks)  # fmt: skip
    return SimpleNamespace(
        facts={"seed": seed},
        calibration=calibration,
        mode=evaluation.as_json(["ndcg"], [K]),
        ranks=evaluation.ranks,
        frontier=lambda metric, k: Frontier(ranks, metric, k) if stored else None,
    )


def frontiers(reference="base", **rows) -> Frontiers:
    made = [
        Row(Spec(label, label, {}, "d", "SASRecDelta", 1, {}), [1, 2], records)
        for label, records in rows.items()
    ]
    cases = SimpleNamespace(user=USER, is_cold=IS_COLD)
    return Frontiers(Comparison("d", made, cases), "ndcg@10", reference)


def both(change=lambda scores: scores, step=0.25, **options):
    return [record(change(some_scores(seed, step)), seed, **options) for seed in (1, 2)]


def ndcg(scores):
    """Of every case, by counting: float64 scores without ties between the groups."""
    own = scores[np.arange(N), TARGET][:, None]
    above, tied = (scores > own).sum(1), (scores == own).sum(1)
    gain = np.r_[1 / np.log2(np.arange(1, K + 1) + 1), np.zeros(scores.shape[1])]
    return np.array([gain[a : a + t].mean() for a, t in zip(above, tied)])


def test_an_offset_alone_is_no_difference():
    found = frontiers(base=both(), other=both(lambda scores: moved(scores, 1.25)))
    base, other = (found.values(row) for row in found.comparison.rows)
    assert (base["within cold"] == other["within cold"]).all()
    assert (base["within warm"] == other["within warm"]).all()
    for name in ("best total", "cold at matched warm"):
        assert other[name] == pytest.approx(base[name], abs=1e-12)
    assert (other["cold as run"] > base["cold as run"] + 0.02).all()
    assert (other["warm as run"] < base["warm as run"] - 0.02).all()
    [line] = found.differences().itertuples()
    assert (line.row, line.group) == ("other", "cold")
    assert line.offset == pytest.approx(-1.25, abs=0.13)
    assert line.warm == pytest.approx(found.level, abs=1e-12)
    assert (line.difference, line.p_holm) == (0, 1)
    # At its own warm level the reference is where it was run.
    assert base["cold at matched warm"] == pytest.approx(base["cold as run"], abs=1e-12)


def test_a_copy_of_the_reference_is_not_ahead_of_it():
    """A step of the curve is wide: at its end a row has as many warm hits, and more cold ones."""
    fine = {"step": 1e-4}
    found = frontiers(base=both(**fine), copy=both(**fine))
    base = found.values(found.comparison.rows[0])
    assert base["cold at matched warm"].mean() > base["cold as run"].mean()
    [line] = found.differences().itertuples()
    assert (line.difference, line.p_holm) == (0, 1)


def test_a_better_ranking_of_cold_items_is_the_difference_that_brute_force_finds():
    found = frontiers(base=both(), other=both(lambda scores: moved(better(scores), 1.25)))
    [line] = found.differences().itertuples()
    level = np.mean([ndcg(some_scores(seed))[~IS_COLD].mean() for seed in (1, 2)])
    assert found.level == pytest.approx(level)
    at = {}
    for offset in np.arange(-6, 6, 0.25):
        seeds = [ndcg(moved(better(some_scores(seed)), 1.25 + offset)) for seed in (1, 2)]
        at[offset] = np.array(seeds)
    last = max(x for x, gains in at.items() if gains[:, ~IS_COLD].mean() >= level - 1e-12)
    gains, cold = at[last], at[last][:, IS_COLD].mean(1)
    rows = found.comparison.rows
    assert found.values(rows[1])["cold at matched warm"] == pytest.approx(cold)
    base = np.mean([ndcg(some_scores(seed)) for seed in (1, 2)], axis=0)
    differs = (np.mean(gains, axis=0) - base)[IS_COLD]
    by_user = [differs[USER[IS_COLD] == user].mean() for user in np.unique(USER[IS_COLD])]
    assert line.users == len(by_user)
    assert line.difference == pytest.approx(np.mean(by_user))
    assert 0 < line.low < line.difference < line.high
    assert line.p_holm < 0.001


def table_of_all_kinds(step=0.25):
    return frontiers(
        base=both(step=step),
        old=both(stored=False),
        half=[*both()[:1], *both(stored=False)[1:]],
        id=both(embeds=False),
        worse=both(lambda scores: better(scores, by=-2, which=~IS_COLD)),
        none=[],
    )


def test_the_table_says_what_a_row_has_not():
    found = table_of_all_kinds()
    table = frontier_frame(found)
    assert table.columns.tolist() == ["within cold", "within warm", "best total", "cold as run",
                                      "warm as run", "cold at matched warm"]  # fmt: skip
    assert table.loc["old"].unique().tolist() == [NOT_STORED]
    assert table.loc["half"].unique().tolist() == [NOT_STORED]
    assert table.loc["none"].unique().tolist() == [NOT_RUN]
    assert table.loc["worse", "cold at matched warm"] == NOT_REACHED
    assert (table.loc["id"] == "-").tolist() == [True, False, True, True, False, True]
    assert table.loc["id", "within warm"] == table.loc["base", "within warm"]
    values = np.array([each.frontier("ndcg", K).within_cold for each in both()])
    assert table.loc["base", "within cold"] == f"{values.mean():.4f} ± {values.std(ddof=1):.4f}"
    assert found.differences().empty  # nobody else reaches the level
    csv = frontier_csv(found)
    assert set(csv["row"]) == {"base", "id", "worse"}
    assert csv.query("row == 'base' and of == 'within cold'")["value"].tolist() == values.tolist()
    assert f"{found.level:.4f}, that of base as run" in frontier_note(found)


def test_without_a_reference_nothing_is_matched():
    found = frontiers(reference=None, base=both(), other=both())
    assert "cold at matched warm" not in frontier_frame(found).columns
    assert "matched" not in frontier_note(found)
    assert found.differences().empty


def test_a_curve_has_the_means_over_the_seeds_at_each_offset():
    mean = MeanFrontier([each.frontier("ndcg", K) for each in both()])
    points = []
    for offset in np.arange(-8, 8, 0.25):
        gains = np.array([ndcg(moved(some_scores(seed), offset)) for seed in (1, 2)])
        points.append((gains[:, ~IS_COLD].mean(), gains[:, IS_COLD].mean()))
    points = np.array(points)
    points = points[np.r_[True, (np.abs(np.diff(points, axis=0)) > 1e-9).any(1)]]
    assert mean.warm == pytest.approx(points[:, 0], abs=1e-12)
    assert mean.cold == pytest.approx(points[:, 1], abs=1e-12)
    warm, cold = mean.drawn()
    assert warm[[0, -1]] == pytest.approx(points[[-1, 0], 0], abs=1e-12)
    best = [points[points[:, 0] >= level - 1e-12, 1].max() for level in warm]
    assert cold == pytest.approx(best, abs=1e-12)
    assert mean.offset_at_warm(1.0) is None


def test_the_figure_has_a_curve_and_a_dot_where_the_model_stands():
    found = table_of_all_kinds(1 / 512)
    axes = frontiers_of_rows(found, "t").axes[0]
    dots = [line for line in axes.lines if line.get_marker() != ""]
    curves = [line for line in axes.lines if line.get_marker() == ""]
    assert [dot.get_label() for dot in dots] == ["base", "id", "worse"]
    assert [curve.get_color() for curve in curves] == [dots[n].get_color() for n in (0, 2)]
    for dot, row in zip(dots, ("base", "id", "worse")):
        rows = [each for each in found.comparison.rows if each.label == row]
        values = rows[0].values("ndcg@10", "warm").mean(), rows[0].values("ndcg@10", "cold").mean()
        assert (dot.get_xdata()[0], dot.get_ydata()[0]) == pytest.approx(values)
    # The dot of a model lies on its curve.
    level, cold = curves[0].get_data()
    here = np.abs(level - dots[0].get_xdata()[0]).argmin()
    assert cold[here] == pytest.approx(dots[0].get_ydata()[0], abs=0.003)


def test_twenty_rows_have_twenty_colours():
    mean = MeanFrontier([each.frontier("ndcg", K) for each in both()])
    curves = {str(n): mean for n in range(20)}
    points = dict.fromkeys(curves, (0.1, 0.1))
    axes = frontier_figure(curves, points, {}, looks(curves), "NDCG@10", "t").axes[0]
    assert len({line.get_color() for line in axes.lines[::2]}) == 20


def test_the_regret_of_each_rule_is_that_of_its_offset():
    scores = moved(some_scores(1), 1.25)  # as run, with the chosen offset in it
    said = {"offset": 1.25, "best": 2.0, "equal_mass": -0.5, "share": 0.3, "by_skill": -1.0}
    found = Regret.of(record(scores).frontier("ndcg", K), said)
    total = {at: ndcg(moved(some_scores(1), at)).mean() for at in np.arange(-8, 8, 0.25)}
    best = max(total.values())
    assert found.best_total == pytest.approx(best)
    asked = {"none": 0.0, "best": 2.0, "equal mass": -0.5, "by skill": -1.0, "chosen": 1.25}
    assert found.lost == pytest.approx({name: 1 - total[at] / best for name, at in asked.items()})
    unknown = {"offset": 1.25, "best": None, "equal_mass": -0.5, "share": 0.3}
    unknown = Regret.of(record(scores).frontier("ndcg", K), unknown)
    assert list(unknown.lost) == ["none", "equal mass", "chosen"]


def test_only_calibrated_runs_have_a_regret_and_a_hollow_dot():
    said = {"offset": 1.25, "best": 2.0, "equal_mass": 0.5, "share": 0.3}
    calibrated = [record(moved(some_scores(s), 1.25), s, calibration=said) for s in (1, 2)]
    found = frontiers(base=both(), chosen=calibrated)
    runs = regrets(found)
    assert [(row.label, each.facts["seed"]) for row, each, _ in runs] == [
        ("chosen", 1),
        ("chosen", 2),
    ]
    table = regret_frame(runs)
    lost = [each.lost["none"] for _, _, each in runs]
    assert table.loc["chosen", "none"] == f"{-np.mean(lost):.1%} ({-max(lost):.1%})"
    csv = regret_csv(found, runs)
    assert csv.query("rule == 'none'")["lost"].tolist() == lost
    lines = frontiers_of_rows(found, "t").axes[0].lines
    hollow = [line for line in lines if line.get_markerfacecolor() == "white"]
    [chosen] = [line for line in lines if line.get_label() == "chosen"]
    [base] = [row for row in found.comparison.rows if row.label == "base"]
    assert [line.get_color() for line in hollow] == [chosen.get_color()]
    expected = base.values("ndcg@10", "warm").mean(), base.values("ndcg@10", "cold").mean()
    assert (hollow[0].get_xdata()[0], hollow[0].get_ydata()[0]) == pytest.approx(expected)
