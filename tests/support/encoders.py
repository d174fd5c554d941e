"""Stand-ins for encoders."""

from __future__ import annotations

import numpy as np


class CountingModel:
    """Stands in for SentenceTransformer: a vector that depends on the text alone."""

    encoded: list[str] = []

    def __init__(self, name, device):
        if "broken" in name:
            raise OSError(f"{name} is not a local folder")

    def float(self):
        return self

    def encode(self, texts, batch_size, show_progress_bar):
        self.encoded.extend(texts)
        return np.stack(
            [np.random.default_rng([*text.encode(), 1]).normal(size=4) for text in texts]
        )
