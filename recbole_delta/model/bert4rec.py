"""BERT4Rec over content vectors with a bounded delta."""

from __future__ import annotations

from typing import Any

import torch
from recbole.data.interaction import Interaction
from recbole.model.sequential_recommender.bert4rec import BERT4Rec
from torch import Tensor, nn
from torch.nn import functional as F

from recbole_delta.compute.host_lengths import host_lengths
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.model.backbone import ContentBackbone


class BERT4RecDelta(ContentBackbone, BERT4Rec):
    """RecBole's ``BERT4Rec`` (Sun et al., CIKM 2019) with our item embedding.

    Different from RecBole's: windows are masked, as by its authors, instead of every prefix; the
    mask has a vector of its own outside the item table; there is no bias for each item, which a
    cold item could not have; and the mask that asks for the next item does not push the oldest
    item out of a history that has room for it.
    """

    takes_windows = True

    def __init__(self, config: Any, dataset: ColdWarmDataset) -> None:
        super().__init__(config, dataset)
        del self.output_bias
        mask = torch.empty(self.hidden_size).normal_(0.0, self.initializer_range)
        self.mask_embedding = nn.Parameter(mask)

    def examples(self, interaction: Interaction) -> tuple[Tensor, Tensor]:
        """Sequence representations at the masked items of the windows, and these items.

        A share ``mask_ratio`` of a window's items, its target included, is masked: at least one.

        Returns:
            representations ``[N, d]``, and targets ``[N]`` int64.
        """
        lengths = interaction[self.ITEM_SEQ_LEN]
        whole, end = self._with_next(interaction[self.ITEM_SEQ], lengths)
        whole = whole.scatter(1, end[:, None], interaction[self.POS_ITEM_ID][:, None])
        drawn = torch.rand(whole.shape, device=whole.device).masked_fill(whole == 0, 2.0)
        masked = drawn.argsort(1).argsort(1) < self._n_masked(lengths)[:, None]
        hidden = self._encode(whole, masked)
        if whole.device.type == "cpu":
            return hidden[masked], whole[masked]
        # The host knows how many they are, so that it need not wait for their places.
        n_masked = int(self._n_masked(host_lengths(interaction[self.ITEM_SEQ])).sum())
        place = (~masked).flatten().byte().argsort(stable=True)[:n_masked]
        return hidden.flatten(0, 1).index_select(0, place), whole.flatten().index_select(0, place)

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
        item_seq, end = self._with_next(item_seq, item_seq_len)
        masked = torch.arange(item_seq.size(1), device=end.device) == end[:, None]
        return self.gather_indexes(self._encode(item_seq, masked), end)

    def _with_next(self, item_seq: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Sequences with room for one more item, and its place ``[B]``.

        A sequence of full length loses its oldest item.
        """
        full = lengths >= self.max_seq_length
        item_seq = F.pad(item_seq, (0, 1))
        item_seq = torch.where(full[:, None], item_seq.roll(-1, 1), item_seq)
        # What was rolled round stands after the end.
        return item_seq[:, : self.max_seq_length], lengths.clamp(max=self.max_seq_length - 1)

    def _n_masked(self, lengths: Tensor) -> Tensor:
        items = (lengths + 1).clamp(max=self.max_seq_length)
        return (self.mask_ratio * items).long().clamp(min=1)

    def _encode(self, item_seq: Tensor, masked: Tensor) -> Tensor:
        """``BERT4Rec.forward`` of sequences ``[B, L]`` with the mask in place of some items."""
        vectors = self.item_embedding(item_seq.masked_fill(masked, 0))
        vectors = torch.where(masked[..., None], self.mask_embedding, vectors)
        hidden = vectors + self.position_embedding.weight[: item_seq.size(1)]
        hidden = self.dropout(self.LayerNorm(hidden))
        seen = (item_seq > 0) | masked
        attention = torch.where(seen[:, None, None, :], 0.0, -10000.0)
        hidden = self.trm_encoder(hidden, attention, output_all_encoded_layers=False)[-1]
        return self.output_ln(self.output_gelu(self.output_ffn(hidden)))
