"""The encoder of a backbone as one ONNX graph, from vectors of items to that of the session."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dataset_prep.errors import DeltaError
from recbole_delta.model import ContentBackbone


class SessionEncoder(nn.Module):
    """A backbone that takes the vectors of a history instead of its ids.

    Args:
        model: backbone, which stays as it is; its weights are copied, its item embedding is not.
    """

    def __init__(self, model: ContentBackbone) -> None:
        super().__init__()
        self.given = _GivenVectors()
        instead: dict[int, Any] = {id(model.item_embedding): self.given}
        instead |= {id(part): _OnnxGRU(part) for part in model.modules() if type(part) is nn.GRU}
        self.model = copy.deepcopy(model, instead).cpu()

    def forward(self, history: Tensor, length: Tensor) -> Tensor:
        """Sequence representation at the last position.

        Args:
            history: ``[B, L, d]`` vectors of the items, oldest first, zeros after them;
                ``[B, L, d + 1]`` where the model has a constant for what comes after a cold item,
                the last number of a cold item's vector 1, of a warm one's 0.
            length: ``[B]`` int64 number of items of each history, at least 1.

        Returns:
            ``[B, D]``, two numbers more than d where the model has constants on items.
        """
        size, width = length.size(0), history.size(1)
        after_cold = history.new_zeros(size)
        if self.model.after_cold_offset:
            after_cold = history[torch.arange(size), length - 1, -1]
            history = history[:, :, :-1]
        # The places of the batch are the catalogue, and padding is 0 as always.
        ids = torch.arange(1, size * width + 1).view(size, width)
        ids = torch.where(torch.arange(width) < length[:, None], ids, 0)
        self.given.vectors = F.pad(history.flatten(0, 1), (0, 0, 1, 0))
        hidden = self.model.padded_last_position(ids, length)
        session = self.model.scored_session(hidden, after_cold)
        self.given.vectors = None  # no trace of this call may outlive it
        return session


class _GivenVectors(nn.Module):
    """An item embedding of whatever vectors it is given."""

    vectors: Any = None

    def forward(self, ids: Tensor) -> Tensor:
        return F.embedding(ids, self.vectors)


class _OnnxGRU(nn.Module):
    """ONNX's own GRU: torch unrolls its one for the length that it happens to trace.

    Without biases and ``batch_first``, as the backbones have it.
    """

    def __init__(self, gru: nn.GRU) -> None:
        super().__init__()
        self.hidden_size = gru.hidden_size
        self.weights = nn.ParameterList(
            torch.cat([update, reset, new])[None]
            for layer in gru.all_weights
            for reset, update, new in (weight.detach().chunk(3) for weight in layer)
        )

    def forward(self, inputs: Tensor) -> tuple[Tensor, None]:
        hidden = inputs.transpose(0, 1)
        weights = iter(self.weights)
        for of_input, of_hidden in zip(weights, weights):
            length, size, _ = hidden.shape
            hidden = torch.onnx.ops.symbolic(
                "GRU",
                (hidden, of_input, of_hidden),
                {"hidden_size": self.hidden_size, "linear_before_reset": 1},
                dtype=hidden.dtype,
                shape=(length, 1, size, self.hidden_size),
            ).squeeze(1)
        return hidden.transpose(0, 1), None


def write_encoder(model: ContentBackbone, path: Path) -> None:
    """Write the encoder of a model, for any number of histories of any length that it takes.

    Args:
        model: backbone, in evaluation mode.
        path: path of the ONNX file, with inputs ``history`` ``[B, L, d]`` and ``length`` ``[B]``
            and the output ``session`` ``[B, D]``, as of :meth:`SessionEncoder.forward`.

    Raises:
        DeltaError: torch cannot trace the backbone.
    """
    fixed = has_one_length(model)
    width = int(model.max_seq_length) if fixed else 2
    history = torch.zeros(2, width, looked_up_dimension(model))
    axes = {0: "batch"} if fixed else {0: "batch", 1: "items"}
    with _quiet(), torch.no_grad():
        try:
            program: Any = torch.onnx.export(
                SessionEncoder(model).eval(),
                (history, torch.tensor([1, width])),
                input_names=["history", "length"],
                output_names=["session"],
                dynamic_shapes={"history": axes, "length": {0: "batch"}},
                dynamo=True,
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            cause = error.__cause__ or error
            raise untraceable(model, "torch cannot trace it", cause) from error
    graph = program.model_proto
    # Where each operator comes from: file names of the machine that exports, for the most part.
    for part in (graph.graph, *graph.graph.node):
        part.ClearField("metadata_props")
    path.write_bytes(graph.SerializeToString(deterministic=True))


def looked_up_dimension(model: ContentBackbone) -> int:
    """How many numbers an exported encoder is given of each item: :func:`looked_up_vectors`."""
    return model.item_embedding.embedding_dim + bool(model.after_cold_offset)


def looked_up_vectors(model: ContentBackbone) -> Tensor:
    """``[n_items, d]`` what an exported encoder is given of each item, padding first.

    ``[n_items, d + 1]`` where the model has a constant for what comes after a cold item: the last
    number says which items are cold.
    """
    rows = model.item_embedding.weight
    if not model.after_cold_offset:
        return rows
    is_cold = torch.arange(len(rows), device=rows.device) > model.n_warm
    return torch.cat([rows, is_cold.to(rows)[:, None]], 1)


def has_one_length(model: ContentBackbone) -> bool:
    """Whether histories must be padded to MAX_ITEM_LIST_LENGTH, whatever their lengths."""
    return model.fixed_length or model.max_seq_length == 1


def check_what_is_traced(model: type[ContentBackbone]) -> None:
    """Refuse a class that computes its output anew, but is traced as the class that it extends.

    Raises:
        DeltaError: with the method that it lacks.
    """
    computed, traced = (
        next(each for each in model.__mro__ if name in vars(each))
        for name in ("last_position", "padded_last_position")
    )
    # The default of the latter calls the former.
    if traced is not ContentBackbone and computed is not traced and issubclass(computed, traced):
        raise DeltaError(
            f"{computed.__name__} has a last_position of its own, but would be exported by the "
            f"padded_last_position of {traced.__name__}; give it one of its own too, which does "
            "the same in shapes that depend on no data."
        )


def untraceable(model: ContentBackbone, why: str, error: BaseException) -> DeltaError:
    """The error to raise for a backbone that cannot be exported.

    Args:
        model: the backbone.
        why: what failed, as part of a sentence.
        error: error of torch or onnxruntime, whose first line is quoted.
    """
    first = str(error).strip().partition("\n")[0]
    return DeltaError(
        f"The encoder of {type(model).__name__} cannot be exported, {why} ({first}); give the "
        "class a padded_last_position whose shapes depend on no data."
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Torch warns of its own deprecations, and of packages that nobody here needs."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
