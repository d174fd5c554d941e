"""SASRec over content vectors with a bounded delta."""

from typing import Any

from recbole.model.sequential_recommender.sasrec import SASRec
from torch import Tensor

from dataset_prep.errors import one_of
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.model.backbone import ContentBackbone
from recbole_delta.model.transformer.encoder import BLOCKS, encode, encode_padded


class SASRecDelta(ContentBackbone, SASRec):
    """RecBole's ``SASRec`` (Kang & McAuley, ICDM 2018) with our item embedding.

    The setting ``block`` chooses how its layers are put together, with the same weights.
    """

    causal = True

    def __init__(self, config: Any, dataset: ColdWarmDataset) -> None:
        self.block = config["block"]
        one_of("block", self.block, tuple(BLOCKS))
        super().__init__(config, dataset)

    def every_position(self, item_seq: Tensor) -> Tensor:
        """RecBole's weights and results, without computing padding."""
        return encode(self, item_seq)

    def forward(self, item_seq: Tensor, item_seq_len: Tensor) -> Tensor:
        """Outputs ``[B, d]`` at the last items of sequences ``[B, L]`` of lengths ``[B]``."""
        items = (item_seq > 0).sum(1).clamp(min=1)
        return encode(self, item_seq, items.cumsum(0) - items + item_seq_len - 1)

    def padded_last_position(self, item_seq: Tensor, item_seq_len: Tensor) -> Tensor:
        """See :meth:`ContentBackbone.padded_last_position`."""
        return encode_padded(self, item_seq, item_seq_len)
