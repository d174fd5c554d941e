"""RecBole's case study over our data sets: one row of scores for each user."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import recbole.utils.case_study
import torch
from torch import Tensor

from dataset_prep.errors import DeltaError
from recbole_delta.data.dataset import ColdWarmDataset


def let_case_study_answer_by_user() -> None:
    """Replace ``full_sort_scores``, which ``full_sort_topk`` calls.

    RecBole's gives a row for every test case. Its own data sets have one a user; ours may have
    several, so that whoever puts rows and users side by side recommends to the wrong ones.
    """
    stock = recbole.utils.case_study.full_sort_scores
    if not getattr(stock, "answers_by_user", False):
        recbole.utils.case_study.full_sort_scores = _by_user(stock)


def _by_user(stock: Callable[..., Tensor]) -> Callable[..., Tensor]:
    @torch.no_grad()
    def full_sort_scores(uid_series: Any, model: Any, test_data: Any, device: Any = None) -> Tensor:
        """Scores ``[len(uid_series), n_items]`` of all items, at each user's last test case.

        Args:
            uid_series: ``[n]`` user numbers, as ``dataset.token2id`` gives them.
            model: model to score with.
            test_data: RecBole data loader of the test cases.
            device: device that the model is on; that of the CPU by default.

        Raises:
            DeltaError: a user has no test case.
        """
        dataset = test_data.dataset
        if not isinstance(dataset, ColdWarmDataset):
            return stock(uid_series, model, test_data, device)
        model.eval()
        cases = dataset[_last_cases(dataset, np.asarray(uid_series))]
        scores = model.full_sort_predict(cases.to(device or torch.device("cpu")))
        scores = scores.view(len(uid_series), -1)
        scores[:, 0] = -np.inf
        return scores

    full_sort_scores.answers_by_user = True  # type: ignore[attr-defined]
    return full_sort_scores


def _last_cases(dataset: ColdWarmDataset, users: np.ndarray) -> Tensor:
    """``[n]`` positions of the users' last cases; a user's cases are in order of time."""
    last = {user: case for case, user in enumerate(dataset.instances.user.tolist())}
    for user in users.tolist():
        if user not in last:
            token = str(dataset.id2token(dataset.uid_field, user))
            raise DeltaError(
                f"User {token!r} has no {dataset.instances.split} case in "
                f"{dataset.dataset_name}; leave this user out."
            )
    return torch.tensor([last[user] for user in users.tolist()])
