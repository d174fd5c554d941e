"""One run's record on disk, and the test cases that all runs over a data set share.

A record is a folder: ``record.json`` (facts that repeat bit for bit), ``measured.json`` (seconds,
memory, machine) and ``ranks.npz`` (the rank of every target in each mode; of the configured mode,
what the frontier follows from, and how often each item was recommended). ``cases.npz`` beside the
records of a data set holds the cases.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from dataset_prep.errors import DeltaError
from dataset_prep.files import replacing, replacing_folder
from dataset_prep.format.arrays import read_npz
from recbole_delta.bench.records import frontier_record
from recbole_delta.bench.records.record_shape import (
    CALIBRATION,
    FACTS,
    MEASURED,
    require_arrays,
    require_values,
)
from recbole_delta.data.fingerprint import estimated_share
from recbole_delta.evaluator.frontier import Frontier
from recbole_delta.evaluator.group_ranks import GroupRanks
from recbole_delta.evaluator.ranking import MISS, TargetRanks

RECORD, MEASUREMENTS, RANKS, CASES = "record.json", "measured.json", "ranks.npz", "cases.npz"


@dataclass(frozen=True)
class Record:
    """What a run has left.

    Attributes:
        path: folder of the record.
        facts: all that repeats bit for bit with the same code, versions and threads: settings,
            metrics by group in each mode, validation, curve.
        measured: all that does not repeat: seconds, memory, machine.
    """

    path: Path
    facts: dict[str, Any]
    measured: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> Record:
        """Read a record.

        Args:
            path: folder of the record.

        Raises:
            DeltaError: the record is not whole.
        """
        try:
            facts, measured = (
                json.loads((path / name).read_text()) for name in (RECORD, MEASUREMENTS)
            )
            require_values(facts, FACTS, RECORD)
            require_values(measured, MEASURED, MEASUREMENTS)
            facts["modes"][facts["configured_mode"]]
            if facts.get("calibration") is not None:
                require_values(facts["calibration"], CALIBRATION, RECORD)
        except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
            raise DeltaError(f"{path} is not a whole record ({error!r}); remove it.") from error
        return cls(path, facts, measured)

    @property
    def mode(self) -> dict[str, Any]:
        """The evaluation in the mode that the settings ask for: counts, metrics."""
        return self.facts["modes"][self.facts["configured_mode"]]

    @property
    def calibration(self) -> dict[str, Any] | None:
        """How the run's offset on cold items was chosen; None where it was not.

        The fields of :class:`~recbole_delta.evaluator.calibration.Calibration`.
        """
        return self.facts.get("calibration")

    @property
    def calibrated_total(self) -> float | None:
        """Total over cold and warm validation targets at the offset that was chosen on them.

        None where no offset was chosen, or not on such targets, or the record is older than this.
        """
        return (self.calibration or {}).get("total")

    @property
    def best_valid_score(self) -> float:
        """``valid_metric`` of the best epoch; NaN of a run that was not validated."""
        score = self.facts["best_valid_score"]
        return score if score is not None and math.isfinite(score) else math.nan

    @property
    def ranks(self) -> TargetRanks:
        """Ranks of the test targets in the mode that the settings ask for."""
        above, tied = (self._arrays[name][self.facts["configured_mode"]] for name in _RANKS)
        above, tied = above.astype(np.int64), tied.astype(np.int64)
        return TargetRanks(np.where(above < 0, MISS, above), tied)

    def frontier(self, metric: str, k: int) -> Frontier | None:
        """The frontier on the test targets in the mode that the settings ask for.

        Args:
            metric: name in :data:`recbole_delta.evaluator.metrics.GAINS`, such as ``ndcg``.
            k: length of the list of recommendations.

        Returns:
            None where the record is older than frontiers, or its largest k is smaller.

        Raises:
            DeltaError: the file of the ranks or of the cases cannot be read, or is not of this run.
        """
        if frontier_record.CASE not in self._arrays:
            return None
        is_cold = self.cases.is_cold
        frontier_record.check_packed(self.path / RANKS, self._arrays, len(is_cold))
        ranks = frontier_record.unpacked(self._arrays, is_cold)
        return Frontier(ranks, metric, k) if k <= ranks.gap.shape[1] else None

    @property
    def drift(self) -> np.ndarray | None:
        """``[n_warm]`` cosine of each warm item's content and embedding; None without content."""
        return self._arrays.get("drift")

    @property
    def recommended(self) -> np.ndarray | None:
        """``[n_items]`` cases that have each item in their top 10, in the mode of the settings.

        Warm items come first. None where the record is older than these counts.
        """
        return self._arrays.get("recommended")

    @property
    def cases(self) -> Cases:
        """The test cases, in the order of the ranks.

        Raises:
            DeltaError: their file cannot be read, or is not of this run.
        """
        path = self.path.parent / CASES
        arrays = read_npz(path)
        n = self.mode["cases"]["total"]
        kinds = {"user": (n, "U"), "target": (n, "U"), "train_count": (n, "i")}
        kinds["item_train_count"] = (arrays.get("item_train_count", np.empty(0)).size, "i")
        require_arrays(path, arrays, {name: ((n,), kind) for name, (n, kind) in kinds.items()})
        return Cases(**{name: arrays[name] for name in kinds})

    def require_share(self, share: float | None) -> None:
        """Check that an offset was chosen for the share of cold targets that is expected today.

        Args:
            share: what the data set's ``name.json`` says; None where it says nothing.

        Raises:
            DeltaError: it was another one then.
        """
        before = estimated_share(self.facts["prepared"])
        if self.calibration is None or self.facts["settings"].get("cold_share") is not None:
            return
        if share is not None and before is not None and share != before:
            raise DeltaError(
                f"{self.path}: its offset was chosen for an expected share of cold targets of "
                f"{before}, and the data set says {share} now; remove the record, or set "
                "cold_share."
            )

    def require_fit(self, cases: Cases) -> None:
        """Check that the ranks are those of some test cases.

        Args:
            cases: the test cases.

        Raises:
            DeltaError: they are of other cases.
        """
        shape = len(self.facts["modes"]), len(cases.user)
        kinds: dict[str, Any] = {name: (shape, "i") for name in _RANKS}
        if "drift" in self._arrays:
            kinds["drift"] = (cases.item_train_count.shape, "f")
        if "recommended" in self._arrays:
            n_items = max(self._arrays["recommended"].size, len(cases.item_train_count))
            kinds["recommended"] = ((n_items,), "i")
        require_arrays(self.path / RANKS, self._arrays, kinds)
        if any(name.startswith(frontier_record.PREFIX) for name in self._arrays):
            frontier_record.check_packed(self.path / RANKS, self._arrays, len(cases.user))

    @cached_property
    def _arrays(self) -> dict[str, np.ndarray]:
        return read_npz(self.path / RANKS)


