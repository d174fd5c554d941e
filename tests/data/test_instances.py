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
