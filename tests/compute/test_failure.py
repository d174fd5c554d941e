"""The first error of one process ends all of them, with one sentence."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import time
from datetime import timedelta

import pytest
import torch.distributed as dist
from support.datasets import SMALL
from support.paths import CHECKOUT
from support.runs import DEFAULTS

from dataset_prep.errors import DeltaError

BUG = "Process {} of 2 failed (ZeroDivisionError: a bug)."
CASES = {
    ("NaN in the loss", 0): "The training loss became NaN in epoch 0; lower learning_rate.",
    ("NaN in the loss", 1): "The training loss became NaN in epoch 0; lower learning_rate.",
    ("Ctrl-C in the loss", 1): "Stopped before there was a checkpoint; nothing is kept.",
    ("a bug in the loss", 0): BUG.format(0),
    ("killed in the loss", 1): "Process 1 of 2 died (Signal 9 (SIGKILL) received by PID ",
    ("a full disk in saving", 0): "Cannot write ",
    ("a bug in saving", 1): BUG.format(1),
    ("a bug in evaluation", 0): BUG.format(0),
    ("a bug in evaluation", 1): BUG.format(1),
    ("other rows", 1): "have read different rows (",
    ("other content", 1): "have read different content vectors (",
}


@pytest.fixture
def settings(tiny, tmp_path):
    tiny.write(tmp_path / "dataset")
    places = {"data_path": str(tmp_path / "dataset"), "checkpoint_dir": str(tmp_path / "saved")}
    return {"model": "SASRecDelta", "dataset": "tiny", **places, **DEFAULTS, **SMALL}


@pytest.mark.subprocess
@pytest.mark.slow
def test_an_error_in_one_process_ends_all_in_ten_seconds_with_its_sentence(settings, several):
    cases = [{"settings": {**settings, "nproc": 2}, "fault": fault} for fault in CASES]
    done, errors = several(cases)
    for (fault, sentence), said in zip(CASES.items(), done, strict=True):
        assert sentence in said["sentence"], fault
        stopped = fault[0].startswith("Ctrl-C")
        assert said["error"] == ("KeyboardInterrupt" if stopped else "DeltaError")
        assert said["seconds"] < 10, fault
        assert said["left"] == 0
    assert "Traceback" not in errors
    for what, file in (("rows", "tiny.inter"), ("content", "synthetic.safetensors")):
        [said] = [each["sentence"] for each in done if f"different {what}" in each["sentence"]]
        assert said.startswith("Process 1 on ")
        assert file in said


@pytest.mark.subprocess
@pytest.mark.slow
def test_under_torchrun_the_process_that_failed_says_so_alone(settings, tmp_path):
    (tmp_path / "my.yaml").write_text(json.dumps(settings))
    (tmp_path / "program.py").write_text(
        "from recbole_delta_command.main import main\n"
        "from support.several import break_\n"
        "break_('NaN in the loss', 1)\n"
        "main(['my.yaml'])\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "program.py"]
    path = os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "tests"), *sys.path])
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        timeout=240,
    )
    ended = time.time() - float((tmp_path / "failed_at").read_text())
    assert ended < 10
    assert done.returncode
    lines = done.stderr.splitlines()
    said = "error: The training loss became NaN in epoch 0; lower learning_rate."
    assert [line for line in lines if line.startswith("error:")] == [said]
    # The one traceback is that of torchrun itself, which names the reason as the root cause.
    assert done.stderr.count("Traceback") == 1
    assert any("traceback : The training loss became NaN" in line for line in lines)


def _process(rank, port, folder):
    from recbole_delta.compute.failure import ending_together

    error_file = str(folder / f"{rank}.json")
    os.environ |= {
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": str(port),
        "RANK": str(rank),
        "WORLD_SIZE": "2",
        "TORCHELASTIC_RUN_ID": "two machines",
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_ERROR_FILE": error_file,
    }
    try:
        with ending_together():
            if rank == 0:
                raise DeltaError("The disk is full.")
            time.sleep(60)  # in a collective operation that will never end
    except DeltaError:
        raise SystemExit(2) from None


def test_a_process_of_another_machine_ends_too_and_knows_why(tmp_path):
    """No launcher ends them here: there is one on each machine."""
    store = dist.TCPStore("localhost", 0, is_master=True, timeout=timedelta(seconds=20))
    context = multiprocessing.get_context("fork")
    processes = [
        context.Process(target=_process, args=(rank, store.port, tmp_path)) for rank in range(2)
    ]
    started = time.monotonic()
    for process in processes:
        process.start()
    for process in processes:
        process.join(20)
    assert time.monotonic() - started < 10
    assert [process.exitcode for process in processes] == [2, 1]
    for rank in range(2):
        said = json.loads((tmp_path / f"{rank}.json").read_text())["message"]
        assert said["message"] == "The disk is full."
