"""The data set: what is trained on, and in what order."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch
from recbole.data import data_preparation
from support.datasets import Prepared

import recbole_delta
from dataset_prep.format.fields import SPLITS
from recbole_delta.config.run_config import RunConfig
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.data.fingerprint import data_fingerprint


def loaders(folder, name, **settings):
    config = RunConfig("SASRecDelta", name, config_dict={"data_path": str(folder), **settings})
    dataset = ColdWarmDataset(config)
    return dataset, *data_preparation(config, dataset)


def decoded_targets(dataset, train_data, positions):
    """(user, item) tokens of every target of one epoch."""
    users, items = dataset.field2id_token["user_id"], dataset.field2id_token["item_id"]
    pairs = Counter()
    for batch in train_data:
        columns = ("user_id", "item_id_list", "item_length", "item_id")
        for user, seq, n, target in zip(*(batch[c].tolist() for c in columns)):
            targets = [*seq[1:n], target] if positions == "all" else [target]
            pairs.update((users[user], items[item]) for item in targets)
    return pairs


@pytest.mark.slow
@pytest.mark.parametrize("positions", ["all", "last"])
def test_an_epoch_is_the_prepared_training_rows_less_each_users_first(ml_100k, positions):
    dataset, train_data, *_ = loaders(
        ml_100k.parent, ml_100k.name, train_positions=positions, train_batch_size=4096
    )
    rows = pd.read_csv(ml_100k / f"{ml_100k.name}.inter", sep="\t", dtype=str)
    rows.columns = [c.split(":")[0] for c in rows.columns]
    train = rows[rows["split"] == "train"]
    expected = train[train["user_id"].duplicated()]
    expected = Counter(zip(expected["user_id"], expected["item_id"]))
    assert decoded_targets(dataset, train_data, positions) == expected


def test_prefixes_are_exactly_those_of_recboles_own_augmentation(tiny, tmp_path, monkeypatch):
    """The training rows alone, once through RecBole's SequentialDataset, once through ours."""
    from recbole.config import Config
    from recbole.data.dataset import SequentialDataset

    tiny.write(tmp_path, "tiny")
    dataset, train_data, *_ = loaders(
        tmp_path, "tiny", train_positions="last", MAX_ITEM_LIST_LENGTH=5, train_batch_size=7
    )
    only_train = tiny.replace(rows=tiny.rows[tiny.rows["split"] == "train"])
    only_train.write(tmp_path, "stock")
    load = {"inter": ["user_id", "item_id", "timestamp"]}
    stock_settings = {"data_path": str(tmp_path), "MAX_ITEM_LIST_LENGTH": 5, "load_col": load}
    monkeypatch.setattr("sys.argv", ["anything"])
    stock_settings["train_neg_sample_args"] = None
    stock = SequentialDataset(Config("SASRec", "stock", config_dict=stock_settings))
    stock._change_feat_format()

    def instances(interaction, tokens):
        lists, lengths = interaction["item_id_list"].tolist(), interaction["item_length"].tolist()
        users, targets = interaction["user_id"].tolist(), interaction["item_id"].tolist()
        return {
            (
                tokens["user_id"][u],
                tuple(tokens["item_id"][i] for i in seq[:n]),
                tokens["item_id"][t],
            )
            for u, seq, n, t in zip(users, lists, lengths, targets)
        }

    ours = set().union(*(instances(batch, dataset.field2id_token) for batch in train_data))
    assert ours == instances(stock.inter_feat, stock.field2id_token)


