"""What the loaders give a model."""

from __future__ import annotations

from recbole.data import data_preparation

from recbole_delta.config.run_config import RunConfig
from recbole_delta.data.dataset import ColdWarmDataset


def test_what_tells_cold_from_warm_is_no_input(tiny, tmp_path):
    tiny.write(tmp_path)
    config = RunConfig(
        "SASRecDelta", "tiny", config_dict={"data_path": str(tmp_path), "load_col": None}
    )
    dataset = ColdWarmDataset(config)
    train_data, _, test_data = data_preparation(config, dataset)
    for batch in (next(iter(train_data)), next(iter(test_data))[0]):
        assert not {"split", "is_cold", "train_count"} & set(batch.columns)
    assert not {"split", "is_cold", "train_count"} & set(dataset.field2type)
