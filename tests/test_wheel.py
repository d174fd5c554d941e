"""A built wheel works outside the checkout, YAML files included."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from support.paths import CHECKOUT

pytestmark = [pytest.mark.slow, pytest.mark.subprocess]


def test_the_wheel_carries_all_that_a_run_needs(tiny, tmp_path):
    # A copy: building leaves folders behind, and finds those that another build has left.
    copy = tmp_path / "checkout"
    shutil.copytree(CHECKOUT, copy, ignore=shutil.ignore_patterns(".*", "build", "*.egg-info"))
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, copy]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    [wheel] = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site, wheel]
    subprocess.run(install, check=True, capture_output=True, timeout=300)
    tiny.write(tmp_path / "dataset")
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r})\n"
        "import recbole_delta, dataset_prep\n"
        f"assert recbole_delta.__file__.startswith({str(site)!r}), recbole_delta.__file__\n"
        f"assert dataset_prep.__file__.startswith({str(site)!r}), dataset_prep.__file__\n"
        "from recbole.quick_start import run_recbole\n"
        "result = run_recbole('GRU4RecDelta', 'tiny', config_dict={'epochs': 1, 'embedding_size': 16,"
        "'show_progress': False})\n"
        "assert result['test_result']['ndcg@10'] >= 0\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stderr
