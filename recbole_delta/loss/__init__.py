"""Training losses over the warm items: exact, or over a sample of them. Plain torch."""

from recbole_delta.loss.base import ItemVectors, TrainingLoss
from recbole_delta.loss.exact import ChunkedCrossEntropy, CrossEntropy
from recbole_delta.loss.sampled import SampledCrossEntropy

LOSSES: dict[str, type[TrainingLoss]] = {
    "ce": CrossEntropy,
    "chunked": ChunkedCrossEntropy,
    "sampled": SampledCrossEntropy,
}
"""By the setting ``loss``. A new one is a :class:`TrainingLoss` and an entry here."""

__all__ = ["LOSSES", "ItemVectors", "TrainingLoss"]