def is_done(folder: Path) -> bool:
    """Whether a run has left its record in a folder."""
    return (folder / RECORD).is_file()


@dataclass(frozen=True)
class Cases:
    """``n`` test cases of a data set.

    Attributes:
        user: ``[n]`` tokens of the users.
        target: ``[n]`` tokens of the target items.
        train_count: ``[n]`` training rows of each target; 0 for a cold one.
        item_train_count: ``[n_warm]`` training rows of each warm item.
    """

    user: np.ndarray
    target: np.ndarray
    train_count: np.ndarray
    item_train_count: np.ndarray

    @property
    def is_cold(self) -> np.ndarray:
        """``[n]`` bool, whether the target is cold."""
        return self.train_count == 0

    def save(self, path: Path) -> None:
        """Write the file, unless it is there.

        Args:
            path: path of the file (``.npz``).
        """
        if not path.exists():
            with replacing(path) as temporary, temporary.open("wb") as file:
                np.savez_compressed(file, **vars(self))


_RANKS = ("above", "tied")


def save_record(
    path: Path,
    facts: dict[str, Any],
    measured: dict[str, Any],
    ranks: list[TargetRanks],
    groups: GroupRanks,
    drift: np.ndarray | None,
    recommended: np.ndarray,
) -> None:
    """Write a record, whole or not at all.

    Args:
        path: folder of the record.
        facts: :attr:`Record.facts`, as JSON values.
        measured: :attr:`Record.measured`, as JSON values.
        ranks: ranks of the test cases in each mode.
        groups: their ranks by group of the candidates in the configured mode.
        drift: ``[n_warm]`` :attr:`Record.drift`, or None.
        recommended: ``[n_items]`` :attr:`Record.recommended`.

    Raises:
        DeltaError: the folder cannot be written.
    """
    above = np.stack([np.where(each.above == MISS, -1, each.above) for each in ranks])
    arrays: dict[str, Any] = {"above": above.astype(np.int32)}
    arrays["tied"] = np.stack([each.tied for each in ranks]).astype(np.int32)
    arrays |= frontier_record.packed(groups)
    if drift is not None:
        arrays["drift"] = drift.astype(np.float16)
    arrays["recommended"] = recommended.astype(np.int32)
    with replacing_folder(path) as temporary:
        for name, values in ((RECORD, facts), (MEASUREMENTS, measured)):
            (temporary / name).write_text(json.dumps(values, indent=1) + "\n")
        np.savez_compressed(temporary / RANKS, **arrays)
