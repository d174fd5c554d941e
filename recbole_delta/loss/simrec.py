"""The loss of SimRec: part of each target's weight goes to the items most like it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from dataset_prep.errors import number
from recbole_delta.embedding.neighbours import nearest
from recbole_delta.loss.base import ItemVectors, TrainingLoss
from recbole_delta.loss.exact import cross_entropy

MOST_SIMILAR = 100
"""Items that share a target's weight at most: those nearest to it."""


@dataclass(frozen=True)
class SimRecOptions:
    """Settings of ``loss: simrec``.

    Attributes:
        simrec_weight: λ, the part of the loss that looks at similar items; 0 is ``loss: ce``.
        simrec_threshold: cosine of two contents above which items are similar. SimRec's .9 is for
            the encoder that it has; the cosines of others lie elsewhere.
        simrec_temperature: of the softmax over the items and of that over their cosines.

    Raises:
        DeltaError: a weight outside 0 to 1, a threshold outside −1 to 1, or a temperature that is
            not positive.
    """

    simrec_weight: float = 0.3
    simrec_threshold: float = 0.9
    simrec_temperature: float = 0.5

    def __post_init__(self) -> None:
        number("simrec_weight", self.simrec_weight, 0.0, 1.0)
        number("simrec_threshold", self.simrec_threshold, -1.0, 1.0)
        number("simrec_temperature", self.simrec_temperature, 1e-3, 1e3)


class SimRecCrossEntropy(TrainingLoss):
    """``loss: simrec``: (1 − λ) cross entropy + λ cross entropy with the similar items as targets.

    SimRec (Brody & Lagziel, 2024, arXiv 2410.22136): the second part wants, instead of the item
    that came next, the softmax of the cosines between its content and that of all items above a
    threshold. Here the first part is the exact cross entropy, as in ``loss: ce``, where SimRec has
    one negative; λ is constant, as in its code; and only warm items are looked at, since the others
    are not known in training.

    Args:
        train_count: ``[n_warm]`` int64 training rows of items 1, 2, ...; only their number matters.
        options: λ, threshold and temperature.
    """

    gradient_of_all_items = True
    needs_content = True
    options = SimRecOptions
    similar: Tensor
    weight: Tensor

    def __init__(self, train_count: Tensor, options: SimRecOptions) -> None:
        super().__init__(train_count, options)
        self.settings = options

    def use_content(self, content: Tensor) -> None:
        """Find the items most like each warm item.

        Args:
            content: ``[n_warm, c]`` content of items 1, 2, ...
        """
        rows = F.normalize(content.float(), dim=1)
        cosine, similar = nearest(rows, rows, MOST_SIMILAR)
        # An item is similar to itself, whatever rounding says.
        is_similar = cosine >= cosine[:, :1].clamp(max=self.settings.simrec_threshold)
        scaled = (cosine / self.settings.simrec_temperature).masked_fill(~is_similar, -torch.inf)
        self.register_buffer("similar", similar, persistent=False)
        self.register_buffer("weight", scaled.softmax(1), persistent=False)

    def forward(self, hidden: Tensor, target: Tensor, items: ItemVectors) -> Tensor:
        """Mean over the positions, a scalar.

        Args:
            hidden: ``[N, d]`` sequence representations.
            target: ``[N]`` int64 warm items that came next.
            items: vectors of all warm items.
        """
        table = items.all_warm()
        share, cooled = self.settings.simrec_weight, hidden / self.settings.simrec_temperature
        index = target - 1
        weight = self.weight[index].to(table.dtype)
        wanted = F.embedding_bag(self.similar[index], table, per_sample_weights=weight, mode="sum")
        # Linear in the target: from the item that came next to the mean of those like it.
        moved = (cooled * (F.embedding(target, table) - wanted)).sum(1).mean()
        soft = cross_entropy(cooled, table, target) + moved
        return (1 - share) * cross_entropy(hidden, table, target) + share * soft
