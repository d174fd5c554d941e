"""How a model reads item sequences, as its class declares it."""

from __future__ import annotations

from typing import ClassVar


class SequenceTraits:
    """What a model's class declares of the sequences it is trained on and predicts from.

    The values here hold for RecBole's own models; a class of ours overrides them.
    """

    causal: ClassVar[bool] = False
    """Whether the output at a position does not depend on later items, and ``forward`` ends in
    ``gather_indexes``. A window then trains the model at each of its positions."""

    takes_windows: ClassVar[bool] = False
    """Whether the model is trained on windows in a way of its own, such as masked items."""

    fixed_length: ClassVar[bool] = True
    """Whether sequences are padded to MAX_ITEM_LIST_LENGTH, as outputs depend on the padding."""


def traits_of(model_class: type) -> type[SequenceTraits]:
    """The traits of a model's class; RecBole's own models have the default ones."""
    return model_class if issubclass(model_class, SequenceTraits) else SequenceTraits
