"""SASRec as one writes it in plain PyTorch, and as the paper's official code trains it.

A loss at every position; batches padded to their longest sequence; logits over all items at every
position, padding too, where the loss ignores them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PlainSASRec(nn.Module):
    """``nn.TransformerEncoder`` over an ``nn.Embedding``; item 0 is padding."""

    def __init__(
        self, n_items: int, dim: int, length: int, layers: int, heads: int, inner: int
    ) -> None:
        super().__init__()
        self.items = nn.Embedding(n_items, dim, padding_idx=0)
        self.positions = nn.Embedding(length, dim)
        self.dropout = nn.Dropout(0.3)
        layer = nn.TransformerEncoderLayer(dim, heads, inner, 0.3, "gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

    def forward(self, item_seq: Tensor, target: Tensor) -> Tensor:
        """Mean loss of sequences ``[B, L]`` with the target after each position, 0 where none."""
        length = item_seq.size(1)
        hidden = self.dropout(self.items(item_seq) + self.positions.weight[:length])
        future = nn.Transformer.generate_square_subsequent_mask(length, item_seq.device).isinf()
        hidden = self.encoder(hidden, mask=future, is_causal=True)
        logits = hidden @ self.items.weight.T
        return F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=0)


def steps(model: PlainSASRec, batches: list[tuple[Tensor, Tensor]]) -> None:
    """One optimizer step a batch."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for item_seq, target in batches:
        optimizer.zero_grad()
        model(item_seq, target).backward()
        optimizer.step()
