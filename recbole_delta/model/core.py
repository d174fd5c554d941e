"""CORE over content vectors with a bounded delta."""

from recbole.model.sequential_recommender.core import CORE
from torch import Tensor, nn
from torch.nn import functional as F

from recbole_delta.model.backbone import ContentBackbone
from recbole_delta.model.transformer.encoder import RecBoleBlock, outputs
from recbole_delta.model.transformer.packed import PackedBatch


class COREDelta(ContentBackbone, CORE):
    """RecBole's ``CORE`` (Hou et al., SIGIR 2022) with our item embedding.

    A session is a mean of its items' vectors, weighted by a softmax of what a transformer says of
    each. Its attention sees no later item, so every prefix of a history is such a mean of what is
    computed once.
    """

    causal = True

    def every_position(self, item_seq: Tensor) -> Tensor:
        """Sequence representation at every position: unit vectors, over the temperature.

        Args:
            item_seq: ``[B, L]`` item ids, padded with 0 on the right; N items in all.

        Returns:
            ``[N, d]``, row by row.
        """
        batch = PackedBatch(item_seq, self.max_seq_length)
        return F.embedding(batch.back, self._sessions(batch))

    def last_position(self, item_seq: Tensor, item_seq_len: Tensor) -> Tensor:
        """Sequence representation at the last position: unit vectors, over the temperature.

        Args:
            item_seq: ``[B, L]`` item ids, padded with 0 on the right.
            item_seq_len: ``[B]`` number of items of each sequence; not needed.

        Returns:
            ``[B, d]``.
        """
        batch = PackedBatch(item_seq, self.max_seq_length)
        items = (item_seq > 0).sum(1).clamp(min=1)
        return F.embedding(batch.back[items.cumsum(0) - 1], self._sessions(batch))

    def padded_last_position(self, item_seq: Tensor, item_seq_len: Tensor) -> Tensor:
        """Sequence representation ``[B, d]`` at the last position, in shapes that can be traced."""
        return self.forward(item_seq) / self.temperature

    def _sessions(self, batch: PackedBatch) -> Tensor:
        """The session up to each item of a batch, ``[R W, d]``."""
        items = self.sess_dropout(self.item_embedding(batch.items))
        weight = batch.mask
        if self.dnn_type == "trm":
            said = self.net.fn(outputs(self.net, RecBoleBlock, items, batch, None))
            weight = weight + said.view(len(weight), 1, -1)
        rows = items.view(len(weight), -1, items.size(1))
        mean = weight.softmax(2).to(rows.dtype) @ rows
        return F.normalize(mean.flatten(0, 1), dim=-1) / self.temperature

    def output_item_vectors(self, rows: Tensor) -> Tensor:
        """Unit vectors ``[..., d]`` of item vectors, with CORE's dropout on items in training."""
        return F.normalize(self.item_dropout(rows), dim=-1)

    def init_id_table(self, table: nn.Embedding) -> None:
        """Give a table, in place, the uniform initial values that ``CORE`` has everywhere."""
        bound = table.embedding_dim**-0.5
        nn.init.uniform_(table.weight, -bound, bound)
