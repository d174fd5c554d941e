"""An export scores as the checkpoint does, with onnxruntime, safetensors and NumPy alone."""

from __future__ import annotations

import copy
import json
import sys

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.numpy import load_file

from recbole_delta import DeltaError, Recommender
from recbole_delta.cli.main import main
from recbole_delta.model import BACKBONES, SASRecDelta
from recbole_delta.serving import export as module

HISTORIES = [["i2"], ["i1", "i5"], ["i3", "i7", "i11", "i3"], [f"i{n}" for n in range(20)]]

ORIGINAL = ("SASRecDelta", {"block": "original", "hidden_act": "relu"})
GATED = ("SASRecDelta", {"block": "ligr"})
WITHOUT_OUTPUT_LAYERS = ("BERT4RecDelta", {"output_layers": False})
WITH_LAYERS = ("GRU4RecDelta", {"num_layers": 2, "hidden_size": 24})
WITHOUT_CONTENT = ("STAMPDelta", {"item_embedding": "id"})


def vectors_of(path):
    tensors = load_file(path)
    return dict(zip(tensors["tokens"].tobytes().decode().split("\n"), tensors["vectors"]))


class Exported:
    """A program that has never heard of us."""

    def __init__(self, folder, items=None):
        self.facts = json.loads((folder / "export.json").read_text())
        items = items or folder
        self.items = vectors_of(items / "items.safetensors")
        self.looked_up = vectors_of(items / self.facts["history"])
        self.encoder = onnxruntime.InferenceSession(folder / "encoder.onnx")

    def sessions(self, histories, width=0):
        recent = [history[-self.facts["max_length"] :] for history in histories]
        width = max(width, *map(len, recent))
        if self.facts["fixed_length"]:
            width = self.facts["max_length"]
        padded = np.zeros((len(recent), width, self.facts["dimension"]), np.float32)
        for n, history in enumerate(recent):
            padded[n, : len(history)] = [self.looked_up[item] for item in history]
        length = np.array([len(history) for history in recent])
        return self.encoder.run(["session"], {"history": padded, "length": length})[0]

    def scores(self, histories):
        scores = self.sessions(histories) @ np.stack(list(self.items.values())).T
        return [dict(zip(self.items, row)) for row in scores]

    def best(self, histories, k=10):
        """As Recommender.recommend."""
        found = []
        for history, scores in zip(histories, self.scores(histories)):
            unseen = [(item, score) for item, score in scores.items() if item not in history]
            found.append(sorted(unseen, key=lambda each: -each[1])[:k])
        return found


def assert_same_recommendations(exported, recommender, histories):
    for ours, theirs in zip(exported.best(histories), recommender.recommend(histories)):
        assert [item for item, _ in ours] == [each.item for each in theirs]
        scores = np.array([[score for _, score in ours], [each.score for each in theirs]])
        np.testing.assert_allclose(*scores / abs(scores).max(), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        *((model, {}) for model in BACKBONES),
        *(ORIGINAL, GATED, WITHOUT_OUTPUT_LAYERS, WITH_LAYERS, WITHOUT_CONTENT),
    ],
)
def test_an_export_recommends_as_the_checkpoint(tiny, train, tmp_path, model, settings):
    result, _ = train(tiny, model, **settings)
    recommender = Recommender(result.checkpoint)
    known = set(recommender.items)
    histories = [[item for item in each if item in known] or ["i2"] for each in HISTORIES]
    recommender.export(tmp_path / "exported")
    exported = Exported(tmp_path / "exported")
    assert set(exported.items) == known
    # A batch, histories by themselves, and more padding than there need be.
    assert_same_recommendations(exported, recommender, histories)
    for history in histories:
        assert_same_recommendations(exported, recommender, [history])
    alone, padded = (exported.sessions([["i2", "i3"]], width) for width in (2, 8))
    np.testing.assert_allclose(alone, padded, rtol=1e-5, atol=1e-6)
    facts = exported.facts
    assert (facts["model"], facts["dimension"], facts["max_length"]) == (model, 16, 8)
    assert facts["fixed_length"] == (model == "LightSANsDelta")
    assert facts["n_items"] == len(known)


