"""What a step costs on a GPU besides arithmetic: launches, and waits of the host for the device.

Counted on a fake device, so they stand in for a measurement where no GPU is at hand. A launch is
some 5 µs of the host; a wait empties the device's queue, so that it idles until the next launch.
"""

from __future__ import annotations

from collections import Counter

import pytest

import recbole_delta
from recbole_delta.config.run_config import RunConfig
from recbole_delta.evaluator.evaluate import MODES
from recbole_delta.loss import LOSSES
from recbole_delta.model import BACKBONES
from recbole_delta.quick_start.build import make_parts

OPERATIONS = {"ce": 220, "chunked": 225, "sampled": 250, "simrec": 280}
"""The most launches of a step of SASRecDelta (two layers, ``item_embedding: delta``): most are the
encoder's forward and backward, a fifth the loss, a tenth attention, which CUDA has in one where the
fake device spells it out."""

WAITS_OF_A_STEP: dict[str, int] = {}
"""None at all: the sizes of a batch come with it from the CPU, by pinned copies."""

WAITS_OF_AN_EPOCH = {"copy to the host": 1}
"""The losses are read once in 100 steps, for the curve and to find NaN."""

WAITS_OF_AN_EVALUATION = {
    "copy to the host": 12,  # six columns of ranks for each kind of history, when all are counted
    "unique2": 1, "unique_dim": 1, "nonzero": 1, "boolean mask": 2,  # items with equal vectors
}  # fmt: skip
"""However many blocks of cases there are."""


class Batches(list):
    """Some of a loader's."""


def trainer_of(settings):
    made = make_parts(RunConfig(config_dict=settings))
    trainer = made.trainer(made.config, made.model)
    trainer._begin(made.train)
    trainer._epoch = 0
    return trainer, made


def of_epoch(watch, trainer, batches):
    watch.reset()
    trainer._train_epoch(Batches(batches), 0)
    return Counter(watch.operations), Counter(watch.waits)


@pytest.fixture
def counts(tiny, train, watch):
    """counts(model, **settings) -> operations and waits of a step, and waits of an epoch."""

    def counts(model, **settings):
        settings = {"train_batch_size": 8, "epochs": 1, **settings}
        result, _ = train(tiny, model, **settings)
        trainer, made = trainer_of(result.settings)
        batches = list(made.train)[:3]
        of_epoch(watch, trainer, batches)  # the optimizer's first step makes its state
        one, three = (of_epoch(watch, trainer, batches[:n]) for n in (1, 3))
        step = [
            Counter({k: (b[k] - a[k]) / 2 for k in b if b[k] > a[k]}) for a, b in zip(one, three)
        ]
        return sum(step[0].values()), dict(step[1]), dict(one[1] - step[1])

    return counts


@pytest.mark.parametrize("loss", LOSSES)
def test_the_budget_of_a_step(counts, loss):
    operations, waits, of_epoch = counts("SASRecDelta", loss=loss)
    assert 100 < operations <= OPERATIONS[loss]
    assert waits == WAITS_OF_A_STEP
    assert of_epoch == WAITS_OF_AN_EPOCH


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("backbone", [*BACKBONES, "SASRecEnsemble"])
def test_no_backbone_makes_the_host_wait_in_a_step(counts, backbone, loss):
    _, waits, of_epoch = counts(backbone, loss=loss)
    assert waits == WAITS_OF_A_STEP
    assert of_epoch == WAITS_OF_AN_EPOCH


def test_semantic_ids_do_not_make_the_host_wait_either(counts):
    _, waits, of_epoch = counts("RPG", n_codebook=8)
    assert waits == WAITS_OF_A_STEP
    assert of_epoch == WAITS_OF_AN_EPOCH


def test_the_losses_are_read_every_hundred_steps(tiny, train, watch):
    result, _ = train(tiny, "SASRecDelta", epochs=1)
    trainer, made = trainer_of(result.settings)
    batch = next(iter(made.train))
    _, waits = of_epoch(watch, trainer, [batch] * 101)
    assert waits == {"copy to the host": 2}


@pytest.mark.parametrize("size", [4, 64])
def test_an_evaluation_waits_as_often_whatever_the_blocks(tiny, train, watch, size):
    result, _ = train(tiny, "SASRecDelta", epochs=1, eval_batch_size=size)
    trainer, made = trainer_of(result.settings)
    watch.reset()
    trainer.evaluate_modes(made.test, MODES)
    assert Counter(watch.waits) <= Counter(WAITS_OF_AN_EVALUATION)


def test_recommending_waits_for_the_best_items_alone(tiny, train, watch):
    result, _ = train(tiny, "SASRecDelta", epochs=1)
    recommender = recbole_delta.Recommender(result.checkpoint)
    histories = [recommender.known_items[:n] for n in (2, 3, 5)]
    watch.reset()
    recommender.recommend(histories, k=3)
    # The candidates go there; a score and an item of each come back.
    assert watch.waits == {"copy to the device": 1, "copy to the host": 2}


def test_lengths_that_nobody_remembers_are_counted(counts, monkeypatch):
    """What the budget would be without them: the sequences are asked for their lengths."""
    monkeypatch.setattr("recbole_delta.data.batch.remember_lengths", lambda *_: None)
    _, waits, _ = counts("SASRecDelta", loss="ce")
    assert waits == {"copy to the host": 2}  # for the targets, and to pack the sequences
