"""Items as means of digit vectors, and counts of codes, against plain loops."""

from __future__ import annotations

import random

import torch

from recbole_delta.embedding.digits import DigitEmbedding

N_ITEMS, N_WARM, DIGITS, CODEWORDS, DIM = 60, 40, 3, 4, 5


def made(seed=0) -> DigitEmbedding:
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(1, CODEWORDS + 1, (N_ITEMS, DIGITS), generator=generator)
    codes[N_WARM:] += 1  # some cold items have digits that no warm one has
    codes = codes.clamp(max=CODEWORDS)
    codes[:N_WARM] = codes[:N_WARM].clamp(max=CODEWORDS - 1)
    codes = codes + CODEWORDS * torch.arange(DIGITS)
    codes = torch.cat([torch.zeros(1, DIGITS, dtype=torch.int64), codes]).int()
    return DigitEmbedding(codes, N_WARM, CODEWORDS, DIM, init_std=1.0, generator=generator)


def test_an_item_is_the_mean_of_its_digits_vectors_and_so_is_its_gradient():
    embedding = made()
    ids = torch.tensor([[1, 0, 45], [60, 7, 7]])
    vectors = embedding(ids)
    by_digit = embedding.by_digit()
    for place, item in zip(vectors.view(-1, DIM), ids.flatten().tolist()):
        code = embedding.content[item].tolist()
        parts = [by_digit[k, code[k] - 1 - k * CODEWORDS] for k in range(DIGITS)] if item else []
        expected = sum(parts) / DIGITS if item else torch.zeros(DIM)
        torch.testing.assert_close(place, expected)
    vectors.sum().backward()
    uses = torch.zeros(1 + DIGITS * CODEWORDS)
    for item in ids.flatten().tolist():
        for number in embedding.content[item].tolist():
            uses[number] += item > 0
    torch.testing.assert_close(embedding.table.grad, (uses / DIGITS)[:, None].expand(-1, DIM))
    torch.testing.assert_close(embedding.trained_rows(), embedding.weight[: N_WARM + 1])


def test_codes_are_counted_as_in_plain_python():
    embedding = made(random.Random(0).randrange(100))
    codes = [tuple(code) for code in embedding.content[1:].tolist()]
    trained = {number for code in codes[:N_WARM] for number in code}
    found = embedding.count_codes()
    assert found.items == N_ITEMS
    assert found.cold == N_ITEMS - N_WARM
    assert found.shared == sum(codes.count(code) > 1 for code in codes)
    assert found.reachable == sum(set(code) <= trained for code in codes[N_WARM:])
    assert 0 < found.reachable < found.cold
    assert 0 < found.shared < found.items
