"""Two models side by side, one of ids and one of content."""

from __future__ import annotations

import pytest
import torch

from dataset_prep.errors import DeltaError


def test_the_ensemble_adds_what_two_separate_models_say(tiny, train):
    """Side by side they are trained as each alone, and a cold item has the content's score."""
    settings = {"hidden_dropout_prob": 0.0, "attn_dropout_prob": 0.0, "eval_step": 0}
    _, (_, both, dataset, _, _, test) = train(
        tiny, "SASRecEnsemble", item_embedding="delta", **settings
    )
    alone = [train(tiny, item_embedding=mode, **settings)[1][1] for mode in ("id", "delta")]
    for part, model in zip((both.by_id, both.by_content), alone):
        for (name, a), (_, b) in zip(part.named_parameters(), model.named_parameters()):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4, msg=name)
    case = int((test.dataset.instances.warm_history.lengths >= 2).nonzero()[0])
    whole, warm = (
        test.dataset.batch(torch.tensor([case]), drop_cold=drop) for drop in (False, True)
    )
    known = slice(1, dataset.n_warm + 1)
    with torch.no_grad():
        ids = alone[0].eval().full_sort_predict(warm)[0]
        content = alone[1].eval().full_sort_predict(whole)[0]
        scores = both.eval().full_sort_predict(whole)[0]
    content = (content - content[known].mean()) / content[known].std()
    expected = content[known] + (ids[known] - ids[known].mean()) / ids[known].std()
    torch.testing.assert_close(scores[known], expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(scores[known.stop :], content[known.stop :], rtol=1e-4, atol=1e-4)


def test_the_ensemble_does_not_fall_over_a_history_of_cold_items(tiny, train):
    _, (_, model, dataset, *_) = train(tiny, "SASRecEnsemble")
    cold = dataset.n_warm + 1
    batch = {
        "item_id_list": torch.tensor([[cold, cold + 1], [1, cold]]),
        "item_length": torch.tensor([2, 2]),
    }
    with torch.no_grad():
        scores = model.eval().full_sort_predict(batch)
    assert scores.shape == (2, len(dataset.item_tokens))
    assert scores.isfinite().all()
    with pytest.raises(DeltaError, match="not id"):
        train(tiny, "SASRecEnsemble", item_embedding="id")
