"""The largest products, beside the sorting of all of them in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recbole_delta.serving import screening
from recbole_delta.serving.group_maxima import Allowed, bytes_are_quick
from recbole_delta.serving.screening import ScreenedVectors

NO_ONE = torch.empty(0, dtype=torch.int64)
K, N, DIM = 10, 9000, 24


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def planted(n=N, dim=DIM, seed=0):
    """Vectors around some centres, as items have, and queries that are distributed otherwise."""
    draw = generator(seed)
    centre = torch.randn(40, dim, generator=draw) * 0.8 ** torch.arange(dim)
    vectors = centre[torch.randint(40, (n,), generator=draw)]
    vectors = vectors + 0.3 * torch.randn(n, dim, generator=draw)
    query = 5 * torch.randn(17, dim, generator=draw) * 0.9 ** torch.arange(dim) + 1
    return vectors, query


def everything(n=N):
    return Allowed(torch.ones(n, dtype=torch.bool), None, NO_ONE, NO_ONE)


def brute_force(vectors, query, allowed):
    products = query.double() @ vectors.double().T
    if allowed.offset is not None:
        products += allowed.offset.double()
    products[:, ~allowed.items] = -torch.inf
    products[allowed.seen_by, allowed.seen] = -torch.inf
    return products


def assert_best(found, vectors, query, k, allowed):
    products, items = found
    expected = brute_force(vectors, query, allowed)
    best = expected.topk(k)
    assert torch.equal(items[best.values > -torch.inf], best.indices[best.values > -torch.inf])
    torch.testing.assert_close(products, best.values.float(), atol=1e-4, rtol=1e-5)


def allowances():
    draw = generator(1)
    half = torch.rand(N, generator=draw) < 0.5
    few = torch.zeros(N, dtype=torch.bool)
    few[[5, 2047, 2048, 8999]] = True  # fewer than are wanted, at the ends of blocks
    cold = torch.zeros(N)
    cold[3001:] = -2.5  # in the middle of a group
    some = cold.clone()
    some[3001::7] = 0  # in every group, as after a warm-up
    row = torch.arange(17).repeat_interleave(300)
    seen = torch.randint(N, (17 * 300,), generator=draw)
    yield "everything", everything()
    yield "half", Allowed(half, None, NO_ONE, NO_ONE)
    yield "few", Allowed(few, None, NO_ONE, NO_ONE)
    yield "seen", Allowed(~few, None, row, seen)
    yield "offset", Allowed(half, cold, row, seen)
    yield "offsets that differ in a group", Allowed(half, some, row, seen)
    yield "offsets above all products", Allowed(~few, -100 * some, row, seen)


@pytest.mark.parametrize("in_bytes", [True, False])
@pytest.mark.parametrize(("name", "allowed"), allowances())
def test_the_best_are_those_of_sorting_all_products(name, allowed, in_bytes, monkeypatch):
    monkeypatch.setattr(screening, "QUERIES_AT_ONCE", 7)
    vectors, query = planted()
    found = ScreenedVectors(vectors, in_bytes).best(query, K, allowed)
    assert_best(found, vectors, query, K, allowed)


def odd_vectors():
    vectors, _ = planted()
    one_large, zeros, tiny = vectors.clone(), vectors.clone(), vectors * 1e-12
    one_large[4000] *= 1e4
    zeros[2000:6000] = 0
    zeros[6000:] *= -1
    yield "one of another scale", one_large
    yield "zeros among them", zeros
    yield "none larger than 1e-12", tiny
    yield "of an odd dimension", planted(dim=13)[0]
    yield "of two numbers", planted(dim=2)[0]


@pytest.mark.parametrize(("name", "vectors"), odd_vectors())
def test_vectors_that_rounding_treats_badly_are_found(name, vectors):
    _, query = planted(dim=vectors.size(1))
    products, _ = ScreenedVectors(vectors, in_bytes=True).best(query, K, everything())
    expected = brute_force(vectors, query, everything()).topk(K).values
    scale = expected.abs().max().item()
    torch.testing.assert_close(products, expected.float(), atol=1e-5 * scale, rtol=0)


def test_queries_without_a_best_are_answered():
    """A query of zeros, and vectors that are all the same, leave everything open."""
    vectors, query = planted()
    query[3] = 0
    products, items = ScreenedVectors(vectors, in_bytes=True).best(query, K, everything())
    assert (products[3] == 0).all()
    assert len(items[3].unique()) == K
    rest = torch.arange(17) != 3
    assert_best((products[rest], items[rest]), vectors, query[rest], K, everything())
    same = vectors[:1].expand(N, -1)
    products, items = ScreenedVectors(same, in_bytes=True).best(query, K, everything())
    torch.testing.assert_close(products, (query @ same[0])[:, None].expand(-1, K))
    assert all(len(row.unique()) == K for row in items)


@pytest.mark.parametrize("n", [1, 31, 2048, 2049, 5000])
def test_what_is_put_later_is_as_if_it_had_been_there(n):
    """New vectors are appended over groups and blocks that were begun, others are replaced."""
    vectors, query = planted()
    before = N - n
    grown = ScreenedVectors(vectors[:before] * 1, in_bytes=True)
    replaced = torch.tensor([0, 40, before - 1])
    at_first = vectors[:before].clone()
    at_first[replaced] = 9.0
    grown = ScreenedVectors(at_first, in_bytes=True)
    grown.put(
        torch.cat([replaced, torch.arange(before, N)]),
        vectors[[0, 40, before - 1, *range(before, N)]],
    )
    anew = ScreenedVectors(vectors, in_bytes=True)
    for one, other in zip(grown.best(query, K, everything()), anew.best(query, K, everything())):
        assert torch.equal(one, other)
    assert_best(grown.best(query, K, everything()), vectors, query, K, everything())


@pytest.fixture
def looked_at(monkeypatch):
    """Numbers of groups whose products have been computed in float32, call by call."""
    numbers = []
    products = ScreenedVectors._products

    def counting(self, query, row, group, allowed):
        numbers.append(len(row))
        return products(self, query, row, group, allowed)

    monkeypatch.setattr(ScreenedVectors, "_products", counting)
    return numbers


def test_most_vectors_are_not_looked_at_twice(looked_at):
    """Else bytes would save nothing."""
    vectors, query = planted(60_000, 64)
    ScreenedVectors(vectors, in_bytes=True).best(query, K, everything(60_000))
    assert sum(looked_at) / len(query) < 0.1 * 60_000 / screening.GROUP


def test_where_bytes_tell_nothing_apart_memory_stays_small(looked_at):
    vectors, query = planted(2)
    same = vectors[:1].expand(60_000, -1)
    ScreenedVectors(same, in_bytes=True).best(query, K, everything(60_000))
    assert max(looked_at) <= screening.MOST_GROUPS * len(query)


def test_a_processor_without_a_product_of_bytes_does_without(monkeypatch):
    def missing(*arguments, **options):
        raise RuntimeError("not implemented for 'Char'")

    bytes_are_quick.cache_clear()
    monkeypatch.setattr(torch, "_int_mm", missing)
    assert not bytes_are_quick(DIM)
    bytes_are_quick.cache_clear()


def test_a_product_of_bytes_that_is_wrong_is_not_used(monkeypatch):
    """As torch's of vectors of one number."""

    def wrong(query, vectors, out):
        return out.zero_()  # quickly

    bytes_are_quick.cache_clear()
    monkeypatch.setattr(torch, "_int_mm", wrong)
    assert not bytes_are_quick(DIM)
    bytes_are_quick.cache_clear()


def test_faiss_finds_the_same():
    faiss = pytest.importorskip("faiss")
    vectors, query = planted()
    index = faiss.IndexFlatIP(DIM)
    index.add(vectors.numpy())
    products, items = index.search(query.numpy(), K)
    found = ScreenedVectors(vectors, in_bytes=True).best(query, K, everything())
    assert np.array_equal(items, found[1].numpy())
    assert found[0].numpy() == pytest.approx(products, abs=1e-4)
