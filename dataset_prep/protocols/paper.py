"""The protocol of "Let It Go? Not Quite" (RecSys 2025): a global split in time."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dataset_prep.filters import n_core

QUANTILE = 0.9
CORE = 3
TRAIN_USERS = 0.9


def paper(interactions: pd.DataFrame, *, seed: int = 42) -> pd.DataFrame:
    """Split at the 0.9 quantile of time; cold items are those unseen in training.

    Up to the quantile the rows are reduced to their 3-core; 90% of its users train, the
    others validate by their last warm item. Each user with a later row has one test target,
    the last item; the rows before it are its history.

    Args:
        interactions: sorted stably by time.
        seed: of the sample of training users.

    Returns:
        The kept rows with ``split``.
    """
    threshold = interactions["timestamp"].quantile(QUANTILE)
    early = n_core(interactions[interactions["timestamp"] <= threshold], CORE)
    late = interactions[interactions["timestamp"] > threshold]

    users = np.sort(early["user_id"].unique())
    chosen = np.random.default_rng(seed).permutation(users)[: int(len(users) * TRAIN_USERS)]
    trains = early["user_id"].isin(set(chosen))
    warm = set(early.loc[trains, "item_id"])

    split = pd.Series("history", index=[*early.index, *late.index])
    split[early.index[trains]] = "train"
    validates = early[~trains & early["item_id"].isin(warm)]
    split[_last_of_each_user(validates)] = "valid"
    split[_last_of_each_user(late)] = "test"
    return interactions.loc[np.sort(split.index)].assign(split=split)


def _last_of_each_user(rows: pd.DataFrame) -> pd.Index:
    return rows.index[~rows["user_id"].duplicated(keep="last")]
