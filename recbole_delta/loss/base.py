"""The contract of a training loss: what it may ask for, and what it says it needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor, nn

from recbole_delta.embedding.base import ItemEmbedding


class ItemVectors:
    """Item vectors as the outputs of a backbone are multiplied by them, with their gradient.

    Args:
        embedding: the item embedding of the model.
        output_item_vectors: what the backbone makes of its rows before the product.
    """

    def __init__(
        self, embedding: ItemEmbedding, output_item_vectors: Callable[[Tensor], Tensor]
    ) -> None:
        self._embedding, self._output = embedding, output_item_vectors

    def all_warm(self) -> Tensor:
        """``[1 + n_warm, d]``: padding, which no softmax may choose, and every warm item."""
        return self._output(self._embedding.trained_rows())

    def of(self, ids: Tensor) -> Tensor:
        """``[n, d]`` vectors of ``ids`` ``[n]``."""
        return self._output(self._embedding(ids))


class TrainingLoss(nn.Module):
    """A loss over the warm items: the item that came next against the others.

    A new one subclasses this and is listed in :data:`recbole_delta.loss.LOSSES`; the setting
    ``loss``, every backbone, the optimizer and the contract suite take it from there.

    Args:
        train_count: ``[n_warm]`` int64 training rows of items 1, 2, ..., for one that draws
            negatives.
        options: settings of its own, an instance of :attr:`options`; None without any.

    Example:
        Binary cross entropy with one uniform negative a position (as SASRec's authors have it):

        >>> import torch
        >>> from torch.nn import functional as F
        >>> class BinaryCrossEntropy(TrainingLoss):
        ...     gradient_of_all_items = False
        ...     def __init__(self, train_count, options):
        ...         super().__init__(train_count, options)
        ...         self.n_warm = len(train_count)
        ...     def forward(self, hidden, target, items):
        ...         negative = torch.randint(1, self.n_warm + 1, target.shape)
        ...         positive = (hidden * items.of(target)).sum(1)
        ...         other = (hidden * items.of(negative)).sum(1)
        ...         return (F.softplus(-positive) + F.softplus(other)).mean()
        >>> from recbole_delta.embedding import IdEmbedding
        >>> items = ItemVectors(IdEmbedding(torch.zeros(5, 2)), lambda rows: rows)
        >>> loss = BinaryCrossEntropy(torch.tensor([3, 1, 1, 2]), None)
        >>> round(loss(torch.ones(3, 2), torch.tensor([1, 2, 3]), items).item(), 4)  # 2 log 2
        1.3863
    """

    gradient_of_all_items: ClassVar[bool]
    """Whether each step gives every warm item a gradient. Where not, a step that sees few items
    updates their rows only, if the optimizer is plain Adam."""
    needs_content: ClassVar[bool] = False
    """Whether :meth:`use_content` must be called before the first step."""
    options: ClassVar[type | None] = None
    """A frozen dataclass whose fields are its own settings, with defaults and checks."""

    def __init__(self, train_count: Tensor, options: Any) -> None:
        super().__init__()

    def use_content(self, content: Tensor) -> None:
        """Take what is needed of the items' content; nothing by default.

        Args:
            content: ``[n_warm, c]`` content vectors of items 1, 2, ... as they are prepared.
        """

    def forward(self, hidden: Tensor, target: Tensor, items: ItemVectors) -> Tensor:
        """Mean over the positions.

        Args:
            hidden: ``[N, d]`` outputs of the backbone.
            target: ``[N]`` int64 warm items that came next.
            items: their vectors, and those of all warm items.
        """
        raise NotImplementedError
