"""What every backbone with a content embedding shares: construction, training loss, scoring."""

from __future__ import annotations

from typing import Any

import torch
from recbole.data.interaction import Interaction
from torch import Tensor, nn
from torch.nn import functional as F

from recbole_delta.compute.dropout import use_fast_dropout
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.embedding import ContentEmbedding, ItemEmbedding
from recbole_delta.loss import LOSSES, ItemVectors
from recbole_delta.model.item_embedding import build_item_embedding
from recbole_delta.model.sequence import SequenceBackbone


class ContentBackbone(SequenceBackbone):
    """A RecBole sequential model over our item embedding.

    To add a backbone, subclass RecBole's class with this one in front of it. The RecBole class must
    look items up in ``self.item_embedding`` and score by the dot product with its rows. What else
    differs is declared by :class:`~recbole_delta.data.traits.SequenceTraits`: ``causal``,
    ``takes_windows``, ``fixed_length``. A causal backbone learns from every position of a window;
    any other learns from a prefix for each target, as in RecBole.

    Args:
        config: a RecBole ``Config``.
        dataset: the training data.

    Attributes:
        item_embedding: the embedding that the setting ``item_embedding`` names.
        cosine_temperature: of the cosine that the embedding is scored by; None for the product.
        training_loss: the loss that the setting ``loss`` names.

    Raises:
        DeltaError: a loss other than CE, a data set without prepared split, or bad content.

    Example:
        RecBole's NextItNet with every item embedding and loss of this package; its defaults are
        those of RecBole's NextItNet:

        >>> import recbole_delta
        >>> from recbole.model.sequential_recommender.nextitnet import NextItNet
        >>> from recbole_delta.model import ContentBackbone
        >>> class NextItNetDelta(ContentBackbone, NextItNet):
        ...     fixed_length = True  # its convolutions see the padding
        ...     def last_position(self, item_seq, item_seq_len):
        ...         return self.forward(item_seq)
        >>> recbole_delta.register(NextItNetDelta)

        From now on it runs under ``recbole_delta.run`` and RecBole's own ``run_recbole``:

        >>> from recbole_delta.quick_start.example import example_data
        >>> settings = {**example_data(), "epochs": 1, "item_embedding": "delta"}
        >>> result = recbole_delta.run("NextItNetDelta", "example", settings=settings)
        >>> result.test_mode["embeds_cold_items"]
        True
    """

    item_embedding: ItemEmbedding

    def __init__(self, config: Any, dataset: ColdWarmDataset) -> None:
        super().__init__(config, dataset)
        dim = self.item_embedding.embedding_dim
        self.item_embedding = build_item_embedding(dataset, dim, config["seed"], self.init_id_table)
        self.cosine_temperature = dataset.settings.embedding_spec.cosine_temperature
        loss = LOSSES[dataset.settings.loss]
        counts = torch.from_numpy(dataset.train_counts())
        self.training_loss = loss(counts, dataset.settings.loss_options)
        if loss.needs_content and (content := dataset.warm_content()) is not None:
            self.training_loss.use_content(torch.from_numpy(content))
        sees_few = not loss.gradient_of_all_items
        self.updates_rows = sees_few and _is_plain_adam(config)
        # The dense gradient of a loss over all items takes in the sparse one of the lookups.
        self.item_embedding.use_sparse_gradients(self.updates_rows or not sees_few)
        use_fast_dropout(self)

    def calculate_loss(self, interaction: Interaction) -> Tensor:
        """Training loss over the warm items: a scalar, the mean over the targets of the batch."""
        hidden, target = self.examples(interaction)
        items = ItemVectors(self.item_embedding, self.as_candidates)
        return self.training_loss(self.as_query(hidden), target, items)

    def output_item_vectors(self, rows: Tensor) -> Tensor:
        """What the backbone makes of item vectors before they are scored; identity by default.

        Args:
            rows: ``[..., d]`` item vectors.

        Returns:
            ``[..., d]``, a row for each of them.
        """
        return rows

    def as_query(self, hidden: Tensor) -> Tensor:
        """What :meth:`as_candidates` are multiplied by to score items.

        Args:
            hidden: ``[..., d]`` sequence representations.

        Returns:
            ``[..., d]``: as they are; where the item embedding is scored by the cosine, unit
            vectors over its temperature.
        """
        temperature = self.cosine_temperature
        return hidden if temperature is None else F.normalize(hidden, dim=-1) / temperature

    def as_candidates(self, rows: Tensor) -> Tensor:
        """Item vectors ``[..., d]`` as they are scored; unit vectors where it is by the cosine.

        Args:
            rows: ``[..., d]`` item vectors.
        """
        vectors = self.output_item_vectors(rows)
        return vectors if self.cosine_temperature is None else F.normalize(vectors, dim=-1)

    def padded_last_position(self, item_seq: Tensor, item_seq_len: Tensor) -> Tensor:
        """Sequence representation at the last position, in shapes that depend on no data.

        Only so can torch trace it for ONNX. Where :meth:`last_position` has no data-dependent
        shapes, as by default, this is the same call.

        Args:
            item_seq: ``[B, L]`` item ids, padded with 0 on the right.
            item_seq_len: ``[B]`` number of items of each sequence, at least 1.

        Returns:
            ``[B, d]``.
        """
        return self.last_position(item_seq, item_seq_len)

    def predict(self, interaction: Interaction) -> Tensor:
        """Scores ``[B]`` of the interaction's items."""
        item_seq, items = interaction[self.ITEM_SEQ], interaction[self.ITEM_ID]
        hidden = self.last_position(item_seq, interaction[self.ITEM_SEQ_LEN])
        vectors = self.as_candidates(self.item_embedding(items))
        return self.calibrated((self.as_query(hidden) * vectors).sum(1), item_seq, items)

    def score_known(self, interaction: Interaction) -> Tensor:
        """Scores ``[B, n]`` of padding and all items that have a vector."""
        hidden = self.last_position(interaction[self.ITEM_SEQ], interaction[self.ITEM_SEQ_LEN])
        return self.as_query(hidden) @ self.as_candidates(self.item_embedding.weight).T

    def scored_items(self) -> Tensor:
        """``[n_items, D]``: their products with :meth:`scored_session` are the scores.

        D is d, or d + 2 with offsets: the last numbers of an item's vector.
        """
        rows = self.as_candidates(self.item_embedding.weight)
        if not self.has_offsets:
            return rows
        return torch.cat([rows, self.offsets(len(rows)).to(rows)], 1)

    def scored_session(self, hidden: Tensor, after_cold: Tensor) -> Tensor:
        """``[B, D]`` what item vectors are multiplied by.

        Args:
            hidden: ``[B, d]`` outputs of the encoder.
            after_cold: ``[B]`` 1 where the last item of the history is cold, 0 elsewhere.
        """
        query = self.as_query(hidden)
        if not self.has_offsets:
            return query
        after_cold = after_cold.to(query)
        return torch.cat([query, torch.stack([torch.ones_like(after_cold), after_cold], 1)], 1)

    @property
    def content_embedding(self) -> ContentEmbedding | None:
        """The item embedding; None for a table of IDs."""
        embedding = self.item_embedding
        return embedding if isinstance(embedding, ContentEmbedding) else None

    def vectors_of_all(self) -> Tensor | None:
        """``[n_catalogue, d]`` item vectors; None for a table of IDs."""
        return self.item_embedding.weight if self.content_embedding is not None else None

    def init_id_table(self, table: nn.Embedding) -> None:
        """Give a table of IDs, in place, the initial values that the backbone has in RecBole."""
        self._init_weights(table)


def _is_plain_adam(config: Any) -> bool:
    """Weight decay and the norm of all gradients concern rows that a step has not seen."""
    adam = config["learner"].lower() == "adam"
    return adam and not config["weight_decay"] and config["clip_grad_norm"] is None
