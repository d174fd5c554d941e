"""Killed, without room, twice at once: what is there is whole, and the next run mends the rest."""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from support.paths import CHECKOUT

from dataset_prep import ContentOptions, prepare
from dataset_prep.errors import DeltaError

SCRIPT = """
import sys, time, types
import numpy as np
import dataset_prep.encoders.text
from dataset_prep import Filters, prepare

class Slow:
    def __init__(self, name, device): pass
    def float(self): return self
    def encode(self, texts, batch_size, show_progress_bar):
        time.sleep(0.004 * len(texts))
        return np.array([[len(t), sum(t.encode()), 1.0] for t in texts])

# Instead of the package, whose import takes longer than all that is tested here.
sys.modules["sentence_transformers"] = types.SimpleNamespace(SentenceTransformer=Slow)
dataset_prep.encoders.text.CHUNK = 8
raw, out, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
for n in range(rounds):
    names = {"interactions": "rows.csv", "items": "items.csv"}
    kept = Filters(users=(60, 50)[n % 2])
    prepare("table", out, raw=raw, name="mine", source_options=names, filters=kept)
"""


@pytest.fixture
def raw(tmp_path) -> Path:
    """Interactions of 60 users, and their items."""
    folder = tmp_path / "raw"
    folder.mkdir()
    rng = np.random.default_rng(0)
    rows = [f"u{u},i{i},{t}" for t, (u, i) in enumerate(rng.integers(0, 60, (4000, 2)))]
    (folder / "rows.csv").write_text("\n".join(["user_id,item_id,timestamp", *rows]) + "\n")
    lines = [f"i{i},{'long ' * (i % 7)}title {i}" for i in range(60)]
    (folder / "items.csv").write_text("\n".join(["item_id,title", *lines]) + "\n")
    return folder


def start(raw, out, rounds) -> subprocess.Popen:
    command = [sys.executable, "-c", SCRIPT, str(raw), str(out), str(rounds)]
    process = subprocess.Popen(
        command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout.readline() == b"ready\n"
    return process


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
@pytest.mark.subprocess
def test_kill_9_at_any_moment_leaves_a_whole_data_set(raw, tmp_path):
    undisturbed = []
    for rounds in (1, 2):
        assert start(raw, tmp_path / f"undisturbed{rounds}", rounds).wait() == 0
        undisturbed.append(content(tmp_path / f"undisturbed{rounds}" / "mine"))
    assert undisturbed[0] != undisturbed[1]
    out, moments = tmp_path / "out", random.Random(0)
    for _ in range(4):
        process = start(raw, out, 10_000)
        time.sleep(moments.uniform(0.0, 0.6))
        process.kill()
        process.wait()
        if (out / "mine").is_dir():
            assert content(out / "mine") in undisturbed
    assert start(raw, out, 1).wait() == 0
    assert content(out / "mine") == undisturbed[0]


@pytest.mark.slow
@pytest.mark.subprocess
def test_two_runs_at_once_do_no_harm(raw, tmp_path):
    assert start(raw, tmp_path / "alone", 1).wait() == 0
    together = [start(raw, tmp_path / "out", 1) for _ in range(2)]
    assert [process.wait() for process in together] == [0, 0]
    assert content(tmp_path / "out" / "mine") == content(tmp_path / "alone" / "mine")


@contextmanager
def room_for(size: int):
    """No file may grow beyond ``size`` bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [0, 700, 20_000])
def test_a_full_disk(raw, tmp_path, size, capsys):
    matrix = np.random.default_rng(0).normal(size=(60, 100))
    np.save(tmp_path / "v.npy", matrix)
    (tmp_path / "v.ids.txt").write_text("\n".join(f"i{i}" for i in range(60)) + "\n")
    names = {"interactions": "rows.csv", "items": "items.csv"}
    options = {"raw": raw, "name": "mine", "source_options": names}
    options["content"] = ContentOptions(vectors=tmp_path / "v.npy")
    with capsys.disabled(), room_for(size), pytest.raises(DeltaError) as error:
        prepare("table", tmp_path / "out", **options)
    assert "Cannot write" in str(error.value)
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "out").iterdir())
    prepare("table", tmp_path / "out", **options)
