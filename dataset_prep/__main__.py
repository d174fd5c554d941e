"""python -m dataset_prep NAME --raw DIR --out DIR [options]."""

from __future__ import annotations

import argparse
import json
import sys
from inspect import signature
from pathlib import Path
from typing import Any

from tabulate import tabulate

from dataset_prep.encoders.options import (
    DEFAULT_ENCODER,
    WITHOUT_CONTENT,
    AudioOptions,
    ContentOptions,
)
from dataset_prep.errors import DeltaError
from dataset_prep.pipeline import prepare
from dataset_prep.protocols import PROTOCOLS
from dataset_prep.protocols.global_time import TARGETS, VALIDATIONS
from dataset_prep.sources.registry import SOURCES, Source
from dataset_prep.steps import Filters


def main(arguments: list[str] | None = None) -> None:
    """Prepare a data set; an error in the user's input is one sentence and exit code 2."""
    given = _parser().parse_args(arguments)
    try:
        folder = prepare(given.source, given.out, **_asked(given))
    except KeyboardInterrupt:
        print(
            "\nStopped; no data set was written, and what has been encoded is kept: the same "
            "command goes on.",
            file=sys.stderr,
        )
        sys.exit(130)
    except DeltaError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    print(summary(json.loads((folder / f"{folder.name}.json").read_text(encoding="utf-8"))))
    print(f"\nPrepared {folder}")


def summary(preparation: dict[str, Any]) -> str:
    """A ``name.json`` in short: counts after each step and of the targets, expected cold share."""
    steps = tabulate(preparation["steps"], headers="keys", tablefmt="github", intfmt=",")
    targets = [{"targets": split, **counts} for split, counts in preparation["targets"].items()]
    tables = f"{steps}\n\n{tabulate(targets, headers='keys', tablefmt='github', intfmt=',')}"
    share = preparation["cold_share"]
    value = "unknown" if share["value"] is None else f"{share['value']:.4f}"
    return f"{tables}\n\nExpected share of cold targets: {value} ({share['how']})"


def _asked(given: argparse.Namespace) -> dict[str, Any]:
    """What the options ask of :func:`~dataset_prep.pipeline.prepare`."""
    chosen = {
        "cold": given.cold,
        "fraction": given.cold_fraction,
        "shots": given.shots,
        "quantile": given.quantile,
        "target": given.target,
        "validation": given.validation,
        "validation_users": given.validation_users,
    }
    if "seed" in signature(PROTOCOLS[given.protocol]).parameters:
        chosen["seed"] = given.seed
    return {
        "raw": given.raw,
        "download": given.download,
        "source_options": dict(_pairs(given.set)),
        "name": given.name,
        "filters": Filters(
            above=_bounds(given.above),
            users=given.users,
            seed=given.seed,
            drop_repeats=given.drop_repeats,
            core=given.core,
        ),
        "protocol": given.protocol,
        "protocol_options": {name: value for name, value in chosen.items() if value is not None},
        "content": ContentOptions(
            encoder=given.encoder,
            template=given.template,
            prefix=given.prefix,
            missing=given.missing,
            audio=given.audio,
            audio_options=AudioOptions(
                given.audio_encoder, given.rate, given.seconds, given.segments
            ),
            vectors=given.vectors,
            without_content=given.without_content,
            devices=given.devices,
            workers=given.workers,
        ),
    }


def _pairs(texts: list[str]) -> list[tuple[str, str]]:
    pairs = [text.partition("=") for text in texts]
    for text, (name, equals, _) in zip(texts, pairs):
        if not name or not equals:
            raise DeltaError(f"{text!r} should be NAME=VALUE.")
    return [(name, value) for name, _, value in pairs]


def _bounds(texts: list[str]) -> dict[str, float]:
    try:
        return {name: float(bound) for name, bound in _pairs(texts)}
    except ValueError as error:
        raise DeltaError(f"--above takes COLUMN=NUMBER: {error}.") from error


def _about(source: Source) -> str:
    options = ", ".join(source.options())
    return f"{source.about} (--set {options})" if options else source.about


def _parser() -> argparse.ArgumentParser:
    about = "\n".join(f"  {name}: {_about(each)}" for name, each in sorted(SOURCES.items()))
    parser = argparse.ArgumentParser(
        prog="python -m dataset_prep",
        description=__doc__,
        epilog=f"data sets:\n{about}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="NAME", help="raw format, see below")
    parser.add_argument("--raw", type=Path, help="folder of the raw files")
    parser.add_argument("--download", action="store_true", help="fetch the raw files first")
    parser.add_argument("--out", type=Path, default=Path("dataset"), help="folder of data sets")
    parser.add_argument("--name", help="name of the prepared data set (DATA-PROTOCOL)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                        help="an option of the raw format, such as category=Beauty")  # fmt: skip
    parser.add_argument("--above", action="append", default=[], metavar="COLUMN=BOUND",
                        help="keep rows strictly above a bound, such as rating=3")  # fmt: skip
    parser.add_argument("--users", type=int, help="number of users to draw")
    parser.add_argument(
        "--drop-repeats",
        action="store_true",
        help="keep one of consecutive equal rows",
    )
    parser.add_argument("--core", type=int, default=1, help="fewest rows of each user and item")
    parser.add_argument("--protocol", choices=list(PROTOCOLS), default="item_holdout")
    parser.add_argument("--seed", type=int, default=42, help="seed of the draws: users, split (42)")
    parser.add_argument(
        "--cold", choices=["newest", "random"], help="item_holdout: cold items (newest)"
    )
    parser.add_argument(
        "--cold-fraction", type=float, help="item_holdout: share of cold items, per split (0.1)"
    )
    parser.add_argument(
        "--shots", type=int, help="item_holdout: most training rows of each cold item (0)"
    )
    parser.add_argument("--quantile", type=float, help="global_time: share of rows before (0.9)")
    parser.add_argument("--target", choices=TARGETS, help="global_time: rows after it that test")
    parser.add_argument("--validation", choices=VALIDATIONS, help="global_time: what validates")
    parser.add_argument("--validation-users", type=int, help="global_time: how many (1024)")
    parser.add_argument("--encoder", help=f"text model, name or path ({DEFAULT_ENCODER})")
    parser.add_argument("--template", help="text of an item, fields in braces")
    parser.add_argument("--prefix", default="", help="text before every item's, such as 'query: '")
    parser.add_argument("--missing", default="", help="text for a field that an item lacks")
    parser.add_argument("--audio", type=Path, help="folder of audio files named by item id")
    audio = AudioOptions()
    parser.add_argument(
        "--audio-encoder", default=audio.encoder, help="mel, a torchaudio bundle, a model folder"
    )
    parser.add_argument("--rate", type=int, default=audio.rate, help="samples per second")
    parser.add_argument("--seconds", type=float, default=audio.seconds, help="length of a segment")
    parser.add_argument(
        "--segments", type=int, default=audio.segments, help="most segments per file"
    )
    parser.add_argument("--vectors", type=Path, help="ready: npy, safetensors, parquet, item")
    parser.add_argument(
        "--without-content",
        choices=WITHOUT_CONTENT,
        default="error",
        help="items without a text, a vector, or audio that can be decoded",
    )
    parser.add_argument("--devices", nargs="+", default=(), help="for the text encoder (every GPU)")
    parser.add_argument("--workers", type=int, help="threads that decode audio")
    return parser


if __name__ == "__main__":
    main()
