"""Content vectors: missing, empty, or one vector for several items."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch

from dataset_prep.format.content import read_content
from recbole_delta.audit.finding import FAULT, NOTE, Finding, some
from recbole_delta.audit.prepared import PreparedRows
from recbole_delta.evaluator.scoring import twin_items


def content(rows: PreparedRows) -> Iterator[Finding]:
    """What is wrong with the content files of a data set, and which items they cannot tell apart.

    Args:
        rows: rows of a prepared data set.

    Raises:
        DeltaError: a content file cannot be read.
    """
    name = rows.folder.resolve().name
    files = sorted(rows.folder.glob(f"{name}.content.*.safetensors"))
    if not files:
        yield Finding(NOTE, "no content", "There is no content file, so none was checked.", 0)
    for file in files:
        table = read_content(file)
        tokens = pd.Index(table.tokens)
        kept = np.flatnonzero(~tokens.duplicated())
        at = tokens[kept].get_indexer(pd.Index(rows.items))
        again = np.flatnonzero(tokens.duplicated())
        first = kept[tokens[kept].get_indexer(tokens[again])]
        other = (table.vectors[again] != table.vectors[first]).any(axis=1)
        missing = at < 0
        vectors = table.vectors[kept[at[~missing]]]
        items = rows.items[~missing]
        empty = ~(np.isfinite(vectors).all(axis=1) & vectors.any(axis=1))
        for check, found, sentence in (
            ("items without a vector", rows.items[missing], "{} items have no vector in {}."),
            ("empty vectors", items[empty], "{} items have a vector of zeros, or one that is not "
             "finite, in {}."),
            ("several vectors for one item", tokens[again[other]], "{} vectors of {} differ "
             "from another that it has for the same item."),
        ):  # fmt: skip
            if len(found):
                yield Finding(
                    FAULT,
                    check,
                    sentence.format(f"{len(found):,}", file.name),
                    len(found),
                    some(f"item {token}" for token in found),
                )
        cold = rows.train_count[~missing][~empty] == 0
        yield from _twins(vectors[~empty], items[~empty], cold, file.name)


def _twins(
    vectors: np.ndarray, items: np.ndarray, cold: np.ndarray, file: str
) -> Iterator[Finding]:
    """Items whose vector is exactly that of another item; ``[n]`` each."""
    group = np.arange(len(vectors))
    later, earlier = (each.numpy() for each in twin_items(torch.from_numpy(vectors)))
    group[later] = earlier
    size = np.bincount(group, minlength=len(group))[group]
    with_warm = np.bincount(group[~cold], minlength=len(group))[group] > 0
    shared, near = size > 1, cold & with_warm
    if shared.any():
        yield Finding(
            NOTE,
            "shared vectors",
            f"{shared.sum():,} of {len(items):,} items share their vector in {file} with another: "
            "content alone cannot tell them apart, so they tie.",
            int(shared.sum()),
            some(f"item {token}" for token in items[shared]),
        )
    if near.any():
        yield Finding(
            NOTE,
            "cold items with a warm twin",
            f"{near.sum():,} of {cold.sum():,} cold items have exactly the vector of a warm item "
            f"in {file} (a near-leak: a re-edition is not a cold start).",
            int(near.sum()),
            some(f"item {token}" for token in items[near]),
        )
