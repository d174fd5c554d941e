"""RecBole's Interaction on its way to a device."""

from __future__ import annotations

from typing import Any

import torch
from recbole.data.interaction import Interaction
from torch import Tensor

from recbole_delta.compute.host_lengths import remember_lengths
from recbole_delta.compute.transfer import to_device


class SequenceBatch(Interaction):
    """An ``Interaction`` with sequences, which a device takes over without making the host wait.

    Args:
        fields: tensors ``[B, ...]`` on the CPU by the field's name.
        item_seq: name of the field of sequences ``[B, L]``.
        lengths: ``[B]`` int64 number of items of each.
    """

    def __init__(self, fields: dict[str, Tensor], item_seq: str, lengths: Tensor) -> None:
        super().__init__(fields)
        self._item_seq, self._lengths = item_seq, lengths

    def to(self, device: torch.device | str, selected_field: Any = None) -> Interaction:
        """RecBole's ``to``; the host goes on while the copies are made.

        Args:
            device: where to.
            selected_field: name or names of the fields to copy; all by default.
        """
        device = torch.device(device)
        if device.type == "cpu" or selected_field is not None:
            return super().to(device, selected_field)
        copied = {name: to_device(values, device) for name, values in self.interaction.items()}
        remember_lengths(copied[self._item_seq], self._lengths)
        return Interaction(copied)
