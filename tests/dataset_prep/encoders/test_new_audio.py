"""Items that are added to a trained run by their sound."""

from __future__ import annotations

import dataclasses
import random
import shutil

import numpy as np
import polars as pl
import pytest
import torch

pytest.importorskip("torchaudio")
soundfile = pytest.importorskip("soundfile")

import recbole_delta  # noqa: E402
from dataset_prep.__main__ import main as dataset_prep  # noqa: E402
from dataset_prep.encoders.new_items import NewItems  # noqa: E402
from dataset_prep.encoders.options import AudioOptions  # noqa: E402
from recbole_delta import DeltaError, Recommender  # noqa: E402
from recbole_delta.cli.main import main  # noqa: E402

RATE = 16_000


def tone(path, hertz):
    wave = np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)
    soundfile.write(path, 0.5 * wave + 0.01 * np.random.default_rng(0).normal(size=RATE), RATE)


@pytest.fixture
def heard(tmp_path):
    """A data set whose items are tones, a model of it, and a folder with a cold item's file."""
    raw, clips = tmp_path / "raw", tmp_path / "clips"
    raw.mkdir()
    clips.mkdir()
    items = [f"i{n}" for n in range(12)]
    for n, item in enumerate(items):
        tone(clips / f"{item}.wav", 200 * 1.3**n)
    draw = random.Random(0)
    rows = [(f"u{user}", item, 100 * user + n) for user in range(30)
            for n, item in enumerate(draw.sample(items, 8))]  # fmt: skip
    log = pl.DataFrame(rows, ["user_id", "item_id", "timestamp"], orient="row")
    log.write_csv(raw / "rows.csv")
    pl.DataFrame({"item_id": items}).write_csv(raw / "items.csv")
    dataset_prep(
        ["table", "--raw", str(raw), "--out", "dataset", "--name", "tones", "--cold", "random",
         "--cold-fraction", "0.2", "--set", "interactions=rows.csv", "--set", "items=items.csv",
         "--audio", str(clips)]
    )  # fmt: skip
    settings = {"data_path": "dataset", "checkpoint_dir": "saved", "hidden_size": 4,
                "epochs": 1, "show_progress": False, "state": "ERROR"}  # fmt: skip
    trained = recbole_delta.run("SASRecDelta", "tones", settings=settings).checkpoint
    cold = Recommender(trained).cold_items[0]
    new = tmp_path / "new"
    new.mkdir()
    shutil.copy(clips / f"{cold}.wav", new / "again.wav")
    return trained, cold, new


def test_new_sounds_are_encoded_as_the_old_ones(heard, capsys):
    trained, cold, new = heard
    main(["add", trained, "--to", "more.safetensors", "--audio", str(new)])
    recommender = Recommender("more.safetensors")
    row = {token: n for n, token in enumerate(recommender.known_items, 1)}
    weight = recommender.model.item_embedding.weight
    torch.testing.assert_close(weight[row["again"]], weight[row[cold]], atol=1e-5, rtol=0)
    [best] = recommender.recommend([["i1" if cold != "i1" else "i2"]], k=1, allow=["again"])
    assert best[0].item == "again"


def test_another_network_is_refused(heard, tmp_path):
    how = {**dataclasses.asdict(AudioOptions()), "files": "those of another"}
    with pytest.raises(DeltaError, match="audio model mel is not the one that the run's items"):
        NewItems(audio=heard[2], cache=tmp_path).encode({"audio": how})


def test_sounds_that_cannot_be_heard_are_named(heard, capsys):
    trained, _, new = heard
    (new / "broken.wav").write_bytes(b"RIFF")
    with pytest.raises(SystemExit):
        main(["add", trained, "--to", "more.safetensors", "--audio", str(new)])
    said = capsys.readouterr().err
    assert "broken.wav" in said
    assert "cannot be decoded" in said
