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
from recbole_delta.embedding import ContentEmbedding, EmbeddingArgs, ItemEmbedding
from recbole_delta.loss import LOSSES, ItemVectors
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

    fixed_length = False
    item_embedding: ItemEmbedding

    def __init__(self, config: Any, dataset: ColdWarmDataset) -> None:
        if not isinstance(dataset, ColdWarmDataset):
            raise DeltaError(f"{type(self).__name__} needs a data set prepared with dataset_prep.")
        if config["loss_type"] != "CE":
            raise DeltaError(f"loss_type must be CE, but is {config['loss_type']!r}.")
        # Built over padding alone: the backbone's weights do not depend on the catalogue.
        super().__init__(config, dataset.with_items(1))
        self.n_items = dataset.item_num
        self.positions = train_positions(dataset.settings, type(self))
        self.item_embedding = self._build_item_embedding(config["seed"], dataset)
        loss = LOSSES[dataset.settings.loss]
        counts = torch.from_numpy(dataset.train_counts())
        self.training_loss = loss(counts, dataset.settings.loss_options)
        sees_few = not loss.gradient_of_all_items
        self.updates_rows = sees_few and _is_plain_adam(config) and world_size() == 1
        # The dense gradient of a loss over all items takes in the sparse one of the lookups.
        self.item_embedding.use_sparse_gradients(self.updates_rows or not sees_few)
        use_fast_dropout(self)

    def calculate_loss(self, interaction: Interaction) -> Tensor:
        """Training loss over the warm items, mean over the targets of the batch."""
        hidden, target = self.examples(interaction)
        items = ItemVectors(self.item_embedding, self.output_item_vectors)
        return self.training_loss(hidden, target, items)

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

    def output_item_vectors(self, rows: Tensor) -> Tensor:
        """Item vectors ``[..., d]`` as the outputs are multiplied by them; identity by default."""
        return rows

    def last_position(self, item_seq: Tensor, item_seq_len: Tensor) -> Tensor:
        """Sequence representation ``[B, d]`` at the last item of histories ``[B, L]``.

        Args:
            item_seq: ``[B, L]`` item ids, padded with 0 on the right.
            item_seq_len: ``[B]`` number of items of each.
        """
        return self.forward(item_seq, item_seq_len)

    def padded_last_position(self, item_seq: Tensor, item_seq_len: Tensor) -> Tensor:
        """:meth:`last_position` in shapes that depend on no data, so that it can be exported."""
        return self.last_position(item_seq, item_seq_len)

    def predict(self, interaction: Interaction) -> Tensor:
        """Scores ``[B]`` of the interaction's items."""
        hidden = self.last_position(interaction[self.ITEM_SEQ], interaction[self.ITEM_SEQ_LEN])
        return (
            hidden * self.output_item_vectors(self.item_embedding(interaction[self.ITEM_ID]))
        ).sum(1)

    def score_known(self, interaction: Interaction) -> Tensor:
        """Scores ``[B, n]`` of padding and all items that have a vector."""
        hidden = self.last_position(interaction[self.ITEM_SEQ], interaction[self.ITEM_SEQ_LEN])
        return hidden @ self.output_item_vectors(self.item_embedding.weight).T

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

    @property
    def content_embedding(self) -> ContentEmbedding | None:
        """The item embedding; None for a table of IDs."""
        embedding = self.item_embedding
        return embedding if isinstance(embedding, ContentEmbedding) else None

    def vectors_of_all(self) -> Tensor | None:
        """``[n_catalogue, d]`` item vectors; None for a table of IDs."""
        return self.item_embedding.weight if self.content_embedding is not None else None

    def _build_item_embedding(self, seed: int, dataset: ColdWarmDataset) -> ItemEmbedding:
        """What replaces the backbone's table; its rows have random numbers of their own."""
        spec, dim = dataset.settings.embedding_spec, self.item_embedding.embedding_dim
        content_map, content = None, torch.empty(0)
        if spec.fit is not None:
            content_map, content = dataset.content_rows(spec.fit, dim)
        embedding = spec.make(
            EmbeddingArgs(
                content=content,
                n_warm=dataset.n_warm,
                dim=dim,
                options=dataset.settings.embedding_options,
                generator=torch.Generator().manual_seed(rows_seed(seed)),
                init_table=self.init_id_table,
            )
        )
        if isinstance(embedding, ContentEmbedding) and content_map is not None:
            embedding.remember_map(content_map)
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
