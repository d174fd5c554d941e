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
from recbole_delta.evaluator.frontier_metrics import frontier_metrics
from recbole_delta.evaluator.group_ranks import Counts, GroupRanks, count_ranks
from recbole_delta.evaluator.inference import inference_mode, model_device
from recbole_delta.evaluator.metrics import group_masks, grouped_metrics
from recbole_delta.evaluator.ranking import TargetRanks
from recbole_delta.evaluator.scoring import (
    case_blocks,
    case_scores,
    drops_cold,
    scored_alike,
    shown_history,
)


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
    k = min(k, cases.item_num)  # nothing stands further down
    drops = {mode: drops_cold(model, mode.cold_history) for mode in modes}
    is_cold = cases.has_cold_target.numpy()
    device = model_device(model)
    groups, empty = {}, {}
    for drop in sorted(set(drops.values())):
        empty[drop] = (shown_history(cases, drop).lengths == 0).numpy()
        groups[drop] = GroupRanks.missed(is_cold, k)
        blocks = case_blocks(model, cases, drop, batch_size)[rank() :: world_size()]
        # Fresh memory for each block would take longer than the comparisons.
        most = max(map(len, blocks), default=0)
        scratch = torch.empty(most * cases.item_num, device=device)
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
