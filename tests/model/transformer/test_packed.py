"""The packed transformer is RecBole's, with its weights, whatever the lengths."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from recbole.model.layers import TransformerEncoder
from torch import nn

from recbole_delta.model.transformer.encoder import add_gates, encode
from recbole_delta.model.transformer.packed import best_fit

LONGEST = 40


class Backbone(nn.Module):
    """The parts of RecBole's SASRec, and its forward pass over padding."""

    block = "recbole"

    def __init__(self, heads, act, dropout=0.0):
        super().__init__()
        torch.manual_seed(heads)
        self.item_embedding = nn.Embedding(50, 16, padding_idx=0)
        self.position_embedding = nn.Embedding(LONGEST, 16)
        self.LayerNorm, self.dropout = nn.LayerNorm(16), nn.Dropout(dropout)
        self.trm_encoder = TransformerEncoder(2, heads, 16, 32, dropout, dropout, act)

    def forward(self, item_seq):
        width = item_seq.size(1)
        hidden = self.item_embedding(item_seq) + self.position_embedding.weight[:width]
        hidden = self.dropout(self.LayerNorm(hidden))
        allowed = (item_seq > 0)[:, None, None] & torch.ones(width, width, dtype=torch.bool).tril()
        mask = torch.where(allowed, 0.0, -10000.0)
        return self.trm_encoder(hidden, mask)[-1]


def right_padded(lengths, width):
    generator = torch.Generator().manual_seed(sum(lengths))
    items = torch.randint(1, 50, (len(lengths), width), generator=generator)
    return items * (torch.arange(width) < torch.tensor(lengths)[:, None])


@given(
    st.lists(st.integers(1, LONGEST), min_size=1, max_size=30),
    st.sampled_from([1, 2, 4]),
    st.sampled_from(["gelu", "relu", "swish"]),
)
@settings(max_examples=40, deadline=None)
def test_outputs_and_gradients_are_recboles(lengths, heads, act):
    model = Backbone(heads, act)
    item_seq = right_padded(lengths, max(lengths))
    expected = model(item_seq)[item_seq > 0]
    ours = encode(model, item_seq)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)
    weights = torch.randn(expected.shape)
    a, b = (
        torch.autograd.grad((output * weights).sum(), list(model.parameters()), retain_graph=True)
        for output in (ours, expected)
    )
    for x, y in zip(a, b):
        torch.testing.assert_close(x, y, rtol=1e-3, atol=1e-4)


def test_a_sequence_does_not_depend_on_the_others_or_on_the_width():
    model = Backbone(2, "gelu").eval()
    lengths = [3, 17, 8, 40, 1, 9]
    item_seq = right_padded(lengths, LONGEST)
    together = encode(model, item_seq).split(lengths)
    for row, length, output in zip(item_seq, lengths, together):
        alone = encode(model, row[None, :length])
        torch.testing.assert_close(alone, output, rtol=1e-5, atol=1e-5)


def test_mixed_precision_keeps_the_digits_of_what_passes_by_a_layer():
    """Parts that add nothing, in bfloat16, leave the sums as float32 has them."""
    model = Backbone(1, "gelu")
    for layer in model.trm_encoder.layer:
        for linear in (layer.multi_head_attention.dense, layer.feed_forward.dense_2):
            nn.init.zeros_(linear.weight)
            nn.init.zeros_(linear.bias)
    item_seq = right_padded([3, 9], 9)
    expected = encode(model, item_seq)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(encode(model, item_seq), expected, rtol=1e-5, atol=1e-5)


def test_little_padding_is_computed():
    """One long sequence does not make the others as long."""
    model, rows = Backbone(1, "gelu"), []
    for layer in model.trm_encoder.layer:
        layer.multi_head_attention.dense.register_forward_hook(
            lambda _, inputs, __: rows.append(len(inputs[0]))
        )
    item_seq = right_padded([40] + [3] * 99, LONGEST)
    encode(model, item_seq)
    assert (item_seq > 0).sum() == 337
    assert max(rows) == pytest.approx(337, rel=0.15)


