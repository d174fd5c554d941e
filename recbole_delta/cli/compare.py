"""Subcommands that compare: the demo, and a bench file."""

from __future__ import annotations

import argparse

from recbole_delta.bench.bench import bench
from recbole_delta.bench.demo import demo
from recbole_delta.model import BACKBONES


def _demo(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="recbole-delta demo")
    parser.add_argument("--out", default="demo")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42])
    parser.add_argument("--backbone", choices=BACKBONES, default="SASRecDelta")
    parser.add_argument("--cold", choices=["random", "newest"], default="random")
    demo(**vars(parser.parse_args(arguments)))


def _bench(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="recbole-delta bench")
    parser.add_argument("path", metavar="FILE.yaml")
    parser.add_argument("--out", help="folder for records and report; by default the file's")
    parser.add_argument("--workers", type=int, default=1, help="runs at a time on this machine")
    parser.add_argument("--cluster", metavar="ADDRESS", help="of a Dask scheduler that runs them")
    parser.add_argument("--data_path", help="folder of the prepared data sets, above the file's")
    parser.add_argument("--report-only", dest="train", action="store_false")
    out = bench(**vars(parser.parse_args(arguments)))
    for name, what in (
        ("report.html", "everything on one page"),
        ("report.md", "the same as Markdown"),
        ("tables", "Markdown, LaTeX, CSV"),
        ("figures", "PNG and SVG"),
    ):
        print(f"{out / name}: {what}")
    print(f"{out.parent / 'records'}: what each run has left")
