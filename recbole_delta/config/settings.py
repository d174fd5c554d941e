"""The settings this package adds to RecBole's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

from dataset_prep.errors import check_all, number, one_of, require
from recbole_delta.embedding import EMBEDDINGS, EmbeddingSpec
from recbole_delta.loss import LOSSES

CANDIDATES = ("all", "warm")
COLD_HISTORY = ("keep", "drop")
TRAIN_POSITIONS = ("all", "last")
COLD_OFFSETS = ("none", "auto")
WARM_OFFSETS = ("none", "auto")
COLD_VALIDATION = ("newest", "random")
COLD_DELTA = ("zero", "neighbours")
RECIPES: dict[str, dict[str, Any]] = {
    "paper": {},
    "calibrated": {
        "cold_offset": "auto",
        "after_cold_offset": "auto",
        "warm_offset": "auto",
        "cold_delta": "neighbours",
    },
}
"""By the setting ``recipe``: defaults of other settings; the paper's stand in the YAML files."""


_CHOICES: dict[str, Any] = {
    "item_embedding": EMBEDDINGS.keys(),
    "loss": LOSSES.keys(),
    "valid_candidates": CANDIDATES,
    "test_candidates": CANDIDATES,
    "cold_history": COLD_HISTORY,
    "mask_history": (True, False),
    "require_cold": (True, False),
    "warm_offset": WARM_OFFSETS,
    "cold_validation": COLD_VALIDATION,
    "cold_delta": COLD_DELTA,
    "recipe": RECIPES.keys(),
}
"""Settings that name one of several things, and these."""


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
        after_cold_offset: constant added to them besides, after a history whose last item is cold:
            ``none``, ``auto`` (chosen on validation data) or a number.
        warm_offset: constants added to the scores of warm items by their number of training rows,
            ``none`` or ``auto`` (chosen on validation data).
        cold_share: expected share of cold targets; None for the estimate of ``dataset_prep``.
        cold_validation: warm items that ``auto`` of an offset of cold items holds out of a training
            of its own where validation has no cold targets, ``newest`` or ``random``.
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
    after_cold_offset: str | float
    warm_offset: str
    cold_share: float | None
    cold_validation: str
    cold_delta: str
    recipe: str
    embedding_options: Any = None
    loss_options: Any = None

    def __post_init__(self) -> None:
        check_all(self._checks())

    def _checks(self) -> Iterator[Callable[[], None]]:
        for name, choices in _CHOICES.items():
            yield partial(one_of, name, getattr(self, name), choices)
        for name in ("cold_offset", "after_cold_offset"):
            wish = getattr(self, name)
            if isinstance(wish, str):
                yield partial(one_of, name, wish, (*COLD_OFFSETS, "a number"))
            else:
                yield partial(number, name, wish)
        if self.train_positions is not None:
            yield partial(one_of, "train_positions", self.train_positions, TRAIN_POSITIONS)
        if self.cold_history == "drop" and not isinstance(self.after_cold_offset, str):
            yield partial(
                require,
                not self.after_cold_offset,
                "after_cold_offset is added where the model is shown a cold item last, which "
                "cold_history: drop rules out; set after_cold_offset: none, or cold_history: keep.",
            )
        if self.cold_share is not None:
            # At either end one of the groups has no target, and its constant no limit.
            yield partial(number, "cold_share", self.cold_share, 1e-6, 1 - 1e-6)

    @property
    def asks_for_offsets(self) -> bool:
        """Whether something is to be added to scores once a model is trained."""
        return any(
            wish != "none" for wish in (self.cold_offset, self.after_cold_offset, self.warm_offset)
        )

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
        read: dict[type | None, Any] = {}
        own: list[type] = [cls, *_declared()]

        def make(kind: type) -> None:
            names = given if kind is cls else [each.name for each in fields(kind)]
            read[kind] = kind(**{name: config[name] for name in names})

        check_all(partial(make, kind) for kind in own)
        settings = read[cls]
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