@pytest.mark.parametrize("after_cold", [0.0, 0.9])
def test_offsets_are_in_the_vectors(tiny, train, tmp_path, after_cold):
    recommender = Recommender(train(tiny, cold_offset=0.7)[0].checkpoint)
    classes = int(recommender.model.warm_class.max()) + 1
    recommender.model.set_offsets(0.7, torch.linspace(2, -1, classes).tolist(), after_cold)
    recommender.export(tmp_path / "exported")
    exported = Exported(tmp_path / "exported")
    cold, other = recommender.cold_items[:2]
    histories = [*HISTORIES, ["i1", cold], [cold, "i1"], [other, cold]]
    assert_same_recommendations(exported, recommender, histories)
    assert len(next(iter(exported.items.values()))) == 16 + 2
    assert exported.facts["dimension"] == (17 if after_cold else 16)
    assert exported.facts["scored_dimension"] == 16 + 2


@pytest.fixture
def trained(tiny, train):
    return train(tiny, "STAMPDelta")[0].checkpoint


def test_an_item_that_comes_later_needs_only_its_vector(tiny, trained, tmp_path):
    recommender = Recommender(trained)
    recommender.export(tmp_path / "old")
    content = np.stack([tiny.vectors["i5"], tiny.vectors["i6"]]) + 0.01
    recommender.add_items(["new", "newer"], content)
    recommender.export(tmp_path / "more")
    exported = Exported(tmp_path / "old", items=tmp_path / "more")
    assert {"new", "newer"} <= set(exported.items)
    histories = [["new"], ["i1", "newer", "i2"], ["i3"]]
    assert_same_recommendations(exported, recommender, histories)
    encoders = [(tmp_path / name / "encoder.onnx").read_bytes() for name in ("old", "more")]
    assert encoders[0] == encoders[1]


def test_a_removed_item_may_stand_in_histories(trained, tmp_path):
    recommender = Recommender(trained)
    recommender.remove_items(["i1", "i9"])
    recommender.export(tmp_path / "less")
    exported = Exported(tmp_path / "less")
    assert exported.facts["history"] == "history.safetensors"
    assert not {"i1", "i9"} & set(exported.items)
    assert_same_recommendations(exported, recommender, HISTORIES)


@pytest.mark.parametrize("longest", [1, 2])
def test_the_shortest_histories(tiny, train, tmp_path, longest):
    result, _ = train(tiny, "BERT4RecDelta", MAX_ITEM_LIST_LENGTH=longest, epochs=1)
    recommender = Recommender(result.checkpoint)
    recommender.export(tmp_path / "exported")
    assert_same_recommendations(Exported(tmp_path / "exported"), recommender, HISTORIES)


def test_the_command_says_what_it_wrote_and_nothing_else(trained, tmp_path, capfd):
    main(["export", trained, "--to", str(tmp_path / "exported")])
    main(["export", trained, "--to", str(tmp_path / "exported")])  # takes the other's place
    shown = capfd.readouterr()
    line = f"{tmp_path / 'exported'}: 48 items; onnxruntime scores them as the model does\n"
    assert shown.out == 2 * line
    assert shown.err == ""
    names = sorted(path.name for path in (tmp_path / "exported").iterdir())
    assert names == ["encoder.onnx", "export.json", "items.safetensors"]
    encoder = (tmp_path / "exported" / "encoder.onnx").read_bytes()
    assert b".py" not in encoder  # nor where it was made


# -- what is refused -----------------------------------------------------------------------


def refused(recommender, folder, message):
    before = sorted(folder.parent.iterdir())
    with pytest.raises(DeltaError, match=message):
        recommender.export(folder)
    assert sorted(folder.parent.iterdir()) == before


