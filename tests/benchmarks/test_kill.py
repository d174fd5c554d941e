"""Training killed at random moments; benchmarks/kill.py does so fifty times, and to every job."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support.paths import BENCHMARKS

pytestmark = [pytest.mark.slow, pytest.mark.subprocess]


def test_a_killed_training_ends_as_an_undisturbed_one():
    command = [
        sys.executable,
        BENCHMARKS / "kill.py",
        "--job",
        "train",
        "--kills",
        "2",
        "--seed",
        "6",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    kills, _, trials, same, *_ = map(int, done.stdout.splitlines()[-1].split("|")[2:-1])
    assert kills == 2
    assert trials == same > 0
