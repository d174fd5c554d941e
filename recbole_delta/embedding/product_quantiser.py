"""From content vectors to codes: a product quantiser, fitted on warm items."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from scipy.cluster.vq import kmeans2
from sklearn.decomposition import PCA
from torch import Tensor

from dataset_prep.errors import DeltaError
from recbole_delta.embedding.content_map import ContentMap

POINTS_A_CODEWORD = 39
"""Fewer points for each codeword give poor k-means: faiss warns of it from there on."""
MOST_CODEWORDS = 256
"""Codewords of a digit at most, unless asked for: a byte."""
POINTS = 256
"""Points for each codeword beyond which k-means looks at a sample; faiss's number too."""
ROUNDS = 25
"""Rounds of k-means; faiss's number too."""


class ProductQuantiser(ContentMap):
    """Content → m digits, each the nearest of M codewords in a part of the rotated space.

    Optimised product quantisation (Ge et al., CVPR 2013) in its parametric form: the principal
    directions are dealt out to the m parts so that the products of their variances are as equal as
    may be, the best rotation for Gaussian content; then k-means in each part.

    Args:
        linear: values of the linear map before it, by the names of :class:`ContentMap`'s arguments.
        codebooks: ``[m, M, s]`` float64, the codewords of each digit in the s dimensions of its
            part.

    Example:
        Of six items two have the same content, and so the same code. The numbers of a digit's
        codewords follow those of the digit before: 1 and 2 for the first, 3 and 4 for the second.

        >>> import numpy as np
        >>> content = np.random.default_rng(0).normal(size=(6, 4))
        >>> content[5] = content[0]
        >>> quantiser = ProductQuantiser.fitted(content, digits=2, codewords=2, seed=0)
        >>> codes = quantiser(content)
        >>> codes.shape, codes[5].equal(codes[0])
        (torch.Size([6, 2]), True)
        >>> sorted({*codes[:, 0].tolist()}), sorted({*codes[:, 1].tolist()})
        ([1, 2], [3, 4])
    """

    codebooks: Tensor

    def __init__(self, codebooks: np.ndarray, **linear: np.ndarray) -> None:
        super().__init__(**linear)  # type: ignore[arg-type]
        self.register_buffer("codebooks", torch.from_numpy(np.array(codebooks, dtype=np.float64)))

    @classmethod
    def fitted(
        cls, warm: np.ndarray, digits: int, codewords: int | None, seed: int
    ) -> ProductQuantiser:
        """A quantiser for the content of warm items; the same for the same seed.

        Args:
            warm: ``[n_warm, c]`` content of the warm items.
            digits: number m of digits.
            codewords: number M of each digit's codewords; None for :func:`enough_codewords`.
            seed: seed of k-means.

        Raises:
            DeltaError: the content has fewer than m directions, or there are fewer than M items.
        """
        codewords = codewords or enough_codewords(len(warm))
        part = min(warm.shape) // digits
        if not part:
            raise DeltaError(
                f"n_codebook: {len(warm)} warm items with content of dimension {warm.shape[1]} "
                f"cannot fill {digits} digits; choose at most {min(warm.shape)}."
            )
        if codewords > len(warm):
            raise DeltaError(
                f"codebook_size: {len(warm)} warm items cannot make {codewords} codewords; choose "
                "fewer, or leave it out."
            )
        pca = PCA(digits * part, svd_solver="full").fit(warm.astype(np.float64))
        axes = pca.components_[dealt_out(pca.explained_variance_, digits).ravel()].T
        size, dim = axes.shape
        linear = {
            "shift": pca.mean_, "scale": np.ones(size), "axes": axes, "offset": np.zeros(dim),
            "spread": np.ones(dim), "unit": np.array(False),
        }  # fmt: skip
        random = np.random.default_rng(seed)
        n_points = min(len(warm), POINTS * codewords)
        sample = random.choice(len(warm), n_points, replace=False, shuffle=False)
        points = ((warm[sample] - pca.mean_) @ axes).reshape(-1, digits, part)
        books = [_codebook(points[:, digit], codewords, random) for digit in range(digits)]
        return cls(np.stack(books), **linear)

    def _block(self, content: np.ndarray) -> Tensor:
        books = self.codebooks.numpy()
        digits, codewords, part = books.shape
        points = super()._block(content).numpy().reshape(-1, digits, part)
        codes = np.empty((len(points), digits), dtype=np.int32)
        for digit, book in enumerate(books):
            # ‖x − c‖² without ‖x‖², which is the same for every codeword.
            distance = (book**2).sum(1) - 2 * points[:, digit].astype(np.float64) @ book.T
            codes[:, digit] = 1 + digit * codewords + distance.argmin(1)
        return torch.from_numpy(codes)


def enough_codewords(n_warm: int) -> int:
    """As many codewords a digit as k-means can tell apart: a power of two, 256 at most.

    Args:
        n_warm: number of warm items, of which a codeword takes :data:`POINTS_A_CODEWORD`.

    Example:
        >>> enough_codewords(11_165), enough_codewords(1_100), enough_codewords(40)
        (256, 16, 2)
    """
    power = max(1, (n_warm // POINTS_A_CODEWORD).bit_length() - 1)
    return min(MOST_CODEWORDS, 2**power)


def dealt_out(variance: np.ndarray, parts: int) -> np.ndarray:
    """Directions dealt out to parts of one size, the products of their variances nearly equal.

    Args:
        variance: ``[parts · s]`` variances of the directions, falling.
        parts: number of parts.

    Returns:
        ``[parts, s]`` int64, the directions of each part.

    Example:
        >>> import numpy as np
        >>> dealt_out(np.array([8.0, 4.0, 2.0, 1.0]), parts=2).tolist()
        [[0, 3], [1, 2]]
    """
    size = len(variance) // parts
    # Relative to the least one, so that a direction more always makes a product larger.
    logs = np.log(np.maximum(variance / variance[0], np.finfo(np.float64).eps))
    logs -= logs.min()
    product, dealt = np.zeros(parts), [[] for _ in range(parts)]  # type: ignore[var-annotated]
    for direction, log in enumerate(logs):
        room = [each for each in range(parts) if len(dealt[each]) < size]
        least = min(room, key=lambda each: (product[each], len(dealt[each])))
        dealt[least].append(direction)
        product[least] += log
    return np.array(dealt)


def _codebook(points: np.ndarray, codewords: int, random: np.random.Generator) -> np.ndarray:
    with warnings.catch_warnings():
        # A codeword of no point is of no use and does no harm.
        warnings.filterwarnings("ignore", "One of the clusters is empty")
        book, _ = kmeans2(points, codewords, ROUNDS, minit="points", seed=random)
    return book
