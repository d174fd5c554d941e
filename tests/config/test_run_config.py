"""Where a setting comes from."""

from __future__ import annotations

import logging

import pytest

import recbole_delta


def test_later_files_and_single_settings_win(tiny, tmp_path):
    tiny.write(tmp_path / "dataset")
    common = f"data_path: {tmp_path / 'dataset'}\nhidden_size: 16\ninner_size: 16\nstate: ERROR\n"
    (tmp_path / "a.yaml").write_text(common + "epochs: 3\ntopk: [5]\nvalid_metric: NDCG@5\n")
    (tmp_path / "b.yaml").write_text("epochs: 1\n")
    files = [str(tmp_path / name) for name in ("a.yaml", "b.yaml")]
    result = recbole_delta.run("SASRecDelta", "tiny", files, {"topk": [7], "valid_metric": "MRR@7"})
    assert len(result.curve) == 1
    assert "ndcg@7" in result.test_result


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_one_file_may_be_given_by_itself(tiny, tmp_path, kind):
    tiny.write(tmp_path / "dataset")
    (tmp_path / "a.yaml").write_text(
        f"data_path: {tmp_path / 'dataset'}\nhidden_size: 16\ninner_size: 16\nstate: ERROR\n"
        "epochs: 1\nshow_progress: False\n"
    )
    result = recbole_delta.run("SASRecDelta", "tiny", kind(tmp_path / "a.yaml"))
    assert len(result.curve) == 1


@pytest.mark.parametrize(("given", "n"), [({"use_gpu": True}, 1), ({"use_gpu": False}, 0), ({}, 0)])
def test_a_gpu_that_is_not_there_is_said_to_be_missed(
    tiny, tmp_path, monkeypatch, caplog, given, n
):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    tiny.write(tmp_path / "dataset")
    settings = {"data_path": str(tmp_path / "dataset"), "epochs": 1, "show_progress": False,
                "hidden_size": 16, "inner_size": 16, "state": "WARNING"}  # fmt: skip
    with caplog.at_level(logging.WARNING):
        recbole_delta.run("SASRecDelta", "tiny", settings={**settings, **given})
    said = [each.getMessage() for each in caplog.records if "use_gpu" in each.getMessage()]
    assert said == ["use_gpu: True, but torch finds no GPU here; the run is on the CPU."] * n
