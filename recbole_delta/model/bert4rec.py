"""BERT4Rec over content vectors with a bounded delta."""

from __future__ import annotations

from typing import Any

import torch
from recbole.data.interaction import Interaction
from recbole.model.sequential_recommender.bert4rec import BERT4Rec
from torch import Tensor, nn
from torch.nn import functional as F

from dataset_prep.errors import one_of
from recbole_delta.compute.host_lengths import at_items, host_lengths, remember_lengths
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.model.backbone import ContentBackbone
from recbole_delta.model.transformer.encoder import RecBoleBlock, outputs, outputs_at
from recbole_delta.model.transformer.packed import PackedBatch
from recbole_delta.model.transformer.padded import PaddedBatch


class BERT4RecDelta(ContentBackbone, BERT4Rec):
    """RecBole's ``BERT4Rec`` (Sun et al., CIKM 2019) with our item embedding.

    Different from RecBole's: windows are masked, as by its authors, instead of every prefix; the
    mask has a vector of its own outside the item table; there is no bias for each item, which a
    cold item could not have; and the mask that asks for the next item does not push the oldest
    item out of a history that has room for it.

    Between encoder and scores RecBole has a linear layer and GELU, as the paper, and LayerNorm.
    Other codes score the encoder's own outputs, as ``output_layers: False`` does.

    Args:
        config: a RecBole ``Config``.
        dataset: the training data.

    Raises:
        DeltaError: ``output_layers`` that is neither True nor False.
    """

    takes_windows = True

    def __init__(self, config: Any, dataset: ColdWarmDataset) -> None:
        one_of("output_layers", config["output_layers"], (True, False))
        super().__init__(config, dataset)
        self.block: type[RecBoleBlock] = MaskedBlock
        if not config["output_layers"]:
            self.block = RecBoleBlock
            del self.output_ffn, self.output_gelu, self.output_ln
        del self.output_bias
        mask = torch.empty(self.hidden_size).normal_(0.0, self.initializer_range)
        self.mask_embedding = nn.Parameter(mask)

    def examples(self, interaction: Interaction) -> tuple[Tensor, Tensor]:
        """Sequence representations at the masked items of the windows, and these items.

        A share ``mask_ratio`` of a window's items, its target included, is masked: at least one.

        Returns:
            representations ``[N, d]``, and targets ``[N]`` int64.
        """
        item_seq = interaction[self.ITEM_SEQ]
        whole, _ = self._with_next(item_seq, interaction[self.POS_ITEM_ID])
        drawn = torch.rand(whole.shape, device=whole.device).masked_fill(whole == 0, 2.0)
        n_masked = self._n_masked(interaction[self.ITEM_SEQ_LEN])
        masked = drawn.argsort(1).argsort(1) < n_masked[:, None]
        is_masked = at_items(masked, whole)
        if whole.device.type == "cpu":
            place = torch.nonzero(is_masked).flatten()
        else:
            # The host knows how many they are, so that it need not wait for their places.
            n = int(self._n_masked(host_lengths(item_seq)).sum())
            place = (~is_masked).byte().argsort(stable=True)[:n]
        batch = PackedBatch(whole, self.max_seq_length, causal=False)
        vectors, wanted = self._vectors(batch, masked), batch.back[place]
        return outputs_at(self, self.block, vectors, batch, wanted), batch.items[wanted]

    def n_targets(self, interaction: Interaction) -> int:
        """Number of items that :meth:`examples` masks."""
        return int(self._n_masked(interaction[self.ITEM_SEQ_LEN]).sum())

    def last_position(self, item_seq: Tensor, item_seq_len: Tensor) -> Tensor:
        """Sequence representation at a mask that stands after the last item.

        Args:
            item_seq: ``[B, L]`` item ids, padded with 0 on the right.
            item_seq_len: ``[B]`` number of items of each sequence.

        Returns:
            ``[B, d]``.
        """
        whole, end = self._with_mask(item_seq)
        batch = PackedBatch(whole, self.max_seq_length, causal=False)
        vectors = self._vectors(batch, _is_at(end, whole))
        wanted = batch.back[(end + 1).cumsum(0) - 1]
        return outputs_at(self, self.block, vectors, batch, wanted)

    def padded_last_position(self, item_seq: Tensor, item_seq_len: Tensor) -> Tensor:
        """Sequence representation ``[B, d]`` at the mask, in shapes that can be traced."""
        whole, end = self._with_mask(item_seq)
        batch = PaddedBatch(whole, causal=False)
        start = torch.arange(whole.size(0), device=whole.device) * whole.size(1)
        vectors = self._vectors(batch, _is_at(end, whole))
        return outputs(self, self.block, vectors, batch, start + end)

    def _with_mask(self, item_seq: Tensor) -> tuple[Tensor, Tensor]:
        """:meth:`_with_next` where the next item is not known, and masked whatever it is."""
        return self._with_next(item_seq, item_seq.new_ones(item_seq.size(0)))

    def _with_next(self, item_seq: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        """Sequences ``[B, L + 1]`` with the ``following`` item ``[B]`` too, and its place ``[B]``.

        A sequence of full length loses its oldest item.
        """
        lengths = (item_seq > 0).sum(1)
        full = lengths >= self.max_seq_length
        longer = F.pad(item_seq, (0, 1))
        longer = torch.where(full[:, None], longer.roll(-1, 1), longer)[:, : self.max_seq_length]
        end = lengths.clamp(max=self.max_seq_length - 1)
        whole = longer.scatter(1, end[:, None], following[:, None])
        if whole.device.type != "cpu":
            known = (host_lengths(item_seq) + 1).clamp(max=self.max_seq_length)
            remember_lengths(whole, known)
        return whole, end

    def _n_masked(self, lengths: Tensor) -> Tensor:
        items = (lengths + 1).clamp(max=self.max_seq_length)
        return (self.mask_ratio * items).long().clamp(min=1)

    def _vectors(self, batch: PackedBatch | PaddedBatch, masked: Tensor) -> Tensor:
        """Vectors of a batch's items, with the mask's in place of the ``masked`` ``[B, L]``."""
        hidden = batch.spread(masked)
        vectors = self.item_embedding(batch.items.masked_fill(hidden, 0))
        return torch.where(hidden[:, None], self.mask_embedding, vectors)


class MaskedBlock(RecBoleBlock):
    """RecBole's layers with what ``BERT4Rec.forward`` has after them."""

    @staticmethod
    def end(model: Any, hidden: Tensor) -> Tensor:
        """Outputs ``[n, d]`` of the encoder from those of the last layer."""
        return model.output_ln(model.output_gelu(model.output_ffn(hidden)))


def _is_at(place: Tensor, item_seq: Tensor) -> Tensor:
    """``[B, L]`` bool, whether a place of ``item_seq`` ``[B, L]`` is that of its row ``[B]``."""
    return torch.arange(item_seq.size(1), device=place.device) == place[:, None]
