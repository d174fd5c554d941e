"""Content vectors to unit rows of the model's dimension, by statistics of warm items only."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from recbole_delta.errors import DeltaError


class ContentReduction:
    """Standardise → PCA (only where the dimension differs) → unit norm, as in the paper.

    A cold item was not there when the model was trained, so it must not shape the space:
    means, scales and components come from the warm rows alone.

    Args:
        dim: the model's dimension.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def fit(self, warm: np.ndarray) -> ContentReduction:
        """Fit on warm rows ``[n_warm, content_dim]``.

        Raises:
            DeltaError: the content cannot fill the model's dimension.
        """
        n_warm, content_dim = warm.shape
        self._scaler = StandardScaler().fit(warm.astype(np.float64))
        self._pca: PCA | None = None
        if content_dim != self.dim:
            if min(n_warm, content_dim) < self.dim:
                raise DeltaError(
                    f"{n_warm} warm items with content of dimension {content_dim} cannot fill "
                    f"an item embedding of dimension {self.dim}; choose a smaller one."
                )
            self._pca = PCA(self.dim, svd_solver="full")
            self._pca.fit(self._scaler.transform(warm.astype(np.float64)))
        return self

    def transform(self, content: np.ndarray) -> np.ndarray:
        """Unit rows ``[n, dim]`` float32 of content ``[n, content_dim]``.

        Raises:
            DeltaError: a row becomes zero, so that it has no direction.
        """
        rows = self._scaler.transform(content.astype(np.float64))
        if self._pca is not None:
            rows = self._pca.transform(rows)
        norm = np.linalg.norm(rows, axis=1, keepdims=True)
        if not (norm > 1e-12).all():
            raise DeltaError(
                f"The content of {int((norm <= 1e-12).sum())} items equals the warm items' mean "
                "and has no direction left; are all vectors the same?"
            )
        return (rows / norm).astype(np.float32)
