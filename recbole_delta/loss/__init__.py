"""Training losses over the warm items: exact, or over a sample of them. Plain torch.

To add a loss: a subclass of :class:`TrainingLoss`, which says what it needs of a step, in a file of
its own here, and an entry in :data:`LOSSES` of this file; its own settings are the class's
``options``. The example of :class:`TrainingLoss` is a whole one.
"""

from recbole_delta.loss.base import ItemVectors, TrainingLoss
from recbole_delta.loss.exact import ChunkedCrossEntropy, CrossEntropy
from recbole_delta.loss.sampled import SampledCrossEntropy
from recbole_delta.loss.simrec import SimRecCrossEntropy

LOSSES: dict[str, type[TrainingLoss]] = {
    "ce": CrossEntropy,
    "chunked": ChunkedCrossEntropy,
    "sampled": SampledCrossEntropy,
    "simrec": SimRecCrossEntropy,
}
"""Losses by the setting ``loss``. A new one is a :class:`TrainingLoss` listed here."""

__all__ = ["LOSSES", "ItemVectors", "TrainingLoss"]
