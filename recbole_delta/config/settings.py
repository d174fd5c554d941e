"""The settings this package adds to RecBole's."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from dataset_prep.errors import number, one_of
from recbole_delta.embedding import EMBEDDINGS, EmbeddingSpec
from recbole_delta.loss import LOSSES

CANDIDATES = ("all", "warm")
COLD_HISTORY = ("keep", "drop")
TRAIN_POSITIONS = ("all", "last")
COLD_OFFSETS = ("none", "auto")
COLD_VALIDATION = ("newest", "random")
COLD_DELTA = ("zero", "neighbours")
RECIPES: dict[str, dict[str, Any]] = {
    "paper": {},
    "calibrated": {
        "cold_offset": "auto",
        "cold_delta": "neighbours",
    },
}
"""By the setting ``recipe``: defaults of other settings; the paper's stand in the YAML files."""


@dataclass(frozen=True)
class DeltaSettings:
    """What ``properties/overall.yaml`` documents, with the same names.

    Attributes:
        item_embedding: name in :data:`recbole_delta.embedding.EMBEDDINGS`.
        content_file: path of the content vectors; None for the data set's only content file.
        train_positions: ``all`` or ``last``; None for what the model can learn from.
        loss: name in :data:`recbole_delta.loss.LOSSES`.
        valid_candidates: items that are ranked on validation data, ``all`` or ``warm``.
        test_candidates: items that are ranked on test data, ``all`` or ``warm``.
        cold_history: whether the model sees cold items of a history, ``keep`` or ``drop``.
        mask_history: whether items of the history are not recommended again.
        require_cold: whether a data set without cold test targets is refused.
        cold_offset: constant added to the scores of all cold items: ``none``, ``auto`` (chosen on
            validation data) or a number.
        cold_share: expected share of cold targets; None for the estimate of ``dataset_prep``.
        cold_validation: warm items that ``cold_offset: auto`` holds out of a training of its own
            where validation has no cold targets, ``newest`` or ``random``.
        cold_delta: delta of a cold item: ``zero``, or the mean of its ``neighbours`` in content.
        recipe: defaults that belong together, a name in :data:`RECIPES`.
        embedding_options: settings of the chosen item embedding's own; None without any.
        loss_options: settings of the chosen loss's own; None without any.

    Raises:
        DeltaError: a value that is not one of a setting's choices.
    """

    item_embedding: str
    content_file: str | None
    train_positions: str | None
    loss: str
    valid_candidates: str
    test_candidates: str
    cold_history: str
    mask_history: bool
    require_cold: bool
    cold_offset: str | float
    cold_share: float | None
    cold_validation: str
    cold_delta: str
    recipe: str
    embedding_options: Any = None
    loss_options: Any = None

    def __post_init__(self) -> None:
        one_of("item_embedding", self.item_embedding, tuple(EMBEDDINGS))
        if self.train_positions is not None:
            one_of("train_positions", self.train_positions, TRAIN_POSITIONS)
        one_of("loss", self.loss, tuple(LOSSES))
        one_of("valid_candidates", self.valid_candidates, CANDIDATES)
        one_of("test_candidates", self.test_candidates, CANDIDATES)
        one_of("cold_history", self.cold_history, COLD_HISTORY)
        one_of("mask_history", self.mask_history, (True, False))
        one_of("require_cold", self.require_cold, (True, False))
        if isinstance(self.cold_offset, str):
            one_of("cold_offset", self.cold_offset, (*COLD_OFFSETS, "a number"))
        else:
            number("cold_offset", self.cold_offset)
        if self.cold_share is not None:
            number("cold_share", self.cold_share, 0.0, 1.0)
        one_of("cold_validation", self.cold_validation, COLD_VALIDATION)
        one_of("cold_delta", self.cold_delta, COLD_DELTA)
        one_of("recipe", self.recipe, tuple(RECIPES))

    @property
    def embedding_spec(self) -> EmbeddingSpec:
        """What the chosen item embedding declares."""
        return EMBEDDINGS[self.item_embedding]

    @classmethod
    def from_config(cls, config: Any) -> DeltaSettings:
        """Read the settings from a RecBole ``Config``.

        Raises:
            DeltaError: a value cannot be used, even if its embedding or loss is not chosen.
        """
        given = [each.name for each in fields(cls) if each.name not in DERIVED]
        read: dict[type | None, Any] = {each: _read(each, config) for each in _declared()}
        settings = cls(**{name: config[name] for name in given})
        return replace(
            settings,
            embedding_options=read.get(settings.embedding_spec.options),
            loss_options=read.get(LOSSES[settings.loss].options),
        )


DERIVED = ("embedding_options", "loss_options")
"""Fields of :class:`DeltaSettings` that are no settings by themselves."""


def recipe_settings(recipe: Any) -> dict[str, Any]:
    """Defaults of a recipe; an unknown one has none, and is refused later."""
    return RECIPES.get(recipe, {}) if isinstance(recipe, str) else {}


def own_settings() -> dict[str, Any]:
    """Names and defaults of the settings that embeddings and losses have of their own."""
    return {each.name: each.default for options in _declared() for each in fields(options)}


def _declared() -> list[type]:
    declared = [spec.options for spec in EMBEDDINGS.values()]
    declared += [loss.options for loss in LOSSES.values()]
    return [options for options in declared if options is not None]


def _read(options: type, config: Any) -> Any:
    return options(**{each.name: config[each.name] for each in fields(options)})
