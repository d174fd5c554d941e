"""CORE over content vectors with a bounded delta."""

from recbole.model.sequential_recommender.core import CORE
from torch import Tensor, nn
from torch.nn import functional as F

from recbole_delta.model.backbone import ContentBackbone


class COREDelta(ContentBackbone, CORE):
    """RecBole's ``CORE`` (Hou et al., SIGIR 2022) with our item embedding."""

    def last_position(self, item_seq: Tensor, item_seq_len: Tensor) -> Tensor:
        """Sequence representation at the last position: unit vectors, over the temperature.

        Args:
            item_seq: ``[B, L]`` item ids, padded with 0 on the right.
            item_seq_len: ``[B]`` number of items of each sequence; not needed.

        Returns:
            ``[B, d]``.
        """
        return self.forward(item_seq) / self.temperature

    def output_item_vectors(self, rows: Tensor) -> Tensor:
        """Unit vectors ``[..., d]`` of item vectors, with CORE's dropout on items in training."""
        return F.normalize(self.item_dropout(rows), dim=-1)

    def init_id_table(self, table: nn.Embedding) -> None:
        """Give a table, in place, the uniform initial values that ``CORE`` has everywhere."""
        bound = table.embedding_dim**-0.5
        nn.init.uniform_(table.weight, -bound, bound)
