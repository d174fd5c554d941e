"""Files whose size, or what they claim of it, is meant to break their reader."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

LINE = 100_000_000
"""Bytes of a line that does not end."""

BOMB = b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (name + 1, name + 1, b", ".join([b"*%c" % name] * 9))
    for name in range(ord("a"), ord("z"))
)
"""YAML, 1 kB of which stands for 9^26 values (the "billion laughs")."""

DEEP = b"[" * 1_000_000
"""JSON and YAML without end."""


def claim(data: bytes, shape: list[int]) -> bytes:
    """Safetensors whose every tensor claims a shape, and the bytes for it."""
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    for tensor in header.values():
        if "shape" in tensor:
            tensor["shape"] = shape
            tensor["data_offsets"] = [0, 4 * int(np.prod(shape, dtype=object))]
    packed = json.dumps(header).encode()
    return struct.pack("<Q", len(packed)) + packed + data[8 + size :]


def rows_of_npy(rows: int) -> bytes:
    """``.npy`` that claims so many rows, and holds one."""
    out = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (rows, 12)}
    np.lib.format.write_array_header_2_0(out, header)
    return out.getvalue() + bytes(48)


def zip_bomb(data: bytes, size: int) -> bytes:
    """``.npz`` whose every array is so many zeros, a thousandth packed."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            with new.open(name, "w", force_zip64=True) as member:
                header = {"descr": "|i1", "fortran_order": False, "shape": (size,)}
                np.lib.format.write_array_header_2_0(member, header)
                for _ in range(size // 2**24):
                    member.write(bytes(2**24))
    return out.getvalue()


def hostile(file: Path) -> dict[str, Callable[[bytes], bytes]]:
    """What stands in the place of a good file, made from it, by what is wrong with it."""
    if file.suffix == ".safetensors":
        return {
            "a tensor of 2^40 rows": lambda data: claim(data, [2**40, 12]),
            "a tensor of 2^62 × 2^62": lambda data: claim(data, [2**62, 2**62]),
            "a header of 2^63 bytes": lambda data: struct.pack("<Q", 2**63) + data[8:],
        }
    if file.suffix == ".npy":
        return {
            f"{rows:.0e} rows": lambda data, rows=rows: rows_of_npy(rows)
            for rows in (10**8, 10**15, 2**62, 2**64)
        }
    if file.suffix == ".npz":
        return {"256 MiB of zeros in each array": lambda data: zip_bomb(data, 2**28)}
    if file.suffix == ".parquet":
        footer = struct.pack("<I", 2**31 - 1)
        return {"a footer of 2 GiB": lambda data: data[:-8] + footer + b"PAR1"}
    found = {
        "a line of 100 MB": lambda data: b"9" * LINE,
        "100 MB in a field": lambda data: data[:-1] + b"9" * LINE + b"\n",
    }
    if file.suffix in (".json", ".jsonl", ".yaml"):
        found["a million brackets"] = lambda data: DEEP
    if file.suffix == ".jsonl":
        found["an item in brackets"] = lambda data: b'{"history": %s%s}' % (b"[" * 900, b"]" * 900)
    if file.suffix == ".yaml":
        found |= {
            "a billion laughs": lambda data: BOMB,
            "laughs beside settings": lambda data: data + BOMB,
            "a setting that holds itself": lambda data: data + b"\nlearning_rate: &a [*a]\n",
        }
    return found
