"""The transformer encoder of RecBole's SASRec, packed or padded, in three kinds of block."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recbole_delta.compute.dropout import drop_
from recbole_delta.compute.matmul import ROWS
from recbole_delta.model.transformer.packed import PackedBatch, attention
from recbole_delta.model.transformer.padded import PaddedBatch

Batch = PackedBatch | PaddedBatch


def encode(model: Any, item_seq: Tensor, chosen: Tensor | None = None) -> Tensor:
    """Sequence representations of RecBole's ``SASRec`` at every position, or at chosen ones.

    They are what ``SASRec.forward`` computes before it gathers the last position, but padding is
    not computed.

    Args:
        model: a ``SASRec`` with an attribute ``block``, one of :data:`BLOCKS`.
        item_seq: ``[B, L]`` item ids, padded with 0 on the right; N items in all.
        chosen: ``[n]`` positions in the N items, counted row by row; all by default.

    Returns:
        ``[n, d]`` (``[N, d]`` by default).
    """
    batch = PackedBatch(item_seq, model.position_embedding.num_embeddings)
    block, items = BLOCKS[model.block], model.item_embedding(batch.items)
    if chosen is None:
        return F.embedding(batch.back, outputs(model, block, items, batch, None))
    return outputs_at(model, block, items, batch, batch.back[chosen])


def encode_padded(model: Any, item_seq: Tensor, item_seq_len: Tensor) -> Tensor:
    """Sequence representation of RecBole's ``SASRec`` at the last position, traceable for ONNX.

    Its shapes depend on no data; padding is computed.

    Args:
        model: a ``SASRec`` with an attribute ``block``, one of :data:`BLOCKS`.
        item_seq: ``[B, L]`` item ids, padded with 0 on the right.
        item_seq_len: ``[B]`` number of items of each sequence, at least 1.

    Returns:
        ``[B, d]``.
    """
    size, width = item_seq.shape
    start = torch.arange(size, device=item_seq.device) * width
    batch, block = PaddedBatch(item_seq), BLOCKS[model.block]
    items = model.item_embedding(batch.items)
    return outputs(model, block, items, batch, start + item_seq_len - 1)


def outputs_at(model: Any, block: Any, items: Tensor, batch: Batch, wanted: Tensor) -> Tensor:
    """:func:`outputs` at ``wanted`` items, in numbers of rows that multiply quickly."""
    size = len(wanted)
    return outputs(model, block, items, batch, F.pad(wanted, (0, -size % ROWS)))[:size]


def outputs(model: Any, block: Any, items: Tensor, batch: Batch, wanted: Tensor | None) -> Tensor:
    """Outputs of a transformer with RecBole's layers.

    Args:
        model: has ``position_embedding``, ``trm_encoder``, and what ``block`` takes.
        block: how its layers are put together, such as :class:`RecBoleBlock`.
        items: ``[M, d]`` vectors of the M items of the batch.
        batch: the sequences.
        wanted: ``[n]`` places in the batch; None for all.

    Returns:
        ``[n, d]``, or ``[M, d]``.
    """
    hidden = block.begin(model, items, model.position_embedding(batch.position))
    *layers, last = model.trm_encoder.layer
    for layer in layers:
        hidden = block.layer(layer, hidden, batch, None)
    # Nothing attends to the last layer's outputs: those that nobody wants are left out.
    return block.end(model, block.layer(last, hidden, batch, wanted))


class RecBoleBlock:
    """RecBole's ``TransformerLayer``, post-norm as in BERT: each part, its residual, LayerNorm.

    A block is three functions over the weights of RecBole's layers, for M items of a batch.
    """

    @staticmethod
    def begin(model: Any, items: Tensor, positions: Tensor) -> Tensor:
        """Inputs ``[M, d]`` of the first layer, from vectors of items and positions ``[M, d]``."""
        return drop_(model.dropout, model.LayerNorm(positions.add_(items)))

    @staticmethod
    def layer(layer: Any, hidden: Tensor, batch: Batch, wanted: Tensor | None) -> Tensor:
        """Outputs ``[M, d]`` of a layer, or ``[n, d]`` for the ``wanted`` ``[n]`` items only."""
        part, forward = layer.multi_head_attention, layer.feed_forward
        context, hidden = _attend(part, hidden, hidden, batch, wanted)
        hidden = part.LayerNorm(_added(drop_(part.out_dropout, context), hidden))
        inner = forward.dense_2(_activation(forward)(forward.dense_1(hidden)))
        return forward.LayerNorm(_added(drop_(forward.dropout, inner), hidden))

    @staticmethod
    def end(model: Any, hidden: Tensor) -> Tensor:
        """Outputs ``[n, d]`` of the encoder from those of the last layer."""
        return hidden


class OriginalBlock:
    """The block of SASRec's own code (Kang & McAuley 2018), which the paper's code has too.

    Items are scaled by √d, the queries of a layer and the inputs of its feed-forward part are
    normalised beforehand, and the outputs of the encoder once more.
    """

    @staticmethod
    def begin(model: Any, items: Tensor, positions: Tensor) -> Tensor:
        """Inputs ``[M, d]`` of the first layer, from vectors of items and positions ``[M, d]``."""
        return drop_(model.dropout, positions.add_(items, alpha=items.size(1) ** 0.5))

    @staticmethod
    def layer(layer: Any, hidden: Tensor, batch: Batch, wanted: Tensor | None) -> Tensor:
        """Outputs ``[M, d]`` of a layer, or ``[n, d]`` for the ``wanted`` ``[n]`` items only."""
        part, forward = layer.multi_head_attention, layer.feed_forward
        normal = part.LayerNorm(hidden)
        context, normal = _attend(part, normal, hidden, batch, wanted)
        hidden = forward.LayerNorm(_added(context, normal))
        inner = forward.dropout(_activation(forward)(forward.dense_1(hidden)))
        return _added(drop_(forward.dropout, forward.dense_2(inner)), hidden)

    @staticmethod
    def end(model: Any, hidden: Tensor) -> Tensor:
        """Outputs ``[n, d]`` of the encoder from those of the last layer."""
        return model.LayerNorm(hidden)


class GatedBlock:
    """The block of eSASRec (RecSys 2025), after LiGR (arXiv 2502.03417): gated, pre-norm.

    What a part adds to its residual passes a gate that sees the residual; the feed-forward part is
    a SwiGLU. It has weights of its own besides RecBole's, which :func:`add_gates` adds.
    """

    @staticmethod
    def begin(model: Any, items: Tensor, positions: Tensor) -> Tensor:
        """Inputs ``[M, d]`` of the first layer, from vectors of items and positions ``[M, d]``."""
        return drop_(model.dropout, positions.add_(items))

    @staticmethod
    def layer(layer: Any, hidden: Tensor, batch: Batch, wanted: Tensor | None) -> Tensor:
        """Outputs ``[M, d]`` of a layer, or ``[n, d]`` for the ``wanted`` ``[n]`` items only."""
        part, forward = layer.multi_head_attention, layer.feed_forward
        normal = part.LayerNorm(hidden)
        context, _ = _attend(part, normal, normal, batch, wanted)
        if wanted is not None:
            hidden = F.embedding(wanted, hidden)
        context = drop_(part.out_dropout, context)
        hidden = hidden + layer.attention_gate(hidden).sigmoid() * context
        normal = forward.LayerNorm(hidden)
        inner = F.silu(forward.dense_1(normal)) * forward.dense_3(normal)
        outer = drop_(forward.dropout, forward.dense_2(forward.dropout(inner)))
        return hidden + layer.feed_forward_gate(hidden).sigmoid() * outer

    @staticmethod
    def end(model: Any, hidden: Tensor) -> Tensor:
        """Outputs ``[n, d]`` of the encoder from those of the last layer."""
        return hidden


BLOCKS: dict[str, type[RecBoleBlock] | type[OriginalBlock] | type[GatedBlock]] = {
    "recbole": RecBoleBlock,
    "original": OriginalBlock,
    "ligr": GatedBlock,
}
"""Blocks by the setting ``block``."""


def add_gates(model: Any) -> None:
    """Give RecBole's layers the weights that :class:`GatedBlock` has besides theirs.

    All matrices of the layers start as eSASRec's do (Xavier, normal): from RecBole's N(0, 0.02²),
    where a product of two of them, as SwiGLU has it, is next to nothing, training takes twice as
    many epochs.

    Args:
        model: a ``SASRec`` of RecBole.
    """
    for layer in model.trm_encoder.layer:
        inner, dim = layer.feed_forward.dense_1.weight.shape
        layer.attention_gate, layer.feed_forward_gate = nn.Linear(dim, dim), nn.Linear(dim, dim)
        layer.feed_forward.dense_3 = nn.Linear(dim, inner)
        for part in (each for each in layer.modules() if isinstance(each, nn.Linear)):
            nn.init.xavier_normal_(part.weight)
            nn.init.zeros_(part.bias)


def _attend(
    part: Any, query_input: Tensor, key_value_input: Tensor, batch: Batch, wanted: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Attention's outputs and its query inputs, at the wanted items."""
    query = part.query(query_input)
    key, value = part.key(key_value_input), part.value(key_value_input)
    heads, drop = part.num_attention_heads, part.attn_dropout
    context = attention(query, key, value, batch.mask, heads, drop)
    if wanted is not None:
        context, query_input = F.embedding(wanted, context), F.embedding(wanted, query_input)
    return part.dense(context), query_input


def _added(part: Tensor, hidden: Tensor) -> Tensor:
    """The sum, in the memory of ``part``, unless mixed precision gave it fewer digits."""
    return part.add_(hidden) if part.dtype == hidden.dtype else part + hidden


def _activation(forward: Any) -> Any:
    # RecBole spells out x/2 · (1 + erf(x/√2)), five passes over memory.
    activation = forward.intermediate_act_fn
    return F.gelu if activation == forward.gelu else activation
