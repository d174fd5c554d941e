"""Where a setting comes from."""

from __future__ import annotations

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
