"""Cross entropy over the codewords of each digit: RPG's multi-token prediction. Plain torch."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

from recbole_delta.loss.exact import cross_entropy


def digit_cross_entropy(queries: Iterable[Tensor], codewords: Tensor, codes: Tensor) -> Tensor:
    """Mean over the positions of Σ_k −log softmax(q_k · C_kᵀ)[code_k], a sum over the digits.

    From "Generating Long Semantic IDs in Parallel for Recommendation" (Hou et al., KDD 2025); its
    authors' code has the mean over the digits, the same up to a factor.

    Args:
        queries: ``[N, d]`` for each of m digits, what its codewords are multiplied by: q. They may
            be made one by one, so that those of a digit stay in the cache.
        codewords: ``[m, M, d]`` vectors C of the codewords of each digit.
        codes: ``[N, m]`` int codes of the items that came next: codewords of all digits are
            numbered from 1 on, those of each digit after those of the digit before.

    Returns:
        a scalar in nats, with gradients for ``queries`` and ``codewords``.

    Example:
        Two digits of two codewords, of which nothing is known yet: log 2 for each digit.

        >>> import torch
        >>> loss = digit_cross_entropy(torch.zeros(2, 1, 4), torch.randn(2, 2, 4),
        ...                            torch.tensor([[2, 3]]))
        >>> round(loss.item(), 4)  # 2 log 2
        1.3863
    """
    first = torch.arange(len(codewords), device=codes.device) * codewords.size(1)
    targets = (codes - first).long()
    books = F.pad(codewords, (0, 0, 1, 0))  # a row of padding in front of each digit's
    losses = [
        cross_entropy(query, book, target)
        for query, book, target in zip(queries, books.unbind(), targets.unbind(1))
    ]
    return torch.stack(losses).sum()
