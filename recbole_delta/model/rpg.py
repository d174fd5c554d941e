"""RPG: long semantic IDs, whose digits are predicted in parallel."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from recbole.data.interaction import Interaction
from recbole.model.sequential_recommender.sasrec import SASRec
from torch import Tensor, nn
from torch.nn import functional as F

from dataset_prep.errors import DeltaError, at_least_1, require, whole_number
from recbole_delta.compute.dropout import use_fast_dropout
from recbole_delta.compute.precision import full_precision
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.embedding.digits import DigitEmbedding
from recbole_delta.embedding.product_quantiser import ProductQuantiser
from recbole_delta.loss.digits import digit_cross_entropy
from recbole_delta.model.item_embedding import rows_seed
from recbole_delta.model.sasrec import SASRecEncoder
from recbole_delta.model.sequence import SequenceBackbone


class RPG(SASRecEncoder, SequenceBackbone, SASRec):
    """Semantic IDs of many digits, predicted in parallel (Hou et al., KDD 2025, arXiv 2506.05781).

    An item is a code of m digits, the product quantisation of its content. A history is read as
    the mean of its items' digit vectors; a head for each digit predicts that of the next item by
    the cosine with its codewords, over a temperature. An item's score is Σ_k log p_k(its digit k).
    Nothing is learnt for an item of its own: a cold one is scored by vectors that warm ones have
    trained, unless none of these shares a digit with it
    (:meth:`~recbole_delta.embedding.digits.DigitEmbedding.count_codes`).

    What differs from the publication: every candidate is scored, where the paper searches a graph
    of similar codes; the quantiser is parametric OPQ and k-means on the warm items' content, where
    its authors' code has faiss's OPQ on whitened vectors; the history is read by SASRec's encoder
    in the chosen ``block``, not by GPT-2's.

    Args:
        config: a RecBole ``Config``.
        dataset: the training data.

    Raises:
        DeltaError: settings or content that cannot be used, or a data set without prepared split.

    Example:
        >>> import recbole_delta
        >>> from recbole_delta.quick_start.example import example_data
        >>> settings = {**example_data(), "n_codebook": 8, "codebook_size": 4}
        >>> result = recbole_delta.run("RPG", "example", settings=settings)
        >>> model = recbole_delta.load_run(result.checkpoint)[1]
        >>> model.item_embedding.by_digit().shape  # 8 digits of 4 codewords
        torch.Size([8, 4, 16])
        >>> result.test_result["ndcg_cold@10"] > 0.1
        True
    """

    item_embedding: DigitEmbedding

    def __init__(self, config: Any, dataset: ColdWarmDataset) -> None:
        digits, self.temperature = config["n_codebook"], config["temperature"]
        codewords = config["codebook_size"]
        at_least_1("n_codebook", digits)
        if codewords is not None:
            whole_number("codebook_size", codewords, 2)
        _check_temperature(self.temperature)
        super().__init__(config, dataset)
        require(
            dataset.settings.loss == "ce",
            f"loss: RPG has a loss of its own; leave out loss: {dataset.settings.loss}.",
        )
        dim, seed = config["hidden_size"], rows_seed(config["seed"])
        quantiser: Any
        quantiser, codes = dataset.content_rows(partial(_fit, codewords, seed), digits)
        self.item_embedding = DigitEmbedding(
            codes,
            dataset.n_warm,
            quantiser.codebooks.size(1),
            dim,
            init_std=config["initializer_range"],
            generator=torch.Generator().manual_seed(seed),
        )
        self.item_embedding.remember_map(quantiser)
        self.heads = DigitHeads(digits, dim)
        use_fast_dropout(self)

    @property
    def content_embedding(self) -> DigitEmbedding:
        """The digits' vectors."""
        return self.item_embedding

    def vectors_of_all(self) -> Tensor:
        """``[n_catalogue, m]`` code of each item, which makes its score."""
        return self.item_embedding.content

    def remarks(self) -> list[str]:
        """How many items share a code, and how many cold ones have trained digits only."""
        found = self.item_embedding.count_codes()
        return [
            f"codes: {found.shared} of {found.items} items share theirs with another; "
            f"{found.reachable} of {found.cold} cold items have digits of warm ones only"
        ]

    def calculate_loss(self, interaction: Interaction) -> Tensor:
        """Sum over the digits of their cross entropies: a scalar, the mean over the targets."""
        hidden, target = self.examples(interaction)
        codes = self.item_embedding.content[target]
        return digit_cross_entropy(self.heads(hidden), self._codewords(), codes)

    def predict(self, interaction: Interaction) -> Tensor:
        """Scores ``[B]`` of the interaction's items."""
        items = interaction[self.ITEM_ID]
        codes = self.item_embedding.content[items].long() - 1
        scores = self._digit_scores(interaction).gather(1, codes).sum(1)
        return self.calibrated(scores, interaction[self.ITEM_SEQ], items)

    def score_known(self, interaction: Interaction) -> Tensor:
        """Scores ``[B, n_items]``: log-probabilities, a sum over the digits; 0 for padding."""
        # Codewords that an item does not have are not looked at, as in a product they would be.
        log_p = F.pad(self._digit_scores(interaction).T, (0, 0, 1, 0))
        codes = self.item_embedding.content
        return F.embedding_bag(codes, log_p.contiguous(), mode="sum", padding_idx=0).T

    def _digit_scores(self, interaction: Interaction) -> Tensor:
        """Log-probabilities ``[B, m M]`` of all codewords, digit by digit."""
        hidden = self.last_position(interaction[self.ITEM_SEQ], interaction[self.ITEM_SEQ_LEN])
        queries = torch.stack(list(self.heads(hidden)))
        with full_precision(queries, self._codewords()) as (queries, codewords):
            log_p = torch.bmm(queries, codewords.mT).log_softmax(2)
        return log_p.transpose(0, 1).flatten(1)

    def _codewords(self) -> Tensor:
        """Unit vectors of the codewords ``[m, M, d]``, over the temperature."""
        return F.normalize(self.item_embedding.by_digit(), dim=-1) / self.temperature


class DigitHeads(nn.Module):
    """A head for each digit: h + SiLU(h W_k + b_k) at unit length, at first the same for all.

    Args:
        digits: number m of digits.
        dim: dimension d of a sequence representation.
    """

    def __init__(self, digits: int, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(digits, dim, dim))
        self.bias = nn.Parameter(torch.zeros(digits, dim))

    def forward(self, hidden: Tensor) -> Iterator[Tensor]:
        """``[N, d]`` for each digit, one after the other, from representations ``[N, d]``."""
        for weight, bias in zip(self.weight.unbind(), self.bias.unbind()):
            yield F.normalize(hidden + F.silu(torch.addmm(bias, hidden, weight)), dim=-1)


def _fit(
    codewords: int | None, seed: int, warm: np.ndarray, train_count: np.ndarray, digits: int
) -> ProductQuantiser:
    return ProductQuantiser.fitted(warm, digits, codewords, seed)


def _check_temperature(value: Any) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < 1e6:
        raise DeltaError(f"temperature must be a number > 0, but is {value!r}.")
