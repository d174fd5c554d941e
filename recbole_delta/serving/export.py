"""A trained model for other programs: item vectors, and the session encoder as ONNX.

The folder holds

- ``items.safetensors``: ``vectors`` ``[n, D]`` float32 and ``tokens`` uint8, the ids of the items
  that are recommended: UTF-8, joined by line feeds, without one at the end, in the order of the
  rows, as in a content file (:mod:`dataset_prep.format.content`);
- ``encoder.onnx``: from ``history`` ``[B, L, d]`` float32, the vectors of each history's items,
  oldest first and padded on the right, that is with zeros after them, and ``length`` ``[B]`` int64,
  at least 1, to ``session`` ``[B, D]``. The score of an item is the dot product of its vector with
  it. D is d, or d + 2 where the model has constants on cold or warm items (``recipe: calibrated``);
- ``history.safetensors``, where a history takes other vectors than are scored (without constants,
  or as COREDelta scales the latter), or other items (those that were removed). With a constant for
  what comes after a cold item (``after_cold_offset``) their last number says whether an item is
  cold, 1 or 0;
- ``export.json``, which says what is where: ``history`` is the file to take vectors of histories
  from, ``max_length`` the number of latest items that an encoder takes, and with ``fixed_length``
  L is that number for every history. ``dimension`` is that of the vectors of histories,
  ``scored_dimension`` D. ``tokens`` and ``padding`` say in words what stands above.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dataset_prep.errors import DeltaError
from dataset_prep.files import replacing_folder
from dataset_prep.format.content import ContentTable, read_content, write_content
from recbole_delta._version import __version__
from recbole_delta.model import BACKBONES, ContentBackbone
from recbole_delta.serving.items import ServedItems
from recbole_delta.serving.onnx_encoder import (
    check_what_is_traced,
    has_one_length,
    looked_up_dimension,
    looked_up_vectors,
    untraceable,
    write_encoder,
)
from recbole_delta.serving.search import ScoreSearch

FORMAT = "recbole_delta-export-1"
DESCRIPTION, ENCODER = "export.json", "encoder.onnx"
ITEMS, HISTORY = "items.safetensors", "history.safetensors"

TOKENS = "uint8 bytes: the items' ids in UTF-8, joined by line feeds, in the order of the vectors"
PADDING = "right: oldest item first, vectors of zeros after the latest"

TOLERANCE = 1e-4
"""Share of the greatest score by which scores may differ: additions in another order."""
CHECKED_ITEMS = 1000
"""Items whose scores are compared, at most."""


def export(model: Any, items: ServedItems, encoding: Mapping[str, Any], folder: str | Path) -> None:
    """Write the item vectors and the session encoder of a model, in the files listed above.

    The encoder knows no item: whatever is added later needs its vector only. Before the folder
    appears, histories of several lengths are scored from it in onnxruntime.

    Args:
        model: a :class:`~recbole_delta.model.backbone.ContentBackbone`, in evaluation mode.
        items: items of the model's rows, and which of them are recommended.
        encoding: how dataset_prep made their content; it is written into ``export.json``.
        folder: path of the folder; it is replaced where it is an earlier export.

    Raises:
        DeltaError: the model is no backbone, cannot be traced, is traced as another than it is or
            has other scores in onnxruntime, no item is left, a package is missing, or the folder
            cannot be written or holds something else.

    Example:
        :meth:`Recommender.export` calls this:

        >>> import recbole_delta
        >>> from recbole_delta.quick_start.example import example_data
        >>> result = recbole_delta.run("SASRecDelta", "example", settings=example_data())
        >>> recbole_delta.Recommender(result.checkpoint).export("exported")
        >>> sorted(path.name for path in Path("exported").iterdir())
        ['encoder.onnx', 'export.json', 'items.safetensors']
    """
    folder = Path(folder)
    if not isinstance(model, ContentBackbone):
        raise DeltaError(
            f"{type(model).__name__} has no encoder over item vectors to export; export one of "
            f"{', '.join(BACKBONES)}."
        )
    if not items.listed:
        raise DeltaError("There is nothing to export: all items are removed.")
    check_what_is_traced(type(model))
    _check_place(folder)
    _require_onnx()
    with replacing_folder(folder) as temporary:
        history = _write_items(model, items, temporary)
        write_encoder(model, temporary / ENCODER)
        description = {
            "format": FORMAT,
            "version": __version__,
            "model": type(model).__name__,
            "items": ITEMS,
            "history": history,
            "tokens": TOKENS,
            "encoder": ENCODER,
            "padding": PADDING,
            "n_items": len(items.listed),
            "dimension": looked_up_dimension(model),
            "scored_dimension": model.scored_items().size(1),
            "max_length": int(model.max_seq_length),
            "fixed_length": has_one_length(model),
            "content": dict(encoding),
        }
        text = json.dumps(description, indent=2, ensure_ascii=False)
        (temporary / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
        _check_scores(model, items, temporary)


def _write_items(model: ContentBackbone, items: ServedItems, folder: Path) -> str:
    """Write vectors of items; the name of the file with those of histories."""
    known, listed = items.tokens[1:], items.listed
    row = {token: n for n, token in enumerate(known)}
    with torch.no_grad():
        looked_up = looked_up_vectors(model)[1:]
        scored = model.scored_items()[1:]
    write_content(folder / ITEMS, listed, _numpy(scored)[[row[token] for token in listed]])
    if listed == known and torch.equal(looked_up, scored):
        return ITEMS
    write_content(folder / HISTORY, known, _numpy(looked_up))
    return HISTORY


def _check_scores(model: ContentBackbone, items: ServedItems, folder: Path) -> None:
    """Refuse an export whose scores are not the model's.

    Raises:
        DeltaError: they differ, or onnxruntime cannot compute them.
    """
    draw, longest = np.random.default_rng(0), int(model.max_seq_length)
    known = items.tokens[1:]
    histories = [
        [known[n] for n in draw.integers(len(known), size=length)]
        for length in sorted({1, 2, (longest + 1) // 2, longest, longest + 1})
    ]
    checked = [items.listed[n] for n in draw.permutation(len(items.listed))[:CHECKED_ITEMS]]
    candidate = items.candidates(checked, (), cold_only=False)
    ids = [items.numbers(history, "export") for history in histories]
    found = ScoreSearch(model).best(ids, len(checked), candidate, exclude_seen=False)
    expected = np.stack([_in_order(items.numbers(checked, "export"), *each) for each in found])
    try:
        exported = _Exported(folder)
        alone = [exported.scores([history], checked) for history in histories]
        together = exported.scores(histories, checked)
    except Exception as error:  # onnxruntime's have no class in common
        raise untraceable(model, "onnxruntime cannot run it", error) from error
    scale = np.abs(expected).max()
    worst = np.abs(np.stack([np.concatenate(alone), together]) - expected).max()
    if not worst <= TOLERANCE * scale:
        raise DeltaError(
            f"In onnxruntime, scores of {type(model).__name__} differ by up to "
            f"{worst:.2g} (the greatest is {scale:.2g}); use the versions of torch, onnxscript and "
            "onnxruntime in constraints.txt."
        )


def _in_order(wanted: Tensor, scores: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Scores of the ``wanted`` items, from those of the same items in another order."""
    by_item = dict(zip(items.tolist(), scores.tolist()))
    return np.array([by_item[item] for item in wanted.tolist()])


