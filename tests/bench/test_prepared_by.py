"""The bench files in results/ say how their data sets are prepared, and their runs are of such data."""

from __future__ import annotations

import json
import re
import shlex

import pytest
import yaml
from support.paths import RESULTS

from dataset_prep.__main__ import _asked, _parser


def commands(path):
    """The preparations that the top of a bench file asks for, loops written out, by name."""
    top = re.match(r"(#.*\n)*", path.read_text())[0]
    text = re.sub(r"\\\n#\s*", "", top)
    lines = [line.lstrip("# ") for line in text.splitlines() if "-m dataset_prep" in line]
    for line in lines:
        each, values, loop = line, [""], re.match(r"for (\w+) in ([^;]*); do (.*); done$", line)
        if loop:
            name, values, each = f"${loop[1]}", loop[2].split(), loop[3]
        for value in values:
            written = each.replace(name, value) if loop else each
            given = _parser().parse_args(shlex.split(written)[3:])
            yield given.name or f"{given.source}-{given.protocol}", given


def runs(dataset):
    """What the published runs over a data set say of its preparation."""
    folder = re.compile(rf"{re.escape(dataset)}-[0-9a-f]{{8}}")
    for each in RESULTS.glob("records/*/*/record.json"):
        if folder.fullmatch(each.parts[-3]):
            yield json.loads(each.read_text())["prepared"]


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_its_commands_make_the_data_that_its_runs_had(path):
    asked = dict(commands(path))
    datasets = yaml.safe_load(path.read_text())["datasets"]
    assert set(datasets) <= set(asked)
    for dataset in datasets:
        wanted = _asked(asked[dataset])
        said = [*runs(dataset)]
        assert said, dataset
        for prepared in said:
            assert prepared["source"] == asked[dataset].source
            assert prepared["protocol"] == wanted["protocol"]
            options = {"seed": 42, **prepared["protocol_options"]}  # older runs leave it out
            assert options == {"seed": 42, **wanted["protocol_options"]}
            assert prepared["content"]["text"]["missing"] == wanted["content"].missing
