"""Evaluation cases of a data set."""

import numpy as np
import torch

from dataset_prep.format.fields import SPLITS
from recbole_delta.data.instances import Interactions


def test_evaluation_history_is_every_earlier_row_whatever_it_is_for():
    user = np.array([0, 0, 0, 0, 0, 1])
    item = np.array([1, 9, 2, 8, 3, 9])
    names = ["train", "history", "valid", "test", "test", "test"]
    split = np.array([SPLITS.index(name) for name in names])
    cases = Interactions(user, item, split, n_warm=3).evaluation("test")
    row, seen = cases.history.flat(torch.arange(3))
    assert [seen[row == case].tolist() for case in range(3)] == [[1, 9, 2], [1, 9, 2, 8], []]
    row, seen = cases.warm_history.flat(torch.arange(3))
    assert [seen[row == case].tolist() for case in range(3)] == [[1, 2], [1, 2], []]
    assert cases.target.tolist() == [8, 3, 9]


def test_the_share_of_targets_that_stand_in_their_own_history():
    user = np.repeat([0, 1, 2, 3], 3)
    item = np.array([1, 2, 1, 1, 2, 3, 2, 1, 1, 3, 1, 2])
    split = np.tile([SPLITS.index(name) for name in ("train", "train", "test")], 4)
    cases = Interactions(user, item, split, n_warm=3).evaluation("test")
    assert cases.share_seen_before(100) == 0.5
    assert cases.share_seen_before(2) == 1.0  # users 0 and 2
    none = Interactions(user, item, split * 0, n_warm=3).evaluation("test")
    assert none.share_seen_before(100) == 0
