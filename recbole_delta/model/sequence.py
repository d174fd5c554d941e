"""What every sequential model of ours shares: at which positions it learns, and from what."""

from __future__ import annotations

from typing import Any

import torch
from recbole.data.interaction import Interaction
from torch import Tensor
from torch.nn import functional as F

from dataset_prep.errors import DeltaError
from recbole_delta.compute.host_lengths import at_items
from recbole_delta.data.dataset import ColdWarmDataset, train_positions
from recbole_delta.model.catalogue import WholeCatalogue


class SequenceBackbone(WholeCatalogue):
    """In front of a sequential RecBole model: it learns from every position of a history.

    How items are represented, trained on and scored is a subclass's:
    :class:`~recbole_delta.model.backbone.ContentBackbone` has the embeddings and losses of this
    package, :class:`~recbole_delta.model.rpg.RPG` semantic IDs. A model that does not declare
    itself ``causal`` learns from a prefix for each target, as in RecBole.

    Args:
        config: a RecBole ``Config``.
        dataset: the training data.

    Attributes:
        positions: where it learns, ``all`` or ``last``.

    Raises:
        DeltaError: a loss other than CE, or a data set without prepared split.
    """

    fixed_length = False

    def __init__(self, config: Any, dataset: ColdWarmDataset) -> None:
        if not isinstance(dataset, ColdWarmDataset):
            raise DeltaError(f"{type(self).__name__} needs a data set prepared with dataset_prep.")
        if config["loss_type"] != "CE":
            raise DeltaError(f"loss_type must be CE, but is {config['loss_type']!r}.")
        # Built over padding alone: the backbone's weights do not depend on the catalogue.
        super().__init__(config, dataset.with_items(1))
        self.n_items = dataset.item_num
        self.positions = train_positions(dataset.settings, type(self))

    def examples(self, interaction: Interaction) -> tuple[Tensor, Tensor]:
        """Sequence representations and the items that came next, of a training batch.

        With ``train_positions: all`` the item after each position is a target; with ``last``
        only the item after the sequence, as in RecBole.

        Returns:
            representations ``[N, d]``, and targets ``[N]`` int64.
        """
        item_seq = interaction[self.ITEM_SEQ]
        item_seq_len = interaction[self.ITEM_SEQ_LEN]
        target = interaction[self.POS_ITEM_ID]
        if self.positions == "all":
            target = at_items(next_items(item_seq, item_seq_len, target), item_seq)
            return self.every_position(item_seq), target
        return self.last_position(item_seq, item_seq_len), target

    def last_position(self, item_seq: Tensor, item_seq_len: Tensor) -> Tensor:
        """Sequence representation at the last position.

        Args:
            item_seq: ``[B, L]`` item ids, padded with 0 on the right.
            item_seq_len: ``[B]`` number of items of each sequence, at least 1.

        Returns:
            ``[B, d]``.
        """
        return self.forward(item_seq, item_seq_len)

    def every_position(self, item_seq: Tensor) -> Tensor:
        """Sequence representation at every position that holds an item.

        Args:
            item_seq: ``[B, L]`` item ids, padded with 0 on the right; N items in all.

        Returns:
            ``[N, d]``, row by row.
        """
        return at_items(self.forward(item_seq, _every_prefix(item_seq)), item_seq)

    def n_targets(self, interaction: Interaction) -> int:
        """Number of targets that :meth:`calculate_loss` averages over."""
        if self.positions == "all":
            return int((interaction[self.ITEM_SEQ] > 0).sum())
        return len(interaction)

    def gather_indexes(self, output: Tensor, gather_index: Tensor) -> Tensor:
        """RecBole's ``gather_indexes``, which also gives every position at once.

        Args:
            output: ``[B, L, d]`` the encoder's outputs.
            gather_index: ``[B]`` a position of each sequence, or ``[B, L]`` for all of them.

        Returns:
            ``[B, d]``, or ``output`` itself.
        """
        if gather_index.dim() == 2:
            return output
        return super().gather_indexes(output, gather_index)


def _every_prefix(item_seq: Tensor) -> Tensor:
    """Lengths of all prefixes, ``[B, L]``: an ``item_seq_len`` that asks for every position."""
    return torch.arange(1, item_seq.size(1) + 1, device=item_seq.device).expand_as(item_seq)


def next_items(item_seq: Tensor, item_seq_len: Tensor, last: Tensor) -> Tensor:
    """The item that comes after each position.

    Args:
        item_seq: ``[B, L]`` item ids, padded with 0 on the right.
        item_seq_len: ``[B]`` number of items of each sequence, at least 1.
        last: ``[B]`` the item that comes after the whole sequence.

    Returns:
        ``[B, L]``, 0 at padding.

    Example:
        >>> import torch
        >>> next_items(torch.tensor([[5, 6, 0]]), torch.tensor([2]), torch.tensor([7])).tolist()
        [[6, 7, 0]]
    """
    following = F.pad(item_seq[:, 1:], (0, 1))
    return following.scatter(1, (item_seq_len - 1)[:, None], last[:, None])
