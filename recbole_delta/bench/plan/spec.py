"""One run of a bench and the data set it reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recbole.utils import get_model

from dataset_prep.errors import DeltaError, check_folder_name
from dataset_prep.format.content import find_content
from dataset_prep.format.fields import SPLIT_FIELD, column_names
from recbole_delta.bench.plan.own_code import own_code
from recbole_delta.config.run_config import RunConfig
from recbole_delta.config.settings import recipe_settings
from recbole_delta.data.fingerprint import estimated_share, read_preparation
from recbole_delta.model.registry import is_registered

NO_IDENTITY = ("recipe", "content_file")
"""Settings that stand for others: what they stand for is what tells two runs apart."""


@dataclass(frozen=True)
class Spec:
    """One run of a plan.

    Attributes:
        label: label of the row of the table that it belongs to.
        entry: name of the model entry; an entry that varies a setting has several rows.
        varied: values by which the entry's rows, or the trials of its search, differ, by name.
        dataset: name of the prepared data set.
        model: name of the model.
        seed: seed of the run.
        settings: all other settings of the run.
        searched: all values that validation chooses from, by setting; empty without a search.
    """

    label: str
    entry: str
    varied: dict[str, Any]
    dataset: str
    model: str
    seed: int
    settings: dict[str, Any]
    searched: dict[str, list[Any]] = field(default_factory=dict)

    def folder(self, data: Data) -> Path:
        """Folder of its record, below the folder of records: by content, not by label.

        A recipe counts as the settings that it stands for: when it changes, older records are not
        taken for runs of the new one. Of a file of content its bytes count. RecBole's own models
        read no content: another encoder, or another processor's last bits of it, does not make them
        train again. Of models, embeddings and losses of one's own the code counts.

        Args:
            data: the data set of the run.
        """
        given = {name: self.settings[name] for name in self.settings.keys() - {*NO_IDENTITY}}
        settings = {**recipe_settings(self.settings.get("recipe")), **given}
        model = get_model(self.model)
        content = data.content(self.settings) if is_registered(model) else ""
        identity = {"settings": settings, "content": content, **own_code(model, self.settings)}
        digest = _digest(json.dumps(identity, sort_keys=True, default=str).encode())
        return data.folder / f"{self.model}-{self.seed}-{digest[:10]}"


@dataclass(frozen=True)
class Data:
    """A prepared data set of a plan.

    Attributes:
        name: name of the data set.
        path: folder of its files.
        folder: name of the folder of its records, with a digest of its files.
    """

    name: str
    path: Path
    folder: Path
    _contents: dict[Path, str] = field(default_factory=dict, compare=False)

    @classmethod
    def at(cls, data_path: Path, name: str) -> Data:
        """The data set of a name.

        Args:
            data_path: folder of the data sets.
            name: name of the data set.

        Raises:
            DeltaError: it is not there or cannot be read.
        """
        check_folder_name("datasets", name)
        path = data_path / name
        files = [path / f"{name}.{ending}" for ending in ("inter", "item")]
        try:
            rows, items = (file.read_bytes() for file in files)
            digest = _digest(rows, items)
        except FileNotFoundError as error:
            raise DeltaError(
                f"There is no {error.filename}; prepare {name} with dataset_prep first "
                "(the bench files in results/ say how at their tops)."
            ) from error
        except (OSError, ValueError) as error:
            raise DeltaError(f"Cannot read {path} ({error}).") from error
        header = rows[: max(0, rows.find(b"\n"))].decode(errors="replace").strip()
        if header and SPLIT_FIELD not in column_names(header):
            raise DeltaError(
                f"{name} is not prepared: {files[0]} has no {SPLIT_FIELD}, and the runs of a bench "
                "are compared target by target; prepare it first (python -m dataset_prep recbole "
                f"--raw {path} --set name={name}), and name what that makes."
            )
        return cls(name, path, Path(f"{name}-{digest[:8]}"))

    @property
    def cold_share(self) -> float | None:
        """The share of cold targets that dataset_prep expects; None where it does not say."""
        return estimated_share(read_preparation(self.path / f"{self.name}.json"))

    def content(self, settings: Mapping[str, Any]) -> str:
        """SHA-256, in hex, of the content file that a run reads; empty if there is none.

        Args:
            settings: settings of the run.
        """
        try:
            file = Path(settings.get("content_file") or find_content(self.path, self.name))
            if file not in self._contents:
                self._contents[file] = _digest(file.read_bytes())
        except (DeltaError, OSError):
            return ""  # ID models need none; for the others the run says what is missing
        return self._contents[file]


def run_config(spec: Spec, data_path: Path, **others: Any) -> RunConfig:
    """RecBole's ``Config`` of a run.

    Args:
        spec: the run.
        data_path: folder of the data sets.
        others: further settings, above those of the run.

    Raises:
        DeltaError: a setting does not exist or has a value that cannot be used.
    """
    settings = {**spec.settings, "data_path": str(data_path), "seed": spec.seed, **others}
    return RunConfig(spec.model, spec.dataset, None, settings)


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
