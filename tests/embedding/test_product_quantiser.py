"""Codes from content: the nearest codewords, as good as another library's, by warm items alone."""

from __future__ import annotations

import numpy as np
import pytest

from dataset_prep.errors import DeltaError
from recbole_delta.embedding.product_quantiser import ProductQuantiser, dealt_out


@pytest.fixture(scope="module")
def content() -> np.ndarray:
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(900, 16)) * np.linspace(3, 0.3, 16)
    return (factors @ rng.normal(size=(16, 16)) + 2).astype(np.float32)


def test_a_digit_is_the_nearest_codeword_of_its_part(content):
    quantiser = ProductQuantiser.fitted(content[:500], digits=4, codewords=8, seed=1)
    codes = quantiser(content).numpy()
    axes, books = quantiser.axes.numpy(), quantiser.codebooks.numpy()
    rotated = (content.astype(np.float64) - content[:500].mean(0, dtype=np.float64)) @ axes
    for row, code in zip(rotated[::7], codes[::7]):
        for digit in range(4):
            part = row[4 * digit : 4 * digit + 4]
            distances = [float(((part - word) ** 2).sum()) for word in books[digit]]
            assert code[digit] == 1 + 8 * digit + int(np.argmin(distances))


def distortion(points: np.ndarray, restored: np.ndarray) -> float:
    return float(((points - restored) ** 2).sum(1).mean())


def test_codes_restore_content_as_well_as_faiss_does(content):
    faiss = pytest.importorskip("faiss")
    faiss.omp_set_num_threads(1)
    opq = faiss.IndexPreTransform(faiss.OPQMatrix(16, 4), faiss.IndexPQ(16, 4, 4))
    opq.train(content)
    theirs = distortion(content, opq.sa_decode(opq.sa_encode(content)))
    quantiser = ProductQuantiser.fitted(content, digits=4, codewords=16, seed=0)
    books, first = quantiser.codebooks.numpy(), 1 + 16 * np.arange(4)
    words = books[np.arange(4), quantiser(content).numpy() - first]
    restored = words.reshape(900, 16) @ quantiser.axes.numpy().T + content.mean(0)
    assert distortion(content, restored) < 1.05 * theirs


def test_the_rotation_keeps_distances_and_deals_every_direction_once(content):
    quantiser = ProductQuantiser.fitted(content, digits=4, codewords=8, seed=0)
    axes = quantiser.axes.numpy()
    np.testing.assert_allclose(axes.T @ axes, np.eye(16), atol=1e-9)
    variance = np.sort(np.random.default_rng(3).exponential(size=12))[::-1]
    dealt = dealt_out(variance, 3)
    assert sorted(dealt.ravel()) == list(range(12))
    products = variance[dealt].prod(1)
    in_order = variance.reshape(3, 4).prod(1)
    assert products.max() / products.min() < (in_order.max() / in_order.min()) ** 0.2


def test_a_code_needs_as_many_directions_and_items(content):
    with pytest.raises(DeltaError, match="n_codebook.*cannot fill 17 digits; choose at most 16"):
        ProductQuantiser.fitted(content, digits=17, codewords=8, seed=0)
    with pytest.raises(DeltaError, match="codebook_size: 5 warm items cannot make 8 codewords"):
        ProductQuantiser.fitted(content[:5], digits=2, codewords=8, seed=0)
