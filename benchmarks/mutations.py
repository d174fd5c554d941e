"""Ways to spoil a good file, each drawn by a random generator of its own seed."""

from __future__ import annotations

import io
import json
import random
import re
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import yaml

from recbole_delta.trainer.checkpoint import FORMAT, WITHOUT_DIGEST

Mutation = Callable[[bytes, random.Random], bytes]

NUMBERS = ["-1", "0", "9" * 40, "1e400", "-1e308", "nan", "inf", "1e-400", "0x10", "1_0", "1e3"]
TEXTS = [
    "", " ", "NA", "[PAD]", "\x00", "\t", "\r", '"', "'", "\\", "\n", "é", "\u202e", "\ufeff",
    "../x", "/x", ".", "..", "a/b", "=1+1", "{title}", "%s", "__import__('os').system('touch x')",
    "!!python/object/apply:os.system ['touch x']", "*a", "&a [*a]", "[" * 2000, "x" * 100_000,
]  # fmt: skip
VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**40, 0.0, -0.5, 1e308, float("nan"),
    float("inf"), [], {}, [[]], [None], {"a": {}}, {"": None}, ["x", 1], *TEXTS,
]  # fmt: skip


# -- any file ------------------------------------------------------------------------------


def flip(data: bytes, draw: random.Random) -> bytes:
    """Some bits."""
    spoilt = bytearray(data)
    for _ in range(draw.choice([1, 1, 2, 8, 64])):
        spoilt[draw.randrange(len(spoilt))] ^= 1 << draw.randrange(8)
    return bytes(spoilt)


def truncate(data: bytes, draw: random.Random) -> bytes:
    """The beginning alone."""
    return data[: draw.randrange(len(data))]


def rearrange(data: bytes, draw: random.Random) -> bytes:
    """A range twice, gone, or in the place of another."""
    a, b, c, d = sorted(draw.randrange(len(data) + 1) for _ in range(4))
    return draw.choice(
        [
            data[:b] + data[a:],
            data[:a] + data[b:],
            data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:],
        ]
    )


def insert(data: bytes, draw: random.Random) -> bytes:
    """NULs, what is no UTF-8, a mark, line ends, a very long line."""
    at = draw.randrange(len(data) + 1)
    chosen = [b"\x00" * 9, b"\xff\xfe\xc3(", b"\xef\xbb\xbf", b"\r", b"\n\n", b"A" * 300_000]
    return data[:at] + draw.choice(chosen) + data[at:]


BYTES: tuple[Mutation, ...] = (flip, truncate, rearrange, insert)


# -- text ----------------------------------------------------------------------------------


def number(data: bytes, draw: random.Random) -> bytes:
    """Another number in the place of one."""
    found = list(re.finditer(rb"-?\d+(\.\d+)?", data))
    if not found:
        return data
    one = draw.choice(found)
    return data[: one.start()] + draw.choice(NUMBERS).encode() + data[one.end() :]


def field(data: bytes, draw: random.Random) -> bytes:
    """Another text in the place of a field."""
    found = list(re.finditer(rb"[^\t\n,:\"{}\[\] ]+", data))
    if not found:
        return data
    one = draw.choice(found)
    return data[: one.start()] + draw.choice(TEXTS).encode() + data[one.end() :]


def lines(data: bytes, draw: random.Random) -> bytes:
    """Lines in another order, twice, or gone."""
    found = data.splitlines(keepends=True)
    at = draw.randrange(len(found))
    found[at : at + 1] = draw.choice([[], [found[at]] * 2, [draw.choice(found)]])
    return b"".join(found)


TEXT: tuple[Mutation, ...] = (*BYTES, number, field, lines)


# -- JSON, YAML, and headers that are JSON -------------------------------------------------


def respoilt(value: Any, draw: random.Random) -> Any:
    """Another value somewhere in nested ones, or one fewer."""
    if isinstance(value, dict) and value and draw.random() < 0.85:
        key = draw.choice(list(value))
        action = draw.random()
        if action < 0.15:
            return {name: each for name, each in value.items() if name != key}
        if action < 0.25:
            return {draw.choice(TEXTS) if name == key else name: v for name, v in value.items()}
        return {**value, key: respoilt(value[key], draw)}
    if isinstance(value, list) and value and draw.random() < 0.85:
        at = draw.randrange(len(value))
        if draw.random() < 0.15:
            return value[:at] + value[at + 1 :]
        return [*value[:at], respoilt(value[at], draw), *value[at + 1 :]]
    return draw.choice(VALUES)


def json_value(data: bytes, draw: random.Random) -> bytes:
    """Another value in a JSON file."""
    return json.dumps(respoilt(json.loads(data), draw)).encode()


def json_line(data: bytes, draw: random.Random) -> bytes:
    """Another value in a line of JSON."""
    found = data.splitlines()
    at = draw.randrange(len(found))
    found[at] = json_value(found[at], draw)
    return b"\n".join(found)


def yaml_value(data: bytes, draw: random.Random) -> bytes:
    """Another value in a YAML file."""
    return yaml.safe_dump(respoilt(yaml.safe_load(data), draw), sort_keys=False).encode()


def tensors_header(data: bytes, draw: random.Random) -> bytes:
    """Another value in the header of safetensors, or in the JSON that it carries."""
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    carried = header.get("__metadata__", {}).get("header")
    if carried and draw.random() < 0.8:
        carried = json.dumps(respoilt(json.loads(carried), draw))
        header["__metadata__"]["header"] = carried
    else:
        header = respoilt(header, draw)
    packed = json.dumps(header).encode()
    return struct.pack("<Q", len(packed)) + packed + data[8 + size :]


def without_digest(mutation: Mutation) -> Mutation:
    """The mutation, of a checkpoint in the format before the digest: nothing else refuses it."""

    def spoil(data: bytes, draw: random.Random) -> bytes:
        return mutation(data.replace(FORMAT.encode(), WITHOUT_DIGEST.encode()), draw)

    return spoil


def npy_header(data: bytes, draw: random.Random) -> bytes:
    """Another word in the header of .npy."""
    (size,) = struct.unpack("<H", data[8:10])
    words = [b"'<f8'", b"'|O'", b"'<U9'", b"'>f4'", b"(20,)", b"(10**15, 12)", b"(-1, 12)",
             b"(1000000000000000, 12)", b"()", b"True", b"{}", b"None", b"12", b"'V4'"]  # fmt: skip
    header = data[10 : 10 + size]
    found = list(re.finditer(rb"'[^']*'|\([^)]*\)|True|False|\d+", header))
    one = draw.choice(found)
    header = header[: one.start()] + draw.choice(words) + header[one.end() :]
    return data[:8] + struct.pack("<H", len(header)) + header + data[10 + size :]


def npz_member(data: bytes, draw: random.Random) -> bytes:
    """An array of .npz spoilt, packed again as if nothing were."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        names = old.namelist()
        chosen = draw.choice(names)
        for name in names:
            content = old.read(name)
            if name == chosen:
                if draw.random() < 0.1:
                    continue
                content = draw.choice([npy_header, flip, truncate])(content, draw)
            new.writestr(name, content)
    return out.getvalue()
