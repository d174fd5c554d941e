"""NumPy's files whose headers lie."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from dataset_prep.errors import DeltaError
from dataset_prep.format.arrays import read_npy, read_npz

GOOD = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 12)}"


def npy(header: str, data: bytes = bytes(96)) -> bytes:
    packed = header.ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(packed).to_bytes(2, "little") + packed + data


HEADERS = {
    "too many rows": GOOD.replace("2,", "1000000000000000,"),
    "rows beyond any number": GOOD.replace("2,", f"{2**64},"),
    "no whole Python": GOOD[:-1],
    "a key that is none": GOOD.replace("'shape'", "(1,)"),
    "a type of nothing": GOOD.replace("'<f4'", "()"),
    "objects": GOOD.replace("<f4", "|O"),
    "code": GOOD.replace("(2, 12)", "__import__('os').getpid()"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_headers_that_lie(tmp_path, case):
    data = npy(HEADERS[case])
    (tmp_path / "a.npy").write_bytes(data)
    with pytest.raises(DeltaError, match="a.npy is not a whole .npy matrix"):
        read_npy(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("x.npy", data)
    with pytest.raises(DeltaError, match="a.npz is not a whole file of arrays"):
        read_npz(tmp_path / "a.npz")


def test_a_header_that_does_not_lie(tmp_path):
    (tmp_path / "a.npy").write_bytes(npy(GOOD))
    assert read_npy(tmp_path / "a.npy").shape == (2, 12)


def test_what_is_no_array_and_what_unpacks_without_end(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x.npy", b"text")
    with pytest.raises(DeltaError, match="x is no array"):
        read_npz(tmp_path / "a.npz")
    with (
        zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as file,
        file.open("x.npy", "w") as member,
    ):
        np.lib.format.write_array(member, np.zeros(2**27, dtype=np.int8))
    assert (tmp_path / "a.npz").stat().st_size < 2**20
    with pytest.raises(DeltaError, match="would unpack to 134,217,856 bytes"):
        read_npz(tmp_path / "a.npz")
