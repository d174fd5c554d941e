"""GRU4Rec over content vectors with a bounded delta."""

import torch
from recbole.model.sequential_recommender.gru4rec import GRU4Rec
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from recbole_delta.compute.host_lengths import at_items, host_lengths
from recbole_delta.compute.transfer import to_device
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
        # Longest first, as cuDNN wants them; torch would do so too, but wait for the device.
        lengths, order = host_lengths(item_seq).sort(descending=True)
        order, back = to_device(torch.stack([order, order.argsort()]), item_seq.device)
        ids = pack_padded_sequence(item_seq[order], lengths, batch_first=True)
        output, _ = self.gru_layers(
            ids._replace(data=self.emb_dropout(self.item_embedding(ids.data)))
        )
        output = output._replace(data=self.dense(output.data))
        padded, _ = pad_packed_sequence(output, batch_first=True, total_length=item_seq.size(1))
        return at_items(padded[back], item_seq)
