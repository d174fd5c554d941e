"""GRU4Rec over content vectors with a bounded delta."""

from recbole.model.sequential_recommender.gru4rec import GRU4Rec
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from recbole_delta.model.backbone import ContentBackbone


class GRU4RecDelta(ContentBackbone, GRU4Rec):
    """RecBole's ``GRU4Rec`` (Tan et al., DLRS 2016) with our item embedding."""

    causal = True

    def every_position(self, item_seq: Tensor) -> Tensor:
        """Sequence representation at every position: RecBole's results, no padding computed.

        Args:
            item_seq: ``[B, L]`` item ids, padded with 0 on the right; N items in all.

        Returns:
            ``[N, d]``, row by row.
        """
        inside = item_seq > 0
        ids = pack_padded_sequence(
            item_seq, inside.sum(1).cpu(), batch_first=True, enforce_sorted=False
        )
        output, _ = self.gru_layers(
            ids._replace(data=self.emb_dropout(self.item_embedding(ids.data)))
        )
        output = output._replace(data=self.dense(output.data))
        padded, _ = pad_packed_sequence(output, batch_first=True, total_length=item_seq.size(1))
        return padded[inside]