def test_float32_timestamps_do_not_disturb_the_order(tmp_path):
    """Events a second apart at today's epoch, written in reverse: RecBole keeps 128 s."""
    n = 12
    base = 1_790_000_000
    assert len(np.unique(np.float32(base + np.arange(n)))) == 1
    item = [f"i{k}" for k in range(n)]
    rows = pd.DataFrame({"user_id": "u", "item_id": item, "timestamp": base + np.arange(n)})
    rows["split"] = ["train"] * (n - 2) + ["test", "test"]
    items = pd.DataFrame({"item_id": item, "is_cold": ["0"] * (n - 2) + ["1", "1"]})
    # The warm test target that every test split must have.
    again = pd.DataFrame(
        {
            "user_id": ["v", "v"],
            "item_id": ["i0", "i1"],
            "timestamp": [1, 2],
            "split": ["history", "test"],
        }
    )
    rows = pd.concat([rows.iloc[::-1], again], ignore_index=True)
    vectors = {k: np.random.default_rng(7).normal(size=4).astype(np.float32) for k in item}
    Prepared(rows, items.assign(train_count=1), vectors).write(tmp_path)
    dataset, train_data, _, test_data = loaders(tmp_path, "tiny", shuffle=False)
    tokens = dataset.field2id_token["item_id"]
    window = next(iter(train_data))
    assert [tokens[i] for i in window["item_id_list"][0]] == item[: n - 3]
    assert tokens[window["item_id"][0]] == item[n - 3]
    last_case = test_data.dataset[np.array([1])]
    assert [tokens[i] for i in last_case["item_id_list"][0]] == item[: n - 1]


def test_warm_items_are_numbered_first_whatever_is_held_out(tiny, tmp_path):
    tiny.write(tmp_path)
    dataset, *_ = loaders(tmp_path, "tiny")
    warm = dataset.field2id_token["item_id"][1 : dataset.n_warm + 1]
    train = tiny.rows.loc[tiny.rows["split"] == "train", "item_id"]
    assert list(warm) == list(dict.fromkeys(train))


@pytest.mark.parametrize("sorted_by", ["timestamp", "item_id"])
def test_the_quick_reading_gives_what_pandas_gives(tiny, tmp_path, monkeypatch, sorted_by):
    """In the file's order of time or not; with ids that look like numbers or are in quotes."""
    names = {"i1": "007", "i2": "1e3", "i3": 'say "so"', "i4": "NaN.", "i5": "ünï"}
    rows = tiny.rows.replace({"item_id": names}).sort_values(sorted_by)
    items = tiny.items.replace({"item_id": names})
    vectors = {names.get(item, item): vector for item, vector in tiny.vectors.items()}
    tiny.replace(rows=rows, items=items, vectors=vectors).write(tmp_path)
    quick, *_ = loaders(tmp_path, "tiny")
    with monkeypatch.context() as patch:
        patch.setattr("recbole_delta.data.prepared.read_plain", lambda *_: None)
        slow, *_ = loaders(tmp_path, "tiny")
    assert data_fingerprint(quick) == data_fingerprint(slow)
    for field in ("user_id", "item_id"):
        assert quick.field2id_token[field].tolist() == slow.field2id_token[field].tolist()
    assert set(names.values()) <= set(quick.item_tokens)
    for field in quick.inter_feat.columns:
        assert torch.equal(quick.inter_feat[field], slow.inter_feat[field])


def test_another_file_may_name_the_items_too(tiny, tmp_path):
    """RecBole's way to vectors of one's own: additional_feat_suffix, an alias, preload_weight."""
    folder = tiny.write(tmp_path)
    lines = [f"{item}\t{n} {n + 0.5}" for n, item in enumerate(tiny.items["item_id"])]
    (folder / "tiny.emb").write_text("\n".join(["sid:token\tvector:float_seq", *lines]) + "\n")
    dataset, *_ = loaders(
        tmp_path,
        "tiny",
        additional_feat_suffix=["emb"],
        load_col=None,
        alias_of_item_id=["sid"],
        preload_weight={"sid": "vector"},
    )
    weight = dataset.get_preload_weight("sid")
    for n, item in enumerate(tiny.items["item_id"]):
        assert weight[dataset.token2id("item_id", item)].tolist() == [n, n + 0.5]


