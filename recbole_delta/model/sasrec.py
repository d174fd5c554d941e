"""SASRec over content vectors with a bounded delta."""

from typing import Any

from recbole.model.sequential_recommender.sasrec import SASRec
from torch import Tensor

from dataset_prep.errors import one_of
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.model.backbone import ContentBackbone
from recbole_delta.model.transformer.encoder import BLOCKS, add_gates, encode, encode_padded


class SASRecEncoder:
    """In front of a model over RecBole's ``SASRec``: its encoder, packed, in the chosen block.

    The setting ``block`` chooses how the layers are put together: as in RecBole (``recbole``), with
    the same weights as in its authors' code (``original``), or gated as in eSASRec (``ligr``).

    Args:
        config: a RecBole ``Config``.
        dataset: the training data.

    Raises:
        DeltaError: an unknown ``block``.
    """

    causal = True

    def __init__(self, config: Any, dataset: ColdWarmDataset) -> None:
        self.block = config["block"]
        one_of("block", self.block, tuple(BLOCKS))
        super().__init__(config, dataset)  # type: ignore[call-arg]  # of the classes behind it
        if self.block == "ligr":
            add_gates(self)

    def every_position(self, item_seq: Tensor) -> Tensor:
        """Sequence representation at every position: RecBole's results, no padding computed.

        Args:
            item_seq: ``[B, L]`` item ids, padded with 0 on the right; N items in all.

        Returns:
            ``[N, d]``, row by row.
        """
        return encode(self, item_seq)

    def forward(self, item_seq: Tensor, item_seq_len: Tensor) -> Tensor:
        """Sequence representation at the last position.

        Args:
            item_seq: ``[B, L]`` item ids, padded with 0 on the right.
            item_seq_len: ``[B]`` number of items of each sequence, at least 1.

        Returns:
            ``[B, d]``.
        """
        items = (item_seq > 0).sum(1).clamp(min=1)
        return encode(self, item_seq, items.cumsum(0) - items + item_seq_len - 1)

    def padded_last_position(self, item_seq: Tensor, item_seq_len: Tensor) -> Tensor:
        """Sequence representation ``[B, d]`` at the last position, in shapes that can be traced."""
        return encode_padded(self, item_seq, item_seq_len)


class SASRecDelta(SASRecEncoder, ContentBackbone, SASRec):
    """RecBole's ``SASRec`` (Kang & McAuley, ICDM 2018) with our item embedding.

    Its blocks are those of :class:`SASRecEncoder`.

    Args:
        config: a RecBole ``Config``.
        dataset: the training data.

    Raises:
        DeltaError: an unknown ``block``, a loss other than CE, a data set without prepared split,
            or bad content.
    """
