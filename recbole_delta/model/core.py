"""CORE over content vectors with a bounded delta."""

from recbole.model.sequential_recommender.core import CORE
from torch import Tensor, nn
from torch.nn import functional as F

from recbole_delta.model.backbone import ContentBackbone


class COREDelta(ContentBackbone, CORE):
    """RecBole's ``CORE`` (Hou et al., SIGIR 2022) with our item embedding."""

    def last_position(self, item_seq: Tensor, item_seq_len: Tensor) -> Tensor:
        """Sequence representation ``[B, d]``: unit vectors, over the temperature."""
        return self.forward(item_seq) / self.temperature

    def output_item_vectors(self, rows: Tensor) -> Tensor:
        """Unit vectors; some of their numbers are dropped in training."""
        return F.normalize(self.item_dropout(rows), dim=-1)

    def init_id_table(self, table: nn.Embedding) -> None:
        """Uniform, as ``CORE`` has all its parameters."""
        bound = table.embedding_dim**-0.5
        nn.init.uniform_(table.weight, -bound, bound)