def test_fields_may_have_other_names(tiny, train, tmp_path):
    names = {"user_id": "session", "item_id": "track", "timestamp": "at"}
    folder = tiny.write(tmp_path / "dataset", "renamed")
    for suffix in ("inter", "item"):
        path = folder / f"renamed.{suffix}"
        header, _, rest = path.read_text().partition("\n")
        for name, other in names.items():
            header = header.replace(f"{name}:", f"{other}:")
        path.write_text(f"{header}\n{rest}")
    expected, _ = train(tiny)
    fields = {"USER_ID_FIELD": "session", "ITEM_ID_FIELD": "track", "TIME_FIELD": "at"}
    load = {"inter": list(names.values())}
    settings = {**expected.settings, "dataset": "renamed", "load_col": load, **fields}
    assert recbole_delta.run(settings=settings).test_modes == expected.test_modes


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_part_shows_the_interactions_of_its_own_cases_only(tiny, train, part):
    _, loaded = train(tiny, train_positions="last")
    dataset = loaded[3 + part].dataset
    users, items = (dataset.field2id_token[field] for field in ("user_id", "item_id"))
    shown = Counter(zip(users[dataset.inter_feat["user_id"]], items[dataset.inter_feat["item_id"]]))
    rows = tiny.rows.sort_values(["user_id", "timestamp"])
    rows = rows[rows["split"] == SPLITS[part]]
    if part == 0:
        rows = rows[rows["user_id"].duplicated()]
    assert shown == Counter(zip(rows["user_id"], rows["item_id"]))


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("SASRecDelta", {}),
        ("SASRecDelta", {"item_embedding": "id"}),
        ("GRU4RecDelta", {}),
        ("ContentMean", {}),
        ("NARM", {}),
    ],
)
def test_the_test_loader_can_be_iterated_by_hand(tiny, train, model, settings):
    """Empty histories are among them, and cold items that a model has no vectors for."""
    new = pd.DataFrame({"user_id": "new", "item_id": ["i0"], "timestamp": 5, "split": "test"})
    rows = pd.concat([new, tiny.rows], ignore_index=True)
    _, (_, model, _, _, _, test) = train(tiny.replace(rows=rows), model, epochs=1, **settings)
    model.eval()
    batches = [batch for batch, *_ in test]
    scores = [model.full_sort_predict(batch) for batch in batches]
    assert sum(map(len, scores)) == (rows["split"] == "test").sum()
    assert not any(score.isnan().any() for score in scores)
    assert min(int(batch["item_length"].min()) for batch in batches) == 1


@pytest.mark.parametrize("model", ["SASRecDelta", "ContentMean", "NARM", "BERT4Rec"])
def test_recboles_case_study_works_on_the_loaded_test_data(tiny, train, model):
    from recbole.utils.case_study import full_sort_topk

    _, (_, model, *_, test) = train(tiny, model, mask_history=False, train_batch_size=4096)
    users, counts = np.unique(test.dataset.instances.user, return_counts=True)
    chosen = users[counts == 1][:5]
    values, items = full_sort_topk(chosen, model, test, k=10)
    for row, user in enumerate(chosen):
        [case] = np.flatnonzero(test.dataset.instances.user == user)
        scores = model.full_sort_predict(test.dataset[np.array([case])])[0].detach().numpy()
        scores[0] = -np.inf
        best = np.argsort(-scores, kind="stable")[:10]
        assert len(scores) == len(tiny.items) + 1
        assert set(items[row].tolist()) == set(best.tolist())
        np.testing.assert_allclose(values[row], scores[best], rtol=1e-5)


def test_a_split_of_empty_histories_alone_is_all_misses(train, tiny):
    rows = tiny.rows.assign(split=tiny.rows["split"].replace("valid", "history"))
    new = pd.DataFrame({"user_id": ["n1", "n2"], "item_id": "i0", "timestamp": 5, "split": "valid"})
    result, _ = train(tiny.replace(rows=pd.concat([new, rows], ignore_index=True)))
    assert [entry["ndcg_warm@10"] for entry in result.curve] == [0.0, 0.0]


def test_an_empty_history_is_a_counted_miss(train, tiny):
    extra = pd.DataFrame(
        {"user_id": ["new1", "new2"], "item_id": ["i0", "i1"], "timestamp": 5, "split": "test"}
    )
    rows = pd.concat([extra, tiny.rows], ignore_index=True)
    before, _ = train(tiny)
    after, _ = train(tiny.replace(rows=rows))
    total = before.test_mode["cases"]["total"]
    assert after.test_mode["cases"]["total"] == total + 2
    empty = before.test_mode["empty_history"]["total"]
    assert after.test_mode["empty_history"]["total"] == empty + 2
    diluted = before.test_result["ndcg@10"] * total / (total + 2)
    assert after.test_result["ndcg@10"] == pytest.approx(diluted, abs=1e-9)
