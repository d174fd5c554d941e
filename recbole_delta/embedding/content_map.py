"""From content vectors to the rows of an embedding: fitted on warm items, kept with the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from dataset_prep.errors import DeltaError

ROWS_AT_ONCE = 2**16
"""Rows mapped at a time: in float64 they take more memory than before or after."""

FLAT = 1e-6
"""A standard deviation is none where it is this small beside the largest: float32 content has no
more digits."""


class ContentMap(nn.Module):
    """x ↦ (((x − shift) / scale) · axes − offset) / spread, then to unit length where ``unit``.

    A cold item was not there when the model was trained, so it must not shape the space: the
    numbers come from the warm rows alone, and an item that is added later is mapped by them. They
    are buffers, so that a checkpoint carries them, but stay on the CPU in float64, where new
    content is; Apple's GPUs have no float64.

    Args:
        shift: ``[c]`` float64.
        scale: ``[c]`` float64.
        axes: ``[c, d]`` float64; empty for the identity, then c = d.
        offset: ``[d]`` float64.
        spread: ``[d]`` float64.
        unit: whether rows get unit length.

    Example:
        Content of dimension 8 becomes rows of dimension 2; only the warm items shape the map.

        >>> import numpy as np
        >>> content = np.random.default_rng(0).normal(size=(20, 8))
        >>> content_map = ContentMap.standardised(warm=content[:15], dim=2)
        >>> rows = content_map(content)
        >>> rows.shape, rows.norm(dim=1).allclose(rows.new_ones(20))
        (torch.Size([20, 2]), True)
        >>> content_map(content[15:]).allclose(rows[15:])  # items that come later, by the same map
        True
    """

    def __init__(
        self,
        shift: np.ndarray,
        scale: np.ndarray,
        axes: np.ndarray,
        offset: np.ndarray,
        spread: np.ndarray,
        unit: bool,
    ) -> None:
        super().__init__()
        values = {"shift": shift, "scale": scale, "axes": axes, "offset": offset, "spread": spread}
        for name, value in values.items():
            copy = np.array(value, dtype=np.float64, order="C")
            self.register_buffer(name, torch.from_numpy(copy))
        self.register_buffer("unit", torch.tensor(unit))

    @classmethod
    def standardised(cls, warm: np.ndarray, dim: int) -> ContentMap:
        """The paper's map: standardise → PCA (only where the dimension differs) → unit norm.

        Args:
            warm: ``[n_warm, c]`` content of the warm items.
            dim: dimension d of the rows.

        Raises:
            DeltaError: the content has fewer than d directions.
        """
        n_warm, content_dim = warm.shape
        scaler = StandardScaler().fit(warm.astype(np.float64))
        axes, offset = np.empty((0, 0)), np.zeros(dim)
        if content_dim != dim:
            if min(n_warm, content_dim) < dim:
                raise DeltaError(
                    f"{n_warm} warm items with content of dimension {content_dim} cannot fill "
                    f"an item embedding of dimension {dim}; set hidden_size (or embedding_size, "
                    f"which some models have) to {min(n_warm, content_dim)} at most."
                )
            pca = PCA(dim, svd_solver="full")
            pca.fit(scaler.transform(warm.astype(np.float64)))
            axes, offset = pca.components_.T, pca.mean_ @ pca.components_.T
        return cls(scaler.mean_, scaler.scale_, axes, offset, np.ones(dim), unit=True)

    @classmethod
    def whitened(cls, warm: np.ndarray, dim: int, variance: float = 1.0) -> ContentMap:
        """PCA whitening: the d leading principal directions, each with the same variance.

        A direction in which warm items do not differ is 0 for all: a cold item that does would be
        thrown out to where nothing is.

        Args:
            warm: ``[n_warm, c]`` content of the warm items.
            dim: dimension d of the rows.
            variance: variance of each direction over the warm items.

        Raises:
            DeltaError: the content has fewer than d directions.
        """
        if dim > min(warm.shape):
            raise DeltaError(
                f"{len(warm)} warm items with content of dimension {warm.shape[1]} have no {dim} "
                "directions to whiten; choose a smaller embedding."
            )
        pca = PCA(dim, svd_solver="full").fit(warm.astype(np.float64))
        deviation = np.sqrt(pca.explained_variance_)
        told = deviation > FLAT * deviation[0]
        spread = np.where(told, deviation, 1.0) / np.sqrt(variance)
        axes, width = pca.components_.T * told, warm.shape[1]
        offset = pca.mean_ @ axes
        return cls(np.zeros(width), np.ones(width), axes, offset, spread, unit=False)

    @classmethod
    def columns(cls, chosen: np.ndarray, width: int) -> ContentMap:
        """Some of the raw dimensions, at unit length.

        Args:
            chosen: ``[d]`` the dimensions to keep.
            width: dimension c of the content.
        """
        axes = np.eye(width)[:, chosen]
        dim = len(chosen)
        return cls(np.zeros(width), np.ones(width), axes, np.zeros(dim), np.ones(dim), unit=True)

    @classmethod
    def stored(cls, state: dict[str, Tensor]) -> ContentMap:
        """The map whose buffers a checkpoint holds, by name."""
        values: dict[str, Any] = {name: value.numpy() for name, value in state.items()}
        return cls(**values)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> ContentMap:
        return self  # nothing of it moves with the model

    def forward(self, content: np.ndarray) -> Tensor:
        """Map content to rows of an embedding.

        Args:
            content: ``[n, c]`` float.

        Returns:
            ``[n, d]`` float32.

        Raises:
            DeltaError: the content has another dimension, or a row becomes zero, so that it has
                no direction.
        """
        if content.shape[1] != len(self._values()[0]):
            raise DeltaError(
                f"The content has dimension {content.shape[1]}, and the model was trained on "
                f"dimension {len(self._values()[0])}; encode the items with the same encoder."
            )
        blocks = np.split(content, range(ROWS_AT_ONCE, len(content), ROWS_AT_ONCE))
        return torch.cat([self._block(block) for block in blocks])

    def _block(self, content: np.ndarray) -> Tensor:
        shift, scale, axes, offset, spread = self._values()
        rows = (content.astype(np.float64) - shift) / scale
        if axes.size:
            rows = rows @ axes - offset
        rows = rows / spread
        if self.unit:
            norm = np.linalg.norm(rows, axis=1, keepdims=True)
            if not (norm > 1e-12).all():
                kept = f"is zero in all {rows.shape[1]} dimensions that are kept of it"
                what = "equals the warm items' mean" if shift.any() else kept
                raise DeltaError(
                    f"The content of {int((norm <= 1e-12).sum())} items {what} and has no "
                    "direction left; are all vectors the same, or nearly empty?"
                )
            rows = rows / norm
        return torch.from_numpy(rows.astype(np.float32))

    def _values(self) -> list[np.ndarray]:
        names = ("shift", "scale", "axes", "offset", "spread")
        return [getattr(self, name).numpy() for name in names]
