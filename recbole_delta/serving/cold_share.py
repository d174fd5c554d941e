"""From a wanted share of cold recommendations to the offset on cold items."""

from __future__ import annotations

import math

import numpy as np

from dataset_prep.errors import DeltaError, number
from recbole_delta.evaluator.mass import equal_mass
from recbole_delta.trainer.metadata import CheckpointMetadata


def offset_for_share(metadata: CheckpointMetadata, n_cold: int, share: float, where: str) -> float:
    """The offset at which cold items have ``share`` of the softmax's mass.

    Args:
        metadata: metadata of a calibrated run, with the log-odds of cold items.
        n_cold: cold items that get the offset now; more of them have more mass, in proportion.
        share: between 0 and 1, both excluded.
        where: path of the checkpoint, for messages.

    Raises:
        DeltaError: the run was not calibrated, or without cold items or validation histories;
            there is no cold item; or the share is no share.
    """
    number("cold_share", share, 1e-6, 1 - 1e-6)
    if not metadata.cold_log_odds:
        reason = (
            "its run has no cold_offset, no cold item with a vector, or no validation history, to "
            "measure it with"
            if metadata.calibrated
            else "train it with cold_offset: auto, or a number"
        )
        raise DeltaError(f"{where} does not know how likely cold items are: {reason}.")
    if not n_cold:
        raise DeltaError(
            f"{where} has no cold item to give a share to: add some, or drop --cold-share."
        )
    more = math.log(n_cold / max(1, metadata.cold_candidates))
    return equal_mass(np.array(metadata.cold_log_odds) + more, share)
