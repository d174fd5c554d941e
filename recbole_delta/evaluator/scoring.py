"""Scores of all items for the cases of a split, in blocks that stay in the cache."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from recbole_delta.compute.transfer import to_device
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.data.sequences import FlatSequences
from recbole_delta.evaluator.inference import cases_at_once, model_device


def scored_blocks(
    model: Any,
    cases: ColdWarmDataset,
    drop_cold: bool,
    batch_size: int,
    *,
    among: torch.Tensor | None = None,
    alike: bool = False,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The scores of the cases that have a history, a block of cases at a time.

    To be run in :func:`recbole_delta.evaluator.inference.inference_mode`.

    Args:
        model: a :class:`recbole_delta.model.contract.CatalogueModel` in evaluation mode.
        cases: a validation or test data set.
        drop_cold: whether cold items of a history are not shown to the model.
        batch_size: most sequences at a time.
        among: ``[n]`` bool, the cases that are wanted; all by default.
        alike: give items with one vector the same score to the last bit, so that ties are told.

    Yields:
        positions of B cases, and their scores as of :func:`case_scores`.
    """
    twins = scored_alike(model) if alike else None
    for index in case_blocks(model, cases, drop_cold, batch_size, among):
        yield index, case_scores(model, cases, index, drop_cold, twins)


def case_blocks(
    model: Any,
    cases: ColdWarmDataset,
    drop_cold: bool,
    batch_size: int,
    among: torch.Tensor | None = None,
) -> tuple[torch.Tensor, ...]:
    """Positions of the cases with a history that the model may see, a block each.

    Args:
        model: a :class:`recbole_delta.model.contract.CatalogueModel`.
        cases: a validation or test data set.
        drop_cold: whether cold items of a history are not shown to the model.
        batch_size: most cases of a block.
        among: ``[n]`` bool, the cases that are wanted; all by default.
    """
    wanted = shown_history(cases, drop_cold).lengths > 0
    seen = torch.nonzero(wanted if among is None else wanted & among).flatten()
    size = min(batch_size, cases_at_once(cases.item_num, model_device(model)))
    return seen.split(size) if len(seen) else ()


def drops_cold(model: Any, cold_history: str) -> bool:
    """Whether the model is not shown the cold items of a history: by a setting, or it knows none.

    Args:
        model: a :class:`recbole_delta.model.contract.CatalogueModel`.
        cold_history: ``keep`` or ``drop``, as set.
    """
    return cold_history == "drop" or not model.embeds_cold_items


def shown_history(cases: ColdWarmDataset, drop_cold: bool) -> FlatSequences:
    """The histories of all cases, as the model sees them.

    Args:
        cases: a validation or test data set.
        drop_cold: whether cold items are left out of them.
    """
    return cases.instances.warm_history if drop_cold else cases.instances.history


def scored_alike(model: Any) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Items that score as an earlier one in every case, and that one; None if it cannot be told.

    Args:
        model: a :class:`recbole_delta.model.contract.CatalogueModel`, whose offsets may keep items
            with one vector apart.
    """
    vectors = model.vectors_of_all()
    if vectors is None:
        return None
    if model.has_offsets:
        vectors = torch.cat([vectors, model.offsets(len(vectors)).to(vectors.device)], 1)
    return twin_items(vectors)


def twin_items(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Items whose vector is exactly that of an earlier item, and that earlier item, ``[n]`` ids."""
    # Rows that differ in column 0 cannot be equal: few are left to compare whole.
    _, group, size = torch.unique(weight[:, 0], return_inverse=True, return_counts=True)
    ids = torch.nonzero(size[group] > 1).flatten()
    _, group = torch.unique(weight[ids], dim=0, return_inverse=True)
    first = ids.new_full((len(ids),), len(weight)).scatter_reduce(0, group, ids, "amin")[group]
    later = first != ids
    return ids[later], first[later]


def case_scores(
    model: Any,
    cases: ColdWarmDataset,
    index: torch.Tensor,
    drop_cold: bool,
    twins: tuple[torch.Tensor, torch.Tensor] | None,
) -> torch.Tensor:
    """Scores ``[B, n_items]``, −inf for items without a vector and, if set, of the history.

    Args:
        model: a :class:`recbole_delta.model.contract.CatalogueModel` in evaluation mode.
        cases: a validation or test data set.
        index: ``[B]`` positions of cases.
        drop_cold: whether cold items of a history are not shown to the model.
        twins: what :func:`scored_alike` says of the model; None where ties do not matter.
    """
    device = model_device(model)
    interaction = cases.batch(index, drop_cold=drop_cold).to(device)
    scores = model.full_sort_predict(interaction)
    if twins is not None:
        # The same product in another column of a small matrix may differ in its last bit,
        # which would break a tie by item id.
        later, first = twins
        scores[:, later] = scores[:, first]
    if cases.settings.mask_history:
        # The whole history, not only what the model saw of it.
        row, item = cases.instances.history.flat(index)
        scores[to_device(row, device), to_device(item, device)] = -torch.inf
    return scores
