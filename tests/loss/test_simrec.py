"""SimRec's loss against its formula written out."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from dataset_prep.errors import DeltaError
from recbole_delta.embedding import IdEmbedding
from recbole_delta.loss import LOSSES, ItemVectors
from recbole_delta.loss.simrec import MOST_SIMILAR, SimRecOptions

N, DIM, POSITIONS = 40, 6, 50
# Three groups of like items, and items that resemble nothing.
CONTENT = F.normalize(torch.randn(N, 16, generator=torch.Generator().manual_seed(0)), dim=1)
for first, like in ((0, (1, 2, 3)), (10, (11,)), (20, (21, 22))):
    for item in like:
        CONTENT[item] = F.normalize(CONTENT[first] + 0.01 * item * CONTENT[item], dim=0)


def loss_of(name, hidden, target, table, **options):
    kind = LOSSES[name]
    loss = kind(torch.ones(N, dtype=torch.int64), kind.options(**options) if kind.options else None)
    loss.use_content(3 * CONTENT)  # lengths do not matter
    return loss(hidden, target, ItemVectors(IdEmbedding(table), lambda rows: rows))


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(1)
    hidden = torch.randn(POSITIONS, DIM, generator=generator)
    target = torch.randint(1, N + 1, (POSITIONS,), generator=generator)
    table = F.pad(torch.randn(N, DIM, generator=generator), (0, 0, 1, 0))
    return hidden, target, table


def by_hand(hidden, target, table, weight, threshold, temperature):
    """The paper's two parts, item by item, in float64."""
    hidden, table, content = hidden.double(), table[1:].double(), CONTENT.double()
    total = 0.0
    for h, t in zip(hidden, target - 1):
        hard = -(h @ table.T).log_softmax(0)[t]
        wanted = {i: (content[i] @ content[t]) / temperature for i in range(N)}
        wanted = {i: c.exp() for i, c in wanted.items() if c * temperature > threshold}
        chances = (h @ table.T / temperature).log_softmax(0)
        soft = -sum(w * chances[i] for i, w in wanted.items()) / sum(wanted.values())
        total = total + (1 - weight) * hard + weight * soft
    return total / len(hidden)


@pytest.mark.parametrize(
    ("weight", "threshold", "temperature"), [(0.3, 0.9, 0.5), (1.0, 0.9, 1.0), (0.5, -1.0, 0.2)]
)
def test_it_is_the_formula_of_the_paper_with_its_gradients(case, weight, threshold, temperature):
    assert N <= MOST_SIMILAR
    hidden, target, table = case
    settings = (weight, threshold, temperature)
    names = ("simrec_weight", "simrec_threshold", "simrec_temperature")
    ours = [each.clone().requires_grad_() for each in (hidden, table)]
    theirs = [each.clone().requires_grad_() for each in (hidden, table)]
    embedding_table = ours[1]
    kind = LOSSES["simrec"]
    loss = kind(torch.ones(N, dtype=torch.int64), SimRecOptions(**dict(zip(names, settings))))
    loss.use_content(3 * CONTENT)

    class Rows:
        def trained_rows(self):
            return embedding_table

    value = loss(ours[0], target, ItemVectors(Rows(), lambda rows: rows))
    expected = by_hand(theirs[0], target, theirs[1], *settings)
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)
    value.backward(), expected.backward()
    for a, b in zip(ours, theirs):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-5)


def test_without_weight_it_is_the_cross_entropy(case):
    plain = loss_of("ce", *case)
    torch.testing.assert_close(loss_of("simrec", *case, simrec_weight=0.0), plain)
    assert loss_of("simrec", *case).item() != pytest.approx(plain.item(), abs=1e-3)


def test_items_that_resemble_nothing_are_their_own_target(case):
    """Above any cosine but that of an item with itself, the target is the item that came next."""
    hidden, target, table = case
    alone = loss_of("simrec", hidden, target, table, simrec_threshold=1.0, simrec_temperature=1.0)
    torch.testing.assert_close(alone, loss_of("ce", hidden, target, table))


@pytest.mark.parametrize(
    ("setting", "value"),
    [("simrec_weight", 1.5), ("simrec_threshold", "high"), ("simrec_temperature", 0)],
)
def test_settings_out_of_range_are_refused(setting, value):
    with pytest.raises(DeltaError, match=f"{setting} must be a number from"):
        SimRecOptions(**{setting: value})
