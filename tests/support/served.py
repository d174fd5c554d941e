"""What the tests of recommending share: histories of the tiny data set, and lists of ids."""

from __future__ import annotations

import numpy as np


def content_of(prepared, tokens):
    return np.stack([prepared.vectors[token] for token in tokens])


def listed(recommender, histories, **options):
    return [[each.item for each in found] for found in recommender.recommend(histories, **options)]


HISTORIES = [["i1", "i5"], ["i2"], ["i3", "i7", "i11", "i3"], ["i40", "i4"]]