def test_scores_that_differ_are_refused(trained, tmp_path, monkeypatch):
    write = module.write_encoder

    def other(model, path):
        model = copy.deepcopy(model)
        with torch.no_grad():
            model.mlp_a.weight.mul_(1.01)
        write(model, path)

    monkeypatch.setattr(module, "write_encoder", other)
    refused(Recommender(trained), tmp_path / "exported", "In onnxruntime, scores of STAMPDelta")


def test_an_output_of_ones_own_needs_one_to_trace(tiny, train, tmp_path):
    """docs/extending.md has the whole of it."""
    recommender = Recommender(train(tiny, "SASRecDelta")[0].checkpoint)

    class Doubled(SASRecDelta):
        def last_position(self, item_seq, item_seq_len):
            return 2 * super().last_position(item_seq, item_seq_len)

    recommender.model.__class__ = Doubled
    refused(recommender, tmp_path / "exported", "^Doubled has a last_position of its own, but")
    Doubled.padded_last_position = lambda self, *given: (
        2 * SASRecDelta.padded_last_position(self, *given)
    )
    recommender.export(tmp_path / "exported")
    assert (tmp_path / "exported").is_dir()


def test_an_encoder_that_onnx_does_not_take_is_refused(trained, tmp_path, monkeypatch):
    recommender = Recommender(trained)
    whole = recommender.model.forward

    def untraceable(item_seq, item_seq_len):
        return whole(item_seq[:, : int(item_seq_len.max())], item_seq_len)

    def for_one_batch(item_seq, item_seq_len):
        return whole(item_seq, item_seq_len).reshape(-1, 2, 16)[:, 0]

    message = "encoder of STAMPDelta cannot be exported, .* give the class a padded_last_position"
    for forward in (untraceable, for_one_batch):
        stand_in = staticmethod(forward)
        monkeypatch.setattr(type(recommender.model), "padded_last_position", stand_in)
        refused(recommender, tmp_path / "exported", message)


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_named(trained, tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    message = rf"{package}.*; export needs: pip install 'recbole-delta\[export\]'"
    refused(Recommender(trained), tmp_path / "exported", message)


@pytest.mark.parametrize("model", ["ContentMean", "SASRecEnsemble"])
def test_a_model_without_an_encoder_of_vectors_is_refused(tiny, train, tmp_path, model):
    result, _ = train(tiny, model, epochs=1)
    message = f"{model} has no encoder over item vectors to export; export one of SASRecDelta"
    refused(Recommender(result.checkpoint), tmp_path / "exported", message)


def test_without_items_there_is_no_export(trained, tmp_path):
    recommender = Recommender(trained)
    recommender.remove_items(recommender.items)
    refused(recommender, tmp_path / "exported", "nothing to export: all items are removed")


def test_other_files_are_never_replaced(trained, tmp_path):
    recommender = Recommender(trained)
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis").touch()
    refused(recommender, tmp_path / "file", "Cannot write .*file is a file")
    with pytest.raises(DeltaError, match="Cannot write"):
        recommender.export(tmp_path / "file" / "exported")
    refused(recommender, tmp_path / "folder", "holds something else than an export")
    assert (tmp_path / "folder" / "thesis").is_file()


def test_the_description_says_how_ids_are_written_and_which_side_is_padded(trained, tmp_path):
    Recommender(trained).export(tmp_path / "exported")
    said = json.loads((tmp_path / "exported" / "export.json").read_text())
    assert said["tokens"].startswith("uint8 bytes")
    assert "joined by line feeds" in said["tokens"]
    assert said["padding"].startswith("right")
    tokens = load_file(tmp_path / "exported" / said["items"])["tokens"]
    assert tokens.dtype == np.uint8
    assert bytes(tokens).decode("utf-8").split("\n") == Recommender(trained).items
