"""What a bench's tables and figures show, from figures that are known."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from recbole_delta.bench.comparison.compare import Comparison, Row
from recbole_delta.bench.plan.spec import Spec
from recbole_delta.bench.report import figures, tables
from recbole_delta.evaluator.metrics import metric_key

COUNT = np.array([0, 0, 1, 1, 2, 30])


def row(label, by_seed, seeds=(1, 2), drift=None, gains=None, **varied) -> Row:
    """by_seed: (cold, warm, total) a seed."""
    spec = Spec(label, label.split(",")[0], varied, "d", "SASRecDelta", seeds[0], {})
    records = [
        SimpleNamespace(
            facts={"seed": seed, "curve": [1]},
            mode={"metrics": dict(zip(KEYS, values))},
            drift=drift,
        )
        for seed, values in zip(seeds, by_seed)
    ]
    made = Row(spec, list(seeds), records)
    if gains is not None:
        object.__setattr__(made, "gains", lambda metric: gains)
    return made


KEYS = [metric_key("ndcg", group, 10) for group in ("cold", "warm", "total")]


@pytest.fixture
def comparison() -> Comparison:
    cases = SimpleNamespace(
        train_count=COUNT, is_cold=COUNT == 0, user=np.arange(6), item_train_count=COUNT[2:]
    )
    flat = np.linspace(0, 1, 6)
    return Comparison(
        "d",
        [
            row("id", [(0, 0.5, 0.3), (0, 0.7, 0.4)], gains=flat),
            row(
                "ours", [(0.2, 0.61, 0.5), (0.2, 0.59, 0.5)], drift=np.full(4, 0.9), gains=flat + 1
            ),
            row("half", [(0.1, 0.2, 0.15)], gains=flat),
            row("none", []),
        ],
        cases,
    )


def differences(*marked):
    lines = [(name, "ndcg@10", group, 0.001) for name, group in marked]
    return pd.DataFrame(lines, columns=["row", "metric", "group", "p_holm"])


def shown(comparison, how, *marked):
    return tables.frame(comparison, ["ndcg@10"], differences(*marked), how)


def test_the_best_is_bold_the_second_underlined_and_differences_are_marked(comparison):
    table = shown(comparison, tables.as_markdown, ("id", "cold"))
    assert table.columns.tolist() == [("NDCG@10", g) for g in ("cold", "warm", "total")]
    # By hand: .6 ± .1414 and .6 ± .0141 are equal, so both are best and .2 is second.
    assert table.loc["id"].tolist() == [
        "0.0000† ± 0.0000",
        "**0.6000** ± 0.1414",
        "<u>0.3500</u> ± 0.0707",
    ]
    assert table.loc["ours"].tolist() == [
        "**0.2000** ± 0.0000",
        "**0.6000** ± 0.0141",
        "**0.5000** ± 0.0000",
    ]
    assert table.loc["half (1 of 2 seeds)"].tolist() == ["<u>0.1000</u>", "<u>0.2000</u>", "0.1500"]
    assert table.loc["none"].tolist() == ["not run"] * 3


@pytest.mark.parametrize(
    ("positions", "shown"),
    [("all", "every position"), ("last", "the last position"), ("none", "-")],
)
def test_what_a_row_was_trained_on(positions, shown):
    assert run_of(positions=positions).loc["row", "trained at"] == shown


@pytest.mark.parametrize(
    ("setting", "embeds", "curve", "shown"),
    [
        ("delta", True, [1], "delta"),
        ("id", False, [1], "id"),
        ("delta", False, [1], "-"),  # RecBole's own SASRec: the setting is there, and unheard
        ("delta", False, [], "-"),  # Pop
        ("delta", True, [], "content"),  # ContentMean
    ],
)
def test_which_item_embedding_a_row_has(setting, embeds, curve, shown):
    table = run_of({"item_embedding": setting}, embeds, curve)
    assert table.loc["row", "item embedding"] == shown


def run_of(settings=None, embeds=False, curve=(1,), positions="all"):
    facts = {"model": "BPR", "seed": 1, "curve": curve, "settings": settings or {},
             "train_positions": positions, "parameters": 5}  # fmt: skip
    mode = {"candidates": "all", "cold_history": "keep", "embeds_cold_items": embeds}
    measured = {"seconds": {"train_and_evaluate": 2.0}, "peak_gib": 0.5}
    record = SimpleNamespace(facts=facts, mode=mode, measured=measured, best_valid_score=0.1)
    spec = Spec("row", "row", {}, "d", "BPR", 1, {})
    return tables.conditions(Comparison("d", [Row(spec, [1], [record])], None))


def test_places_go_by_the_means_as_they_are_printed():
    """NumPy rounds 0.12345 to another fourth decimal than a format string does."""
    cells = tables.column({"a": np.array([0.12345]), "b": np.array([0.1234])}, set())
    printed = [tables.as_markdown(cell).strip("*<u>/") for cell in cells.values()]
    assert (cells["a"].place == cells["b"].place) == (printed[0] == printed[1])


def test_a_label_is_a_label_whatever_its_signs():
    frame = pd.DataFrame({"x": ["a|b <i>"]}, index=["c|d <b>"])
    assert tables.markdown(frame).splitlines()[-1].count("|") - 2 == 1 + 2
    assert r"c\|d" in tables.markdown(frame)
    page = tables.html(frame)
    assert "a|b &lt;i&gt;" in page
    assert "c|d &lt;b&gt;" in page


def test_latex_and_html_say_the_same(comparison):
    text = tables.latex(shown(comparison, tables.as_latex, ("id", "cold")), "50% & more_", "tab:d")
    lines = [line for line in text.splitlines() if line.startswith("ours")]
    assert lines == [
        r"ours & \textbf{0.2000} {\scriptsize $\pm$ 0.0000} & \textbf{0.6000} {\scriptsize $\pm$ 0.0141}"
        r" & \textbf{0.5000} {\scriptsize $\pm$ 0.0000} \\"
    ]
    assert r"0.0000$^\dagger$" in text
    assert r"\caption{50\% \& more\_}" in text
    assert [r in text for r in (r"\toprule", r"\midrule", r"\bottomrule")] == [True] * 3
    html = tables.html(shown(comparison, tables.as_html).rename(index={"ours": "<b>&"}))
    assert "<b>0.2000</b> <small>± 0.0000</small>" in html
    assert "&lt;b&gt;&amp;" in html


def test_latex_has_no_sign_in_its_text_that_it_cannot_set():
    label = "a\\b ~ ^ 50% < 60 > δ ± † & $ # _ { } × ≤ ≥ |"
    frame = pd.DataFrame([["0.1"]], index=[label], columns=["50% <"])
    text = tables.latex(frame, f"{label} p < 0.05", "tab:d")
    assert r"p $<$ 0.05" in text
    plain = text.replace(r"\label{tab:d}", "").replace(" & ", " ")  # of the tabular
    for known in (r"\\\$", r"\$[^$]+\$", r"\\[&%#_{}]"):  # dollars, formulas, signs by name
        plain = re.sub(known, "", plain)
    assert not re.search(r"[<>|±†δ×≤≥%$#_^~]", plain), plain
    assert plain.count("{") == plain.count("}")
    assert set(re.findall(r"\\([a-z]+)", plain)) == {
        "begin", "end", "caption", "toprule", "midrule", "bottomrule",
        "textbackslash", "textasciitilde", "textasciicircum",
    }  # fmt: skip


def test_csv_has_every_run(comparison):
    table = tables.csv(comparison, ["ndcg@10"])
    assert len(table) == 5 * 3
    value = table.query("row == 'id' and seed == 2 and group == 'warm'")["value"]
    assert value.tolist() == [0.7]


def lines_of(figure: Figure, panel=0):
    return {line.get_label(): line.get_ydata() for line in figure.axes[panel].lines}


def test_frequency_groups_are_those_of_the_training_counts(comparison):
    figure = figures.by_frequency(comparison, "ndcg@10", "id", "t")
    lines = lines_of(figure)
    assert lines["id"] == pytest.approx([0.1, 0.5, 0.8, 1.0])
    names = [label.get_text() for label in figure.axes[1].get_xticklabels()]
    assert names == ["cold (2)", "1 (2)", "2 (1)", "20–49 (1)"]
    assert lines_of(figure, 1)["ours"] == pytest.approx([1, 1, 1, 1])


def test_groups_of_few_targets_are_hollow_and_what_leads_to_them_is_faint():
    count = np.repeat([0, 1, 2, 30], [40, 29, 30, 31])
    cases = SimpleNamespace(train_count=count, is_cold=count == 0)
    gains = count / 30
    figure = figures.by_frequency(
        Comparison("d", [row("id", [(0, 0.5, 0.3)], gains=gains)], cases), "ndcg@10", None, "t"
    )
    [axes] = figure.axes
    faint, solid, hollow = axes.lines
    assert faint.get_alpha() < 0.5
    assert faint.get_ydata() == pytest.approx([0, 1 / 30, 2 / 30, 1])
    assert np.isnan(solid.get_ydata()).tolist() == [False, True, False, False]
    assert hollow.get_xdata().tolist() == [1]
    assert hollow.get_markerfacecolor() == "white"
    assert "fewer than 30 targets" in axes.get_xlabel()


def test_a_sweep_has_a_band_over_seeds_and_the_other_rows_as_levels():
    rows = [row(f"d, m {x}", [(x, 0.1, 0.2), (x + 0.2, 0.1, 0.2)], m=x) for x in (0.5, 0.1, 0.3)]
    level = row("level", [(0.7, 0.7, 0.7)], seeds=(1,))
    comparison = Comparison("d", [*rows, level], None)
    [(name, figure)] = figures.sweeps(comparison, "ndcg@10", "t").items()
    assert name == "m"
    lines = lines_of(figure)
    assert lines["d"] == pytest.approx([0.2, 0.4, 0.6])
    assert lines["level"] == pytest.approx([0.7, 0.7])
    [band] = figure.axes[0].collections
    assert band.get_paths()[0].vertices[:, 1].max() == pytest.approx(0.6 + 0.2 / 2**0.5)


def test_drift_is_the_median_cosine_by_frequency(comparison):
    figure = figures.drift(comparison, "t")
    assert lines_of(figure)["ours"] == pytest.approx([0.9, 0.9, 0.9])
    assert figures.drift(Comparison("d", comparison.rows[:1], comparison.cases), "t") is None


def test_a_row_has_one_colour_in_all_figures(comparison):
    """Its place differs: ``ours`` is the second row of one figure and the only one of the other."""
    both = figures.by_frequency(comparison, "ndcg@10", "id", "t"), figures.drift(comparison, "t")
    seen = [{line.get_label(): line.get_color() for line in f.axes[0].lines} for f in both]
    assert seen[0]["ours"] == seen[1]["ours"] != seen[0]["id"]
