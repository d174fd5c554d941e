"""Which GPU each process takes, without one: torch is told that there are some."""

from __future__ import annotations

import os

import pytest
import torch
import torch.distributed as dist

import recbole_delta
from dataset_prep.errors import DeltaError
from recbole_delta.compute.distributed import process_group
from recbole_delta.config.run_config import RunConfig


@pytest.fixture
def gpus(monkeypatch):
    """gpus(n): as if a cluster had given this job n of a machine's GPUs."""

    def gpus(n):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: n > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: n)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ",".join(str(2 * each + 1) for each in range(n)))

    return gpus


@pytest.fixture
def as_process(monkeypatch):
    """as_process(n, of): as if torchrun had started this process as the n-th of its machine."""

    def as_process(n, of):
        names = {"LOCAL_RANK": n, "RANK": n, "LOCAL_WORLD_SIZE": of, "WORLD_SIZE": of}
        for name, value in {**names, "TORCHELASTIC_RUN_ID": "run"}.items():
            monkeypatch.setenv(name, str(value))

    return as_process


def device(**settings):
    return str(RunConfig("SASRecDelta", "tiny", config_dict=settings)["device"])


def test_a_run_keeps_what_a_cluster_has_given_it(gpus):
    gpus(4)
    assert device() == "cuda:0"
    assert device(gpu_id="2") == "cuda:2"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1,3,5,7"


@pytest.mark.parametrize(
    ("gpu_id", "expected"),
    [
        ({}, ["cuda:0", "cuda:1"]),
        ({"gpu_id": "3,1"}, ["cuda:3", "cuda:1"]),
        ({"gpu_id": [2, 3]}, ["cuda:2", "cuda:3"]),
        ({"use_gpu": False}, ["cpu", "cpu"]),
        ({"gpu_id": ""}, ["cpu", "cpu"]),
    ],
)
def test_each_process_of_a_machine_has_a_gpu_of_its_own(gpus, as_process, gpu_id, expected):
    gpus(4)
    found = []
    for n in range(2):
        as_process(n, of=2)
        found.append(device(nproc=2, **gpu_id))
    assert found == expected


def test_processes_on_gpus_meet_by_nccl_on_their_own(gpus, as_process, monkeypatch):
    gpus(2)
    as_process(1, of=2)
    asked = []
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: asked.append(str(device)))
    monkeypatch.setattr(dist, "init_process_group", asked.append)
    monkeypatch.setattr(dist, "destroy_process_group", lambda: None)
    config = RunConfig("SASRecDelta", "tiny", config_dict={"nproc": 2})
    with process_group(config["device"]):
        assert asked == ["cuda:1", "nccl"]


def test_fewer_gpus_than_processes_are_refused_before_any_is_started(gpus):
    gpus(2)
    with pytest.raises(DeltaError, match="4 processes need a GPU each, but .* leave 2; set nproc"):
        recbole_delta.run("SASRecDelta", "tiny", settings={"nproc": 4})
    with pytest.raises(DeltaError, match="leave 1; set nproc: 1"):
        recbole_delta.run("SASRecDelta", "tiny", settings={"nproc": 2, "gpu_id": "1"})


def test_torchrun_with_more_processes_than_gpus_is_refused(gpus, as_process):
    gpus(2)
    as_process(0, of=3)
    with pytest.raises(DeltaError, match="3 processes need a GPU each"):
        device()


def test_a_gpu_id_that_is_no_number_is_refused(gpus):
    gpus(2)
    with pytest.raises(DeltaError, match="gpu_id must be numbers, .*'first'"):
        device(gpu_id="first")


@pytest.mark.parametrize(("gpu_id", "lacking"), [("1", 1), ("0,3", 3), ([7], 7)])
def test_a_gpu_that_is_not_among_those_that_are_visible_is_refused(gpus, gpu_id, lacking):
    """As with ``gpu_id: '3'`` under a cluster's ``CUDA_VISIBLE_DEVICES=3``."""
    gpus(1)
    with pytest.raises(DeltaError, match=f"gpu_id: there is no GPU {lacking} among .*, 0 to 0"):
        device(gpu_id=gpu_id)
    gpus(0)
    assert device(gpu_id=gpu_id) == "cpu"
