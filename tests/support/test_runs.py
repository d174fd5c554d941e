"""What a shared training gives a test is what training gives, and the test's own."""

from __future__ import annotations

from pathlib import Path

import torch

import recbole_delta


def test_a_shared_training_is_that_of_anyone_who_trains(tiny, train):
    train(tiny)
    (shared, parts), (own, theirs) = train(tiny), train(tiny, anew=True)
    assert shared.test_modes == own.test_modes
    assert shared.settings == own.settings
    for (name, a), (_, b) in zip(parts[1].state_dict().items(), theirs[1].state_dict().items()):
        assert torch.equal(a, b), name


def test_what_a_test_does_to_its_own_reaches_no_other(tiny, train):
    first, (_, model, dataset, *_) = train(tiny)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(7)
    dataset.item_tokens[:] = "spoilt"
    first.test_mode["metrics"].clear()
    Path(first.checkpoint).write_bytes(b"spoilt")
    second, (_, model, dataset, *_) = train(tiny)
    assert second.checkpoint != first.checkpoint
    assert second.test_mode["metrics"]
    assert "spoilt" not in dataset.item_tokens
    assert not any(parameter.eq(7).all() for parameter in model.parameters())
    assert recbole_delta.resume(second.checkpoint).test_modes == second.test_modes


def test_random_numbers_go_on_alike(tiny, train):
    drawn = []
    for anew in (True, False, False):
        _, loaded = train(tiny, anew=anew)
        drawn.append(torch.rand(3).tolist())
        assert len(loaded[1].state_dict())
        drawn[-1] += torch.rand(3).tolist()
    assert drawn[0] == drawn[1] == drawn[2]
