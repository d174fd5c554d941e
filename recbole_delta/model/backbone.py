"""What every backbone with a content embedding shares: construction, training loss, scoring."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from recbole.data.interaction import Interaction
from torch import Tensor, nn
from torch.nn import functional as F

from dataset_prep.errors import DeltaError
from recbole_delta.compute.distributed import world_size
from recbole_delta.compute.dropout import use_fast_dropout
from recbole_delta.data.dataset import ColdWarmDataset, train_positions
from recbole_delta.embedding.base import ContentEmbedding
from recbole_delta.embedding.id import IdEmbedding
from recbole_delta.embedding.modes import CONTENT_EMBEDDINGS, Known
from recbole_delta.loss.exact import EXACT_LOSSES
from recbole_delta.loss.sampled import sampled_cross_entropy
from recbole_delta.loss.sampler import ItemSampler, hits
from recbole_delta.model.catalogue import WholeCatalogue


class ContentBackbone(WholeCatalogue):
    """A RecBole sequential model over our item embedding.

    To add a backbone, subclass it with this class in front, and list it in
    :data:`recbole_delta.model.MODELS`::

        class SASRecDelta(ContentBackbone, SASRec):
            causal = True

    The RecBole class must look items up in ``self.item_embedding`` and score by the dot product
    with its rows. ``causal`` says that the output at a position does not depend on later items,
    and that its ``forward`` ends in ``gather_indexes``: it then learns from every position of a
    window. Any other backbone learns from a prefix for each target, as in RecBole; where its own
    way of training, :meth:`examples`, takes windows, it sets ``takes_windows``. ``fixed_length``
    is for one whose output depends on the padding.

    Raises:
        DeltaError: a loss other than CE, a data set without prepared split, or bad content.
    """

    causal = False
    takes_windows = False
    fixed_length = False
    item_embedding: ContentEmbedding | IdEmbedding

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
            count = torch.from_numpy(dataset.train_counts())
            self.sampler = ItemSampler(count, dataset.settings.sampled_items)
        use_fast_dropout(self)

    def calculate_loss(self, interaction: Interaction) -> Tensor:
        """Cross entropy over the warm items, mean over the targets of the batch."""
        hidden, target = self.examples(interaction)
        if self.loss != "sampled":
            loss = EXACT_LOSSES[self.loss]
            return loss(hidden, self.ranked(self.item_embedding.trained_rows()), target)
        drawn, weight = self.sampler.draw()
        rows = self.ranked(self.item_embedding(torch.cat([target, drawn])))
        return sampled_cross_entropy(hidden, rows, hits(target, drawn), weight)

    def examples(self, interaction: Interaction) -> tuple[Tensor, Tensor]:
        """Outputs ``[N, d]`` and targets ``[N]`` of a training batch.

        With ``train_positions: all`` the item after each position is a target; with ``last``
        only the item after the sequence, as in RecBole.
        """
        item_seq = interaction[self.ITEM_SEQ]
        item_seq_len = interaction[self.ITEM_SEQ_LEN]
        target = interaction[self.POS_ITEM_ID]
        if self.positions == "all":
            target = next_items(item_seq, item_seq_len, target)[item_seq > 0]
            return self.every_position(item_seq), target
        return self.last_position(item_seq, item_seq_len), target

    def ranked(self, rows: Tensor) -> Tensor:
        """Item vectors ``[..., d]`` as the outputs are multiplied by them."""
        return rows

    def last_position(self, item_seq: Tensor, item_seq_len: Tensor) -> Tensor:
        """Outputs ``[B, d]`` of histories ``[B, L]`` of lengths ``[B]``: what comes next."""
        return self.forward(item_seq, item_seq_len)

    def padded_last_position(self, item_seq: Tensor, item_seq_len: Tensor) -> Tensor:
        """:meth:`last_position` in shapes that depend on no data, so that it can be exported."""
        return self.last_position(item_seq, item_seq_len)

    def predict(self, interaction: Interaction) -> Tensor:
        """Scores ``[B]`` of the interaction's items."""
        hidden = self.last_position(interaction[self.ITEM_SEQ], interaction[self.ITEM_SEQ_LEN])
        return (hidden * self.ranked(self.item_embedding(interaction[self.ITEM_ID]))).sum(1)

    def score_known(self, interaction: Interaction) -> Tensor:
        """Scores ``[B, n]`` of padding and all items that have a vector."""
        hidden = self.last_position(interaction[self.ITEM_SEQ], interaction[self.ITEM_SEQ_LEN])
        return hidden @ self.ranked(self.item_embedding.weight).T

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
    ) -> ContentEmbedding | IdEmbedding:
        """Replace the backbone's table; its rows have random numbers of their own."""
        settings, n_warm = dataset.settings, dataset.n_warm
        seed = rows_seed(seed)
        dim = self.item_embedding.embedding_dim
        if settings.item_embedding == "id":
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                table = nn.Embedding(n_warm + 1, dim, padding_idx=0)
                self.init_id_table(table)
            return IdEmbedding(table.weight)
        mode = CONTENT_EMBEDDINGS[settings.item_embedding]
        content_map, rows = dataset.content_rows(mode.fit, dim)
        generator = torch.Generator().manual_seed(seed)
        embedding = mode.make(rows, Known(n_warm, dim, settings.delta_max, generator))
        embedding.content_map = content_map
        return embedding

    def init_id_table(self, table: nn.Embedding) -> None:
        """Initial values of a table of IDs, as the backbone has them in RecBole."""
        self._init_weights(table)


def rows_seed(seed: int) -> int:
    """A seed for the item rows that is not the backbone's, whose very draws they would repeat."""
    return int.from_bytes(hashlib.sha256(f"item rows {seed}".encode()).digest()[:4], "big")


def _is_plain_adam(config: Any) -> bool:
    """Weight decay and the norm of all gradients concern rows that a step has not seen."""
    adam = config["learner"].lower() == "adam"
    return adam and not config["weight_decay"] and config["clip_grad_norm"] is None


def _every_prefix(item_seq: Tensor) -> Tensor:
    """Lengths of all prefixes, ``[B, L]``: an ``item_seq_len`` that asks for every position."""
    return torch.arange(1, item_seq.size(1) + 1, device=item_seq.device).expand_as(item_seq)


def next_items(item_seq: Tensor, item_seq_len: Tensor, last: Tensor) -> Tensor:
    """``[B, L]``: the item after each position, ``last`` after the end of the sequence."""
    following = F.pad(item_seq[:, 1:], (0, 1))
    return following.scatter(1, (item_seq_len - 1)[:, None], last[:, None])
