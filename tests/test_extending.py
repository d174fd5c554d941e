"""What CONTRIBUTING promises: an embedding, a loss, a backbone are one class and one entry each."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
import torch
from recbole.model.sequential_recommender.gru4rec import GRU4Rec
from safetensors import safe_open
from torch.nn import functional as F

import recbole_delta
from dataset_prep.errors import DeltaError, at_least_0, whole_number
from recbole_delta import Recommender
from recbole_delta.embedding import EMBEDDINGS, DeltaEmbedding, EmbeddingSpec
from recbole_delta.loss import LOSSES, TrainingLoss
from recbole_delta.model import ContentBackbone


@dataclass(frozen=True)
class SphereOptions:
    sphere_radius: float = 0.3

    def __post_init__(self):
        at_least_0("sphere_radius", self.sphere_radius)


def sphere(args):
    return DeltaEmbedding(args.content, args.n_warm, args.options.sphere_radius, init_std=0.0)


@dataclass(frozen=True)
class PairwiseOptions:
    negatives: int = 4

    def __post_init__(self):
        whole_number("negatives", self.negatives, 1)


class Pairwise(TrainingLoss):
    """BPR's loss with uniform negatives."""

    gradient_of_all_items = False
    options = PairwiseOptions

    def __init__(self, train_count, options):
        super().__init__(train_count, options)
        self.n_warm, self.n = len(train_count), options.negatives

    def forward(self, hidden, target, items):
        negative = torch.randint(1, self.n_warm + 1, (len(target) * self.n,))
        other = (hidden.repeat_interleave(self.n, 0) * items.of(negative)).sum(1)
        own = (hidden * items.of(target)).sum(1).repeat_interleave(self.n)
        return F.softplus(other - own).mean()


@pytest.fixture
def planted_kinds(monkeypatch):
    monkeypatch.setitem(EMBEDDINGS, "sphere", EmbeddingSpec(sphere, options=SphereOptions))
    monkeypatch.setitem(LOSSES, "pairwise", Pairwise)


@pytest.mark.parametrize("backbone", ["SASRecDelta", "NARMDelta"])
def test_an_embedding_and_a_loss_with_settings_of_their_own(tiny, train, planted_kinds, backbone):
    given = {"item_embedding": "sphere", "sphere_radius": 0.1, "loss": "pairwise", "negatives": 2}
    result, (_, model, *_) = train(tiny, backbone, epochs=3, learning_rate=0.05, **given)
    norm = model.item_embedding.delta.norm(dim=1)
    assert 0.09 < norm.max() <= 0.1 * (1 + 1e-6)
    assert model.updates_rows
    assert model.training_loss.n == 2
    losses = [entry["train_loss"] for entry in result.curve]
    assert losses[-1] < losses[0]
    assert Recommender(result.checkpoint).recommend([["i1"]], k=3)
    resumed = recbole_delta.resume(result.checkpoint, {"epochs": 4})
    assert len(resumed.curve) == 4


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"item_embedding": "sphere", "sphere_radius": -1}, "sphere_radius must be a number >= 0"),
        ({"loss": "pairwise", "negatives": 0}, "negatives must be a whole number >= 1"),
        ({"negativs": 3}, "did you mean 'negatives'"),
        ({"loss": "pairwis"}, "loss must be one of ce"),
    ],
)
def test_their_settings_are_checked_as_all_others(tiny, train, planted_kinds, given, message):
    with pytest.raises(DeltaError, match=message):
        train(tiny, **given)


def test_their_defaults_are_those_of_the_class(tiny, train, planted_kinds):
    _, (config, *_) = train(tiny, item_embedding="sphere", loss="pairwise", epochs=1)
    assert (config["sphere_radius"], config["negatives"]) == (0.3, 4)


def test_settings_of_the_same_name_have_one_default():
    seen = {}
    for each in (*EMBEDDINGS.values(), *LOSSES.values()):
        for name, field in getattr(each.options, "__dataclass_fields__", {}).items():
            assert seen.setdefault(name, field.default) == field.default


def test_a_backbone_of_ones_own(tiny, train):
    class MyGRU(ContentBackbone, GRU4Rec):
        causal = True

    recbole_delta.register(MyGRU)
    result, (_, model, *_) = train(tiny, "MyGRU", epochs=2, embedding_size=16, hidden_size=16)
    assert type(model) is MyGRU
    assert model.positions == "all"
    with safe_open(result.checkpoint, "pt") as file:
        said = json.loads(file.metadata()["header"])["facts"]
    assert said["kind"] == "run"
    assert said["settings"]["model"] == "MyGRU"


class Peeks(ContentBackbone, GRU4Rec):
    """Declares itself causal, and adds the mean of the whole sequence to every output."""

    causal = True

    def forward(self, item_seq, item_seq_len):
        output = self.item_embedding(item_seq)
        output = output + output.mean(1, keepdim=True)
        return self.gather_indexes(output, item_seq_len - 1)


def test_a_backbone_that_sees_later_items_is_not_taken_for_causal(tiny, train):
    recbole_delta.register(Peeks)
    settings = {"epochs": 1, "embedding_size": 16, "hidden_size": 16}
    with pytest.raises(DeltaError, match="Peeks is declared causal, but its output depends on lat"):
        train(tiny, "Peeks", **settings)

    class Honest(Peeks):
        causal = False

    recbole_delta.register(Honest)
    assert train(tiny, "Honest", **settings)[0].test_result


def test_what_a_backbone_needs_is_a_public_name():
    assert recbole_delta.ContentBackbone is ContentBackbone
    assert "ContentBackbone" in recbole_delta.__all__
