"""Subcommands that compare: the demo, and a bench file."""

from __future__ import annotations

from argparse import Namespace

import torch

from dataset_prep.errors import one_of
from recbole_delta.bench.bench import bench
from recbole_delta.bench.demo import demo
from recbole_delta.model import BACKBONES


def run_demo(given: Namespace) -> None:
    """Run the demo."""
    one_of("--backbone", given.backbone, BACKBONES)
    torch.set_num_threads(1)  # as in a bench: in models so small, threads wait for each other
    demo(**vars(given))


def run_bench(given: Namespace) -> None:
    """Do the runs of a bench file, and say where the report is."""
    out = bench(
        given.path,
        given.out,
        data_path=given.data_path,
        workers=given.workers,
        cluster=given.cluster,
        train=given.train,
    )
    for name, what in (
        ("report.html", "everything on one page"),
        ("report.md", "the same as Markdown"),
        ("tables", "Markdown, LaTeX, CSV"),
        ("figures", "PNG and SVG"),
    ):
        print(f"{out / name}: {what}")
    print(f"{out.parent / 'records'}: what each run has left")
