"""Files of settings: what is no YAML, and YAML that means harm."""

from __future__ import annotations

import pytest

import recbole_delta
from dataset_prep.errors import DeltaError
from recbole_delta.config.yaml_file import read_yaml


def test_a_setting_of_the_yaml_file_is_checked_too(tmp_path):
    for text, message in (
        ("- a\n", "must hold settings"),
        ("a: [", "is not YAML"),
        ("model: SASRecDelta\ndataset: x\n1: 2\n", "The setting 1 should be a name"),
        ("model: SASRecDelta\ndataset: x\non: 2\n", "The setting True should be a name"),
        ("a: !!timestamp 2020-13-45\n", "is not YAML"),
        ("epochs: 3\nseed: 1\nepochs: 5\n", "is not YAML: 'epochs' is there again in line 3; keep"),
        ("a: {'b': 1, b: 2}\n", "'b' is there again in line 1; keep one"),
        ("model: a.b\ndataset: x\n", "Unknown model 'a.b'"),
        ("model: SASRecDelta\ndataset: 2024\n", "dataset must be text, but is 2024; quote it"),
    ):
        (tmp_path / "x.yaml").write_text(text)
        with pytest.raises(DeltaError, match=message):
            recbole_delta.run(config_files=[str(tmp_path / "x.yaml")])
    with pytest.raises(DeltaError, match="Cannot read .*nowhere.yaml"):
        recbole_delta.run(config_files=["nowhere.yaml"])


LAUGHS = "\n".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]"
    for before, name in zip("abcdefgh", "bcdefghi")
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"a: &a [x, x]\n{LAUGHS}\n", "its aliases stand for too much"),
        ("a: &a {b: *a}\n", "its aliases stand for too much"),
        ("a: &a {x: 1}\nb: &b {<<: [*a, *b]}\n", "its aliases stand for too much"),
        ("[" * 100_000, "is not YAML"),
        ("!!timestamp x", "is not YAML"),
        ("model: !!python/object/apply:os.mkdir [pwned]\n", "is not YAML"),
        ("x" * 2**21, "has over 1,048,576 characters"),
    ],
)
def test_yaml_that_means_harm(tmp_path, text, message):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(DeltaError, match=message):
        recbole_delta.run(config_files=[str(tmp_path / "x.yaml")])
    assert not (tmp_path / "pwned").exists()


def test_yaml_may_repeat_settings(tmp_path):
    (tmp_path / "x.yaml").write_text(
        "a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: [*a, *a]\nd: &d {<<: *a, x: 3}\ne: {<<: *d, x: 4}\n"
    )
    assert read_yaml(tmp_path / "x.yaml") == {
        "a": {"x": 1}, "b": {"x": 1, "y": 2}, "c": [{"x": 1}, {"x": 1}], "d": {"x": 3},
        "e": {"x": 4},
    }  # fmt: skip
