"""Downloads: checked, whole, once; here from a server of our own."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from dataclasses import replace
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler

import numpy as np
import pytest

from dataset_prep import SOURCES, prepare
from dataset_prep.errors import DeltaError
from dataset_prep.sources import get_source
from dataset_prep.sources.download import Archive


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    """(address, folder) of a server with a MovieLens in the manner of 25M."""
    folder = tmp_path / "served"
    folder.mkdir()
    rng = np.random.default_rng(0)
    rows = [f"{u},{i},4.0,{t}" for t, (u, i) in enumerate(rng.integers(1, 21, (300, 2)))]
    movies = [f"{i},Film {i} (1999),Drama" for i in range(1, 21)]
    with zipfile.ZipFile(folder / "ml-tiny.zip", "w") as archive:
        archive.writestr(
            "ml-tiny/ratings.csv", "\n".join(["userId,movieId,rating,timestamp", *rows])
        )
        archive.writestr("ml-tiny/movies.csv", "\n".join(["movieId,title,genres", *movies]))
    http = HTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_port}", folder
    http.shutdown()


@pytest.fixture
def offered(server, monkeypatch, counting):
    """ml-25m, offered by that server."""
    address, folder = server
    md5 = hashlib.md5((folder / "ml-tiny.zip").read_bytes()).hexdigest()
    archive = Archive(f"{address}/ml-tiny.zip", md5)
    monkeypatch.setitem(SOURCES, "ml-25m", replace(get_source("ml-25m"), archive=archive))
    return folder / "ml-tiny.zip"


def test_an_archive_is_fetched_once_and_read(offered, tmp_path):
    folder = prepare("ml-25m", tmp_path / "out", download=True)
    raw = tmp_path / "out" / ".raw"
    assert {path.name for path in raw.iterdir()} == {"ml-25m"}
    offered.unlink()
    again = prepare("ml-25m", tmp_path / "out", download=True, name="again")
    inter = (folder / f"{folder.name}.inter").read_bytes()
    assert (again / "again.inter").read_bytes() == inter


def test_another_file_than_the_published_one_is_refused(offered, tmp_path):
    offered.write_bytes(offered.read_bytes()[:-7] + b"forged!")
    with pytest.raises(DeltaError, match=r"Cannot download .*ml-tiny.zip: .*hash") as error:
        prepare("ml-25m", tmp_path / "out", download=True)
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "out" / ".raw").glob("*"))


def test_without_a_network_it_says_what_to_do(offered, tmp_path):
    offered.unlink()
    with pytest.raises(DeltaError, match=r"fetch it by hand, unpack it, and name .* --raw"):
        prepare("ml-25m", tmp_path / "out", download=True)


@pytest.mark.parametrize("name", ["zvuk", "situnes", "music4all", "amazon-m2"])
def test_whose_owner_wants_to_be_asked_says_where(name, tmp_path):
    options = {option: "X" for option in get_source(name).options()}
    with pytest.raises(DeltaError, match=f"{name} is not for --download. Say where the raw files"):
        prepare(name, tmp_path, download=True, source_options=options)
