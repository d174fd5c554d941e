"""What a run's checkpoint holds besides weights, and how a run goes on from one."""

from __future__ import annotations

from typing import Any

import torch

from dataset_prep.errors import DeltaError
from recbole_delta._version import versions
from recbole_delta.compute.distributed import gather, rank
from recbole_delta.config.run_config import run_settings
from recbole_delta.data.fingerprint import check_data, data_fingerprint, encoding
from recbole_delta.trainer.checkpoint import (
    Checkpoint,
    catalogue_of,
    generator_states,
    restore_generators,
)
from recbole_delta.trainer.metadata import CheckpointMetadata

OWN = ("torch", "cuda")
"""Generators from which each process draws numbers of its own: dropout. The others are alike."""

NOT_RESUMABLE = ("DiffRec", "LDiffRec", "LINE", "MacridVAE", "MultiVAE", "RaCT")
"""RecBole's models that keep counts, draws or losses in attributes that no checkpoint holds."""


class RunState:
    """The data set of a run, and the random numbers that training draws from.

    Args:
        train_data: RecBole's loader over the training part of a ``ColdWarmDataset``.
        device: device that this process trains on.
    """

    def __init__(self, train_data: Any, device: torch.device) -> None:
        self._generator: torch.Generator = train_data.generator
        self._device = device
        data = train_data.dataset
        self._name = data.dataset_name
        self._fingerprint, self._encoding = data_fingerprint(data), encoding(data)
        self._catalogue = catalogue_of(data.item_tokens[1:].tolist(), data.train_counts())

    def go_on_from(self, checkpoint: Checkpoint) -> None:
        """Draw what would have been drawn after ``checkpoint``.

        Raises:
            DeltaError: the checkpoint is of another data set, or lacks the random state.
        """
        expected = checkpoint.metadata.data
        check_data(self._name, self._fingerprint, expected, checkpoint.path)
        try:
            states = dict(checkpoint.generators)
            if rank():
                own = {name: f"{name} of process {rank()}" for name in OWN if name in states}
                states |= {name: states[others] for name, others in own.items()}
            restore_generators(states, self._generator, self._device)
        except (KeyError, ValueError, TypeError, RuntimeError, OverflowError) as error:
            raise DeltaError(
                f"{checkpoint.path} lacks the random state to go on from; train again."
            ) from error

    def save(self, trainer: Any, epoch: int, path: str) -> None:
        """Write a checkpoint of ``trainer`` after ``epoch``; process 0 does.

        Raises:
            DeltaError: the file cannot be written.
        """
        metadata = CheckpointMetadata(
            settings=run_settings(trainer.config),
            data=self._fingerprint,
            epoch=epoch,
            cur_step=trainer.cur_step,
            best_valid_score=trainer.best_valid_score,
            best_valid_result=trainer.best_valid_result,
            curve=trainer.curve,
            content=self._encoding,
            versions=versions(),
        )
        generators = generator_states(self._generator, self._device)
        own = {name: generators[name] for name in OWN if name in generators}
        for n, states in enumerate(gather(own)[1:], 1):
            generators |= {f"{name} of process {n}": state for name, state in states.items()}
        if rank() == 0:
            optimizer = trainer.optimizer.state_dict() if trainer.optimizer else {}
            state = trainer.model.state_dict()
            Checkpoint(state, optimizer, generators, metadata, self._catalogue).save(path)
