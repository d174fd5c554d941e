"""``benchmarks/gpu.py`` waits for a GPU; that it runs is known before."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from support.paths import BENCHMARKS

pytestmark = [pytest.mark.slow, pytest.mark.subprocess]
COMMAND = [sys.executable, BENCHMARKS / "gpu.py"]


def test_every_figure_of_a_tiny_data_set():
    few = ["--steps", "2", "--others", "1", "--rounds", "1", "--side", "64"]
    done = subprocess.run(
        [*COMMAND, "--cpu", "--only", "tiny", *few], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    rows = [line.split("|")[1:-1] for line in done.stdout.splitlines() if line.startswith("|")]
    columns, found = rows[0], {row[0].strip(): row[1:] for row in rows[2:]}
    assert [each.strip() for each in columns[1:]] == [
        "ms a step",
        "s an epoch",
        "of peak",
        "of copy",
    ]
    assert [*found][:5] == ["ce", "chunked", "sampled", "simrec", "plain loop"]
    assert all(float(row[0]) > 0 for row in found.values())
    assert 0 < float(found["ce"][2]) < 1
    assert "evaluation: " in done.stdout


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so():
    done = subprocess.run(COMMAND, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("gpu.py needs a GPU")
