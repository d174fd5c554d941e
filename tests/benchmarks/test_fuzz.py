"""A few spoilt files of every kind, always the same ones; benchmarks/fuzz.py takes thousands."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support.paths import BENCHMARKS

pytestmark = [pytest.mark.slow, pytest.mark.subprocess]


def test_spoilt_files_are_accepted_or_refused_in_a_sentence(tmp_path):
    command = [sys.executable, BENCHMARKS / "fuzz.py", "--inputs", "8", "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    accepted, refused, failed = map(int, done.stdout.splitlines()[-1].split("|")[2:5])
    assert accepted > 10
    assert refused > 100
    assert failed == 0
