"""What a checkpoint says of itself, beside its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from logging import getLogger
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from recbole_delta.config.settings import DeltaSettings

RUN, RECOMMENDER = "run", "recommender"


@dataclass(frozen=True)
class CheckpointMetadata:
    """JSON values; written and checked from here alone.

    Attributes:
        settings: what the user has set, enough to build the run's Config again.
        data: SHA-256 of the data set's items and rows.
        epoch: the epoch of the weights, from 0.
        cur_step: validations without improvement since the best one.
        best_valid_score: value of ``valid_metric`` at the best epoch so far.
        best_valid_result: validation metrics there; None before the first.
        curve: one entry an epoch.
        content: how dataset_prep has made the content (encoder, template, ...); empty if it has
            not.
        versions: of this package and of what the numbers depend on.
        removed: ids of items that a recommender no longer recommends.
        cold_offset: constant that is added to the scores of cold items.
        after_cold_offset: constant that is added to them besides, after a history whose last item
            is cold.
        warm_offsets: constants that are added to the scores of warm items with 1, 2, 3 to 4, 5 to
            8, ... training rows; empty for none.
        cold_log_odds: quantiles over validation histories of log P(cold) − log P(warm) without
            ``cold_offset``; empty where they were not measured.
        cold_candidates: number of cold items that these were measured with.
        own_delta: ids of cold items that interactions have given a delta of their own.
        calibrated: whether the offsets that the settings ask for have been chosen.
        kind: ``run``, written by training, which can be resumed; or ``recommender``, written
            after it, whose items need not be those of the data set.
    """

    settings: dict[str, Any]
    data: dict[str, str]
    epoch: int
    cur_step: int
    best_valid_score: float
    best_valid_result: dict[str, float] | None
    curve: list[dict[str, float]]
    content: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    cold_offset: float = 0.0
    after_cold_offset: float = 0.0
    warm_offsets: list[float] = field(default_factory=list)
    cold_log_odds: list[float] = field(default_factory=list)
    cold_candidates: int = 0
    own_delta: list[str] = field(default_factory=list)
    calibrated: bool = False
    kind: str = RUN

    @property
    def offsets(self) -> tuple[float, list[float], float]:
        """What :meth:`~recbole_delta.model.contract.CatalogueModel.set_offsets` takes."""
        return self.cold_offset, self.warm_offsets, self.after_cold_offset

    @property
    def settings_anywhere(self) -> dict[str, Any]:
        """:attr:`settings` for a machine that may have other GPUs: any that is visible will do."""
        return {**self.settings, "gpu_id": None}

    def warn_if_uncalibrated(self, settings: DeltaSettings, path: str) -> None:
        """Log that the offsets were never chosen: the run ended between training and calibration.

        Args:
            settings: settings of the run.
            path: path of the checkpoint.
        """
        if settings.asks_for_offsets and not self.calibrated:
            fix = f"recbole-delta resume {path} chooses them."
            if self.kind == RECOMMENDER:
                fix = "resume the run by its own checkpoint, and make this one from it again."
            getLogger().warning(
                f"{path}: its run ended before cold_offset and the like were chosen, so nothing is "
                f"added to scores; {fix}"
            )

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> CheckpointMetadata:
        """The metadata in the JSON of a file.

        Raises:
            KeyError: a value without a default is missing.
            TypeError: one is of another type.
            ValueError: an unknown kind.
        """
        # Files of before this key was written have "removed" in recommenders only.
        given = {"kind": RECOMMENDER if "removed" in values else RUN, **values}
        known = {each.name for each in fields(cls)}
        for name, hint in get_type_hints(cls).items():
            if name in given and not isinstance(given[name], _classes(hint)):
                raise TypeError(f"{name} is {type(given[name]).__name__}")
        metadata = cls(**{name: value for name, value in given.items() if name in known})
        if metadata.kind not in (RUN, RECOMMENDER):
            raise ValueError(f"kind is {metadata.kind!r}")
        return metadata

    def as_json(self) -> dict[str, Any]:
        """What :meth:`from_json` reads."""
        return asdict(self)


def _classes(hint: Any) -> tuple[type, ...]:
    """Classes of the JSON values that a type hint allows."""
    if isinstance(hint, UnionType):
        return tuple(each for part in get_args(hint) for each in _classes(part))
    if hint is float:
        return (int, float)
    return (get_origin(hint) or hint,)
