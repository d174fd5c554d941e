"""README and docs: every Python snippet runs, every setting and every option that they name is there."""

from __future__ import annotations

import re
import shlex

import numpy as np
import pytest
import yaml
from support.paths import PAGES, README

import recbole_delta
from dataset_prep.__main__ import _parser
from recbole_delta.bench.plan.plan import read_plan
from recbole_delta.config.run_config import RunConfig
from recbole_delta.quick_start.example import example_data
from recbole_delta_command.main import USAGE


def blocks(language: str):
    """Each page with its blocks in a language."""
    for page in PAGES:
        found = re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.M | re.S)
        if found:
            yield pytest.param(found, id=page.name)


@pytest.mark.slow
@pytest.mark.parametrize("snippets", blocks("python"))
def test_python_runs_from_top_to_bottom(snippets):
    """On the example data, where a page takes data for granted."""
    settings = {**example_data(), "epochs": 1}
    names = {
        "settings": settings,
        "checkpoint": recbole_delta.run("SASRecDelta", "example", settings=settings).checkpoint,
        "vectors": np.random.default_rng(0).normal(size=(2, 16)),
        "histories": [["a1", "a2", "song-1"], ["b3", "b4"], ["c1", "c5", "c2"]],
    }
    for snippet in snippets:
        exec(compile(snippet, "snippet", "exec"), names)
    if "best" in names:  # of the export, which knows no PyTorch
        found = names["recommender"].recommend([names["history"]], k=10, exclude_seen=False)
        assert names["best"] == [each.item for each in found[0]]


@pytest.mark.parametrize("snippets", blocks("yaml"))
def test_yaml_has_settings_that_there_are(snippets, tmp_path):
    for snippet in snippets:
        asked = yaml.safe_load(snippet)
        if "models" in asked:
            for name in asked["datasets"]:
                (tmp_path / name).mkdir()
                for ending in ("inter", "item"):
                    (tmp_path / name / f"{name}.{ending}").touch()
            path = tmp_path / "bench.yaml"
            path.write_text(snippet)
            assert read_plan(path, data_path=tmp_path).specs
        else:
            RunConfig(config_dict={"model": "SASRecDelta", "dataset": "any", **asked})


@pytest.mark.parametrize("snippets", blocks("bash"))
def test_commands_have_options_that_there_are(snippets):
    for line in "".join(snippets).replace("\\\n", " ").splitlines():
        command = shlex.split(line.split(" | ")[-1], comments=True)
        if command[:3] == ["python", "-m", "dataset_prep"]:
            _parser().parse_args(command[3:])
        elif command[:2] == ["recbole-delta", "prep"]:
            _parser().parse_args(command[2:])
        elif command[:1] == ["recbole-delta"]:
            words = USAGE[USAGE.find(f"recbole-delta {command[1]}") :] if len(command) > 1 else ""
            for option in (each for each in command if each.startswith("--") and "=" not in each):
                assert option in words.split("recbole-delta", 2)[1], (line, option)


def test_readme_is_short_and_what_it_links_is_there():
    text = README.read_text()
    assert len(text.splitlines()) <= 150
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            assert link.startswith("http") or (page.parent / link).exists(), (page.name, link)