class _Exported:
    """What others do with an export, in NumPy and onnxruntime."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime

        self.description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        self.scored = _by_token(read_content(folder / self.description["items"]))
        self.looked_up = _by_token(read_content(folder / self.description["history"]))
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what goes wrong is raised as well
        self.encoder = onnxruntime.InferenceSession(
            folder / self.description["encoder"], options, providers=["CPUExecutionProvider"]
        )

    def scores(self, histories: Sequence[Sequence[str]], items: Sequence[str]) -> np.ndarray:
        """Scores ``[B, n]`` of the items after each history."""
        recent = [history[-self.description["max_length"] :] for history in histories]
        length = np.array([*map(len, recent)])
        width = self.description["max_length"] if self.description["fixed_length"] else length.max()
        vectors = np.zeros((len(recent), width, self.description["dimension"]), dtype=np.float32)
        for row, history in zip(vectors, recent):
            row[: len(history)] = self.looked_up(history)
        [session] = self.encoder.run(["session"], {"history": vectors, "length": length})
        return session @ self.scored(items).T


def _by_token(table: ContentTable) -> Callable[[Sequence[str]], np.ndarray]:
    place = {token: n for n, token in enumerate(table.tokens)}
    return lambda tokens: table.vectors[[place[token] for token in tokens]]


def _check_place(folder: Path) -> None:
    """What would be replaced is an export."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / DESCRIPTION).is_file():
        raise DeltaError(f"{folder} holds something else than an export; choose another folder.")


def _require_onnx() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise DeltaError(f"{error}; export needs: pip install 'recbole-delta[export]'.") from error


def _numpy(rows: Tensor) -> np.ndarray:
    return rows.detach().cpu().numpy()
