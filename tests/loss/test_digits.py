"""The loss over digits against torch's cross entropy."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from recbole_delta.loss.digits import digit_cross_entropy


def test_value_and_gradients_are_those_of_a_sum_of_cross_entropies():
    digits, n, codewords, dim = 5, 70, 9, 6
    generator = torch.Generator().manual_seed(0)
    options = {"generator": generator, "dtype": torch.float64, "requires_grad": True}
    queries = torch.randn(digits, n, dim, **options)
    books = torch.randn(digits, codewords, dim, **options)
    classes = torch.randint(0, codewords, (n, digits), generator=generator)
    codes = (1 + classes + codewords * torch.arange(digits)).int()
    ours = digit_cross_entropy(queries.unbind(), books, codes)
    plain = sum(F.cross_entropy(queries[k] @ books[k].T, classes[:, k]) for k in range(digits))
    torch.testing.assert_close(ours, plain)
    found = torch.autograd.grad(ours, (queries, books))
    torch.testing.assert_close(found, torch.autograd.grad(plain, (queries, books)))
