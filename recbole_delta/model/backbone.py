"""What every backbone with a content embedding shares: construction, training loss, scoring."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from recbole.data.interaction import Interaction
from torch import Tensor, nn
from torch.nn import functional as F

from recbole_delta.distributed import world_size
from recbole_delta.dropout import use_fast_dropout
from recbole_delta.embedding import DeltaEmbedding, IdEmbedding
from recbole_delta.errors import DeltaError
from recbole_delta.losses import EXACT_LOSSES, sampled_cross_entropy
from recbole_delta.model.catalogue import WholeCatalogue
from recbole_delta.reduction import ContentReduction
from recbole_delta.sampling import ItemSampler
from recbole_delta.seam.dataset import ColdWarmDataset, train_positions

DELTA_INIT_STD = 0.02
"""Standard deviation of the initial deltas (the official code's value)."""


class ContentBackbone(WholeCatalogue):
    """A RecBole sequential model over our item embedding.

    To add a backbone, subclass it with this class in front, and list it in
    :data:`recbole_delta.model.MODELS`::

        class SASRecDelta(ContentBackbone, SASRec):
            causal = True

    The RecBole class must look items up in ``self.item_embedding``, score by the dot product
    with its rows, and end its ``forward`` in ``gather_indexes``. ``causal`` says that the
    output at a position does not depend on later items.

    Raises:
        DeltaError: a loss other than CE, a data set without prepared split, or bad content.
    """

    causal = False
    item_embedding: DeltaEmbedding | IdEmbedding

    def __init__(self, config: Any, dataset: ColdWarmDataset) -> None:
        if not isinstance(dataset, ColdWarmDataset):
            raise DeltaError(f"{type(self).__name__} needs a data set prepared with dataset_prep.")
        if config["loss_type"] != "CE":
            raise DeltaError(f"loss_type must be CE, but is {config['loss_type']!r}.")
        # Built over padding alone: the backbone's weights do not depend on the catalogue.
        super().__init__(config, dataset.with_items(1))
        self.n_items = self.n_catalogue = dataset.item_num
        self.positions = train_positions(dataset.settings, type(self))
        self.loss = dataset.settings.loss
        self.item_embedding = self._build_item_embedding(config["seed"], dataset)
        self.updates_rows = self.loss == "sampled" and _is_plain_adam(config) and world_size() == 1
        # The gradient of the softmax over all items takes in that of the lookups.
        self.item_embedding.sparse = self.updates_rows or self.loss != "sampled"
        if self.loss == "sampled":
            count = torch.from_numpy(dataset.interactions.train_counts())
            self.sampler = ItemSampler(count, dataset.settings.sampled_items)
        use_fast_dropout(self)

    def calculate_loss(self, interaction: Interaction) -> Tensor:
        """Cross entropy over the warm items, mean over the targets of the batch.

        With ``train_positions: all`` the item after each position is a target; with ``last``
        only the item after the sequence, as in RecBole.
        """
        item_seq = interaction[self.ITEM_SEQ]
        item_seq_len = interaction[self.ITEM_SEQ_LEN]
        target = interaction[self.POS_ITEM_ID]
        if self.positions == "all":
            hidden = self.every_position(item_seq)
            target = _next_items(item_seq, item_seq_len, target)[item_seq > 0]
        else:
            hidden = self.forward(item_seq, item_seq_len)
        if self.loss != "sampled":
            loss = EXACT_LOSSES[self.loss]
            return loss(hidden, self.item_embedding.trained_rows(), target)
        drawn, log_expected = self.sampler.draw()
        return sampled_cross_entropy(
            hidden,
            self.item_embedding(target),
            self.item_embedding(drawn),
            drawn == target[:, None],
            log_expected,
        )

    def n_targets(self, interaction: Interaction) -> int:
        """Number of targets that :meth:`calculate_loss` averages over."""
        if self.positions == "all":
            return int((interaction[self.ITEM_SEQ] > 0).sum())
        return len(interaction)

    def every_position(self, item_seq: Tensor) -> Tensor:
        """Outputs ``[N, d]`` at each of the N items of ``item_seq`` ``[B, L]``, row by row."""
        return self.forward(item_seq, _every_prefix(item_seq))[item_seq > 0]

    def gather_indexes(self, output: Tensor, gather_index: Tensor) -> Tensor:
        """RecBole's gather; a two-dimensional index asks for every position at once."""
        if gather_index.dim() == 2:
            return output
        return super().gather_indexes(output, gather_index)

    def _build_item_embedding(
        self, seed: int, dataset: ColdWarmDataset
    ) -> DeltaEmbedding | IdEmbedding:
        """Replace the backbone's table; its rows have random numbers of their own."""
        settings, n_warm = dataset.settings, dataset.n_warm
        seed = rows_seed(seed)
        dim = self.item_embedding.embedding_dim
        if settings.item_embedding == "id":
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                table = nn.Embedding(n_warm + 1, dim, padding_idx=0)
                self._init_weights(table)
            return IdEmbedding(table.weight)
        radius, init_std = {
            "init": (float("inf"), 0.0),
            "frozen": (0.0, 0.0),
            "delta": (settings.delta_max, DELTA_INIT_STD),
        }[settings.item_embedding]
        generator = torch.Generator().manual_seed(seed)
        content = item_content(dataset, dim)
        return DeltaEmbedding(content, n_warm, radius, init_std=init_std, generator=generator)


def rows_seed(seed: int) -> int:
    """A seed for the item rows that is not the backbone's, whose very draws they would repeat."""
    return int.from_bytes(hashlib.sha256(f"item rows {seed}".encode()).digest()[:4], "big")


def item_content(dataset: ColdWarmDataset, dim: int) -> Tensor:
    """Unit content rows ``[n_items, dim]``, reduced by warm statistics; row 0 is zero."""
    content = dataset.content()
    rows = ContentReduction(dim).fit(content[: dataset.n_warm]).transform(content)
    return F.pad(torch.from_numpy(rows), (0, 0, 1, 0))


def _is_plain_adam(config: Any) -> bool:
    """Weight decay and the norm of all gradients concern rows that a step has not seen."""
    adam = config["learner"].lower() == "adam"
    return adam and not config["weight_decay"] and config["clip_grad_norm"] is None


def _every_prefix(item_seq: Tensor) -> Tensor:
    """Lengths of all prefixes, ``[B, L]``: an ``item_seq_len`` that asks for every position."""
    return torch.arange(1, item_seq.size(1) + 1, device=item_seq.device).expand_as(item_seq)


def _next_items(item_seq: Tensor, item_seq_len: Tensor, last: Tensor) -> Tensor:
    """``[B, L]``: the item after each position, ``last`` after the end of the sequence."""
    following = F.pad(item_seq[:, 1:], (0, 1))
    return following.scatter(1, (item_seq_len - 1)[:, None], last[:, None])