@given(st.lists(st.integers(1, LONGEST), min_size=1, max_size=80), st.integers(0, 9))
def test_sequences_are_whole_and_apart_in_few_rows(lengths, spare):
    width = max(lengths) + spare
    rows, starts = best_fit(lengths, width)
    taken = [slot for start, n in zip(starts, lengths) for slot in range(start, start + n)]
    assert len(taken) == len(set(taken))
    assert max(taken) < rows * width
    assert all(start // width == (start + n - 1) // width for start, n in zip(starts, lengths))
    # No two rows could have been one.
    used = [0] * rows
    for start, n in zip(starts, lengths):
        used[start // width] += n
    assert sum(sorted(used)[:2]) > width or rows == 1


@pytest.mark.parametrize("rows", [1, 5, 64, 65])
def test_an_empty_sequence_is_one_padding_item(rows):
    model = Backbone(2, "gelu")
    item_seq = torch.zeros(rows, 5, dtype=torch.int64)
    output = encode(model, item_seq)
    assert output.shape == (rows, 16)
    assert torch.isfinite(output).all()


def original_sasrec(model, item_seq):
    """SASRec as its authors put it together, by torch's own attention, over padding."""
    heads = model.trm_encoder.layer[0].multi_head_attention.num_attention_heads
    width = item_seq.size(1)
    hidden = model.item_embedding(item_seq) * 16**0.5 + model.position_embedding.weight[:width]
    future = torch.ones(width, width, dtype=torch.bool).triu(1)
    for layer in model.trm_encoder.layer:
        part, forward = layer.multi_head_attention, layer.feed_forward
        query = part.LayerNorm(hidden)
        context, _ = nn.functional.multi_head_attention_forward(
            query.transpose(0, 1), hidden.transpose(0, 1), hidden.transpose(0, 1), 16, heads,
            torch.cat([p.weight for p in (part.query, part.key, part.value)]),
            torch.cat([p.bias for p in (part.query, part.key, part.value)]),
            None, None, False, 0.0, part.dense.weight, part.dense.bias, attn_mask=future,
        )  # fmt: skip
        hidden = forward.LayerNorm(query + context.transpose(0, 1))
        hidden = hidden + forward.dense_2(torch.relu(forward.dense_1(hidden)))
    return model.LayerNorm(hidden)


@pytest.mark.parametrize("heads", [1, 2])
def test_the_original_block_is_that_of_sasrecs_authors(heads):
    model = Backbone(heads, "relu")
    model.block = "original"
    item_seq = right_padded([3, 17, 8, 40, 1, 9], LONGEST)
    expected = original_sasrec(model, item_seq)[item_seq > 0]
    ours = encode(model, item_seq)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)
    weights = torch.randn(expected.shape)
    a, b = (
        torch.autograd.grad((o * weights).sum(), list(model.parameters())) for o in (ours, expected)
    )
    for x, y in zip(a, b):
        torch.testing.assert_close(x, y, rtol=1e-3, atol=1e-4)


def gated_sasrec(model, item_seq):
    """The layers of eSASRec, written out with torch's own attention, over padding."""
    heads = model.trm_encoder.layer[0].multi_head_attention.num_attention_heads
    width = item_seq.size(1)
    hidden = model.item_embedding(item_seq) + model.position_embedding.weight[:width]
    future = torch.ones(width, width, dtype=torch.bool).triu(1)
    for layer in model.trm_encoder.layer:
        part, forward = layer.multi_head_attention, layer.feed_forward
        attention = nn.MultiheadAttention(16, heads, batch_first=True)
        own = (part.query, part.key, part.value)
        attention.in_proj_weight = nn.Parameter(torch.cat([p.weight for p in own]))
        attention.in_proj_bias = nn.Parameter(torch.cat([p.bias for p in own]))
        attention.out_proj = part.dense
        normal = part.LayerNorm(hidden)
        context, _ = attention(normal, normal, normal, attn_mask=future)
        hidden = hidden + torch.sigmoid(layer.attention_gate(hidden)) * context
        normal = forward.LayerNorm(hidden)
        inner = nn.functional.silu(forward.dense_1(normal)) * forward.dense_3(normal)
        hidden = hidden + torch.sigmoid(layer.feed_forward_gate(hidden)) * forward.dense_2(inner)
    return hidden


@pytest.mark.parametrize("heads", [1, 2])
def test_the_gated_block_is_that_of_esasrec(heads):
    model = Backbone(heads, "gelu")
    model.block = "ligr"
    add_gates(model)
    item_seq = right_padded([3, 17, 8, 40, 1, 9], LONGEST)
    expected = gated_sasrec(model, item_seq)[item_seq > 0]
    torch.testing.assert_close(encode(model, item_seq), expected, rtol=1e-4, atol=1e-5)


def test_it_starts_as_that_of_esasrec():
    """Xavier's normal distribution, by its definition: variance 2 / (inputs + outputs)."""
    model = Backbone(1, "gelu")
    add_gates(model)
    parts = [p for p in model.trm_encoder.modules() if isinstance(p, nn.Linear)]
    assert len(parts) == 9 * len(model.trm_encoder.layer)
    scaled = [p.weight.detach() * (sum(p.weight.shape) / 2) ** 0.5 for p in parts]
    values = torch.cat([each.flatten() for each in scaled])
    assert values.std().item() == pytest.approx(1, abs=4 / len(values) ** 0.5)
    assert all(each.std().item() == pytest.approx(1, abs=0.25) for each in scaled)
    assert not any(p.bias.any() for p in parts)


@pytest.mark.parametrize("block", ["recbole", "original", "ligr"])
def test_chosen_outputs_are_those_of_all(block):
    model = Backbone(2, "gelu")
    model.block = block
    add_gates(model)
    item_seq = right_padded([3, 17, 8], LONGEST)
    chosen = torch.tensor([27, 2, 2, 19])
    torch.testing.assert_close(encode(model, item_seq, chosen), encode(model, item_seq)[chosen])
