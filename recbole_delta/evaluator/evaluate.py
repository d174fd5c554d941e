"""Ranks of the targets of a split, in the four modes of the paper, from one pass per history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from recbole_delta.compute.distributed import rank, world_size
from recbole_delta.compute.transfer import to_device
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.data.sequences import FlatSequences
from recbole_delta.evaluator.frontier_metrics import frontier_metrics
from recbole_delta.evaluator.group_ranks import Counts, GroupRanks, count_ranks
from recbole_delta.evaluator.inference import cases_at_once, inference_mode, model_device
from recbole_delta.evaluator.metrics import group_masks, grouped_metrics
from recbole_delta.evaluator.ranking import TargetRanks


@dataclass(frozen=True)
class Mode:
    """What is recommended, and what the model sees of the history.

    Attributes:
        candidates: ``all`` items or ``warm`` ones only.
        cold_history: ``keep`` or ``drop`` cold items in the history.
    """

    candidates: str
    cold_history: str


MODES = tuple(Mode(c, h) for c in ("all", "warm") for h in ("keep", "drop"))
"""The four modes of the paper."""


@dataclass(frozen=True)
class Evaluation:
    """Ranks of every case of a split in one mode.

    Attributes:
        split: ``valid`` or ``test``.
        mode: candidates and history that the settings ask for.
        embeds_cold_items: False where the model has no vectors for cold items: they are then
            neither recommended nor shown to it, whatever the mode.
        ranks: ranks of ``n`` targets.
        is_cold: ``[n]`` bool, whether the target is cold.
        empty_history: ``[n]`` bool, cases without a history that the model could see; misses.
        groups: ranks among warm and among cold candidates apart, whatever the mode's candidates.
    """

    split: str
    mode: Mode
    embeds_cold_items: bool
    ranks: TargetRanks
    is_cold: np.ndarray
    empty_history: np.ndarray
    groups: GroupRanks

    def metrics(self, metrics: Sequence[str], topk: Sequence[int]) -> dict[str, float]:
        """Mean of each metric at each k over cold, warm and all cases (``ndcg_cold@10``, ...).

        Where all items are candidates and there are cold and warm targets, those of the frontier
        follow: ``ndcg_within_cold@10``, ``ndcg_within_warm@10``, ``ndcg_best@10`` and
        ``ndcg_area@10``, of which a model without vectors for cold items has the second alone.

        Args:
            metrics: names in :data:`recbole_delta.evaluator.metrics.GAINS`.
            topk: values of k, from 1 to the largest that the targets were ranked for.

        Returns:
            values by key, unrounded, from 0 to 1.
        """
        found = grouped_metrics(self.ranks, self.is_cold, metrics, topk)
        if self.mode.candidates == "all":
            found |= frontier_metrics(
                self.groups, metrics, topk, embeds_cold_items=self.embeds_cold_items
            )
        return found

    def as_json(self, metrics: Sequence[str], topk: Sequence[int]) -> dict[str, Any]:
        """The evaluation as JSON values: mode, counts of cases and empty histories, metrics.

        Args:
            metrics: names in :data:`recbole_delta.evaluator.metrics.GAINS`.
            topk: values of k, at least 1.
        """
        groups = group_masks(self.is_cold).items()
        return {
            "split": self.split,
            "candidates": self.mode.candidates,
            "cold_history": self.mode.cold_history,
            "embeds_cold_items": self.embeds_cold_items,
            "cases": {group: int(mask.sum()) for group, mask in groups},
            "empty_history": {g: int((mask & self.empty_history).sum()) for g, mask in groups},
            "metrics": self.metrics(metrics, topk),
        }


def evaluate_modes(
    model: Any,
    cases: ColdWarmDataset,
    modes: Sequence[Mode],
    *,
    batch_size: int,
    k: int = 10,
    show_progress: bool = False,
) -> list[Evaluation]:
    """Rank every target of ``cases`` in each of ``modes``.

    Args:
        model: a :class:`recbole_delta.model.contract.CatalogueModel`; afterwards it is in
            evaluation mode.
        cases: a validation or test data set.
        modes: what to evaluate, with one forward pass for each kind of history.
        batch_size: most sequences at a time.
        k: the largest k of any metric, for the frontier.
        show_progress: show a bar.

    Returns:
        an evaluation for each of ``modes``.

    Raises:
        DeltaError: the model's scores are NaN.

    Example:
        >>> import recbole_delta
        >>> from recbole_delta.quick_start.example import example_data
        >>> result = recbole_delta.run("ContentMean", "example", settings=example_data())
        >>> *_, model, _, _, _, test = recbole_delta.load_run(result.checkpoint)
        >>> [found] = evaluate_modes(model, test.dataset, [Mode("all", "keep")], batch_size=256)
        >>> metrics = found.metrics(["ndcg"], [10])
        >>> list(metrics)  # doctest: +NORMALIZE_WHITESPACE
        ['ndcg@10', 'ndcg_cold@10', 'ndcg_warm@10',
         'ndcg_within_cold@10', 'ndcg_within_warm@10', 'ndcg_best@10', 'ndcg_area@10']
        >>> metrics["ndcg@10"] == result.test_result["ndcg@10"]
        True
    """
    model.eval()
    with inference_mode(model):
        return _evaluate(model, cases, modes, batch_size, k, show_progress)


def _evaluate(
    model: Any,
    cases: ColdWarmDataset,
    modes: Sequence[Mode],
    batch_size: int,
    k: int,
    show_progress: bool,
) -> list[Evaluation]:
    embeds_cold, twins = model.embeds_cold_items, scored_alike(model)
    drops = {mode: mode.cold_history == "drop" or not embeds_cold for mode in modes}
    is_cold = cases.has_cold_target.numpy()
    device = model_device(model)
    step = min(batch_size, cases_at_once(cases.item_num, device))
    # Fresh memory for each block would take longer than the comparisons.
    scratch = torch.empty(step * cases.item_num, device=device)
    groups, empty = {}, {}
    for drop in sorted(set(drops.values())):
        empty[drop] = (_shown(cases, drop).lengths == 0).numpy()
        groups[drop] = GroupRanks.missed(is_cold, k)
        blocks = with_history(cases, drop, step)[rank() :: world_size()]
        found: list[Counts] = []
        for index in tqdm(blocks, "Evaluate", disable=None if show_progress else True, leave=False):
            scores = case_scores(model, cases, index, drop, twins)
            target = to_device(cases.instances.target[index], device)
            found.append(count_ranks(scores, target, cases.n_warm, k, scratch))
        if blocks:  # the host waits for the device once
            groups[drop].put(torch.cat(blocks).numpy(), GroupRanks.counted(found))
        groups[drop].share(device)
    split = cases.instances.split
    return [
        Evaluation(
            split,
            mode,
            embeds_cold,
            groups[drops[mode]].among(mode.candidates),
            is_cold,
            empty[drops[mode]],
            groups[drops[mode]],
        )
        for mode in modes
    ]


def with_history(cases: ColdWarmDataset, drop_cold: bool, size: int) -> tuple[torch.Tensor, ...]:
    """Positions of the cases with a history that the model may see, in blocks of at most ``size``.

    Args:
        cases: a validation or test data set.
        drop_cold: whether cold items of a history are not shown.
        size: most cases of a block.
    """
    seen = torch.nonzero(_shown(cases, drop_cold).lengths).flatten()
    return seen.split(size) if len(seen) else ()


def _shown(cases: ColdWarmDataset, drop_cold: bool) -> FlatSequences:
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
        vectors = torch.cat([vectors, model.offsets(len(vectors)).to(vectors.device)[:, None]], 1)
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
    """Scores ``[B, n_items]``, −inf for items without a vector and, if set, of the history."""
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
