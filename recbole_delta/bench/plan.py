"""What a bench file asks for: one :class:`Spec` a run."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dataset_prep.errors import DeltaError, at_least_1, check_folder_name, check_options, check_seed
from dataset_prep.format.content import find_content
from recbole_delta.bench.wanted import check_names, cutoffs, lacking, read_report
from recbole_delta.compute.modules import import_modules
from recbole_delta.config.run_config import RunConfig
from recbole_delta.config.settings import DeltaSettings
from recbole_delta.config.yaml_file import read_yaml

KEYS = ("import", "datasets", "data_path", "settings", "models", "seeds", "threads", "report")
"""Keys of a bench file."""
NOT_SETTINGS = ("model", "vary", "seeds", "datasets")
"""Keys of a model entry that are no settings of the run."""


@dataclass(frozen=True)
class Spec:
    """One run of a plan.

    Attributes:
        label: label of the row of the table that it belongs to.
        entry: name of the model entry; an entry that varies a setting has several rows.
        varied: values of the settings that the entry varies, by name.
        dataset: name of the prepared data set.
        model: name of the model.
        seed: seed of the run.
        settings: all other settings of the run.
    """

    label: str
    entry: str
    varied: dict[str, Any]
    dataset: str
    model: str
    seed: int
    settings: dict[str, Any]

    def folder(self, data: Data) -> Path:
        """Folder of its record, below the folder of records: by content, not by label.

        Args:
            data: the data set of the run.
        """
        identity = {"settings": self.settings, "content": data.content(self.settings)}
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
            digest = _digest(*(file.read_bytes() for file in files))
        except FileNotFoundError as error:
            raise DeltaError(
                f"There is no {error.filename}; prepare {name} with dataset_prep first."
            ) from error
        except (OSError, ValueError) as error:
            raise DeltaError(f"Cannot read {path} ({error}).") from error
        return cls(name, path, Path(f"{name}-{digest[:8]}"))

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


@dataclass(frozen=True)
class Plan:
    """A bench file.

    Attributes:
        path: path of the file.
        specs: the runs, in the order of the file, the first seed of every row first.
        data: data sets by name.
        data_path: folder of the data sets.
        threads: number of threads of each run, on which the last bits of its numbers depend.
        report: title, metrics, reference, baseline, notes and published figures of the report.
    """

    path: Path
    specs: list[Spec]
    data: dict[str, Data]
    data_path: Path
    threads: int
    report: dict[str, Any]

    @property
    def labels(self) -> list[str]:
        """The rows of the table, in order."""
        return list(dict.fromkeys(spec.label for spec in self.specs))


def read_plan(path: str | Path, data_path: str | Path | None = None) -> Plan:
    """Read a bench file and check every setting in it, before anything runs.

    The modules that it lists under ``import``, which register models of one's own, are imported.

    Args:
        path: path of the YAML file.
        data_path: folder of the data sets, above the file's ``data_path``, which is relative to
            the working directory, as for RecBole.

    Raises:
        DeltaError: the file cannot be read, or asks for something that does not exist.
    """
    path = Path(path)
    given = read_yaml(path)
    try:
        check_options("A bench file", given, KEYS)
        import_modules(_modules(given.get("import") or []))
        plan = _plan(path, given, Path(data_path or given.get("data_path") or "dataset").absolute())
        metrics = plan.report["metrics"]
        specs = [_complete(spec, metrics, plan.data_path) for spec in plan.specs]
    except DeltaError as error:
        raise DeltaError(f"{path}: {error}") from error
    return replace(plan, specs=specs)


def _plan(path: Path, given: dict[str, Any], data_path: Path) -> Plan:
    datasets = given.get("datasets") or {}
    if isinstance(datasets, list):
        datasets = {name: {} for name in datasets}
    datasets = _settings("datasets", datasets, "a list of names, or settings by name")
    models = _settings("models", given.get("models"), "settings by the label of a row")
    shared = _settings("settings", given.get("settings") or {}, "settings", empty=True)
    seeds = _seeds(given.get("seeds", [42]))
    report = read_report(given.get("report"))
    threads = given.get("threads", 1)
    at_least_1("threads", threads)
    shared = {"topk": cutoffs(report["metrics"]), **shared}
    specs = [
        spec
        for name, own in datasets.items()
        for label, entry in models.items()
        if name in _datasets_of(label, entry, datasets)
        for spec in _specs(label, entry, str(name), {**shared, **(own or {})}, seeds)
    ]
    specs.sort(key=lambda spec: seeds.index(spec.seed) if spec.seed in seeds else len(seeds))
    plan = Plan(path, specs, {str(n): Data.at(data_path, str(n)) for n in datasets}, data_path,
                threads, report)  # fmt: skip
    check_names(report.get("published", []), plan.labels, plan.data)
    reference = report.get("reference")
    if reference is not None and reference not in plan.labels:
        raise DeltaError(f"report: reference {reference!r} is none of {', '.join(plan.labels)}.")
    return plan


def _datasets_of(label: str, entry: Any, datasets: Mapping[Any, Any]) -> Collection[Any]:
    """The data sets that a model entry is for: all, or those that it lists."""
    chosen = entry.get("datasets") if isinstance(entry, Mapping) else None
    if chosen is None:
        return datasets
    if not isinstance(chosen, list) or not all(name in list(datasets) for name in chosen):
        raise DeltaError(
            f"models: datasets of {label} must be a list of some of "
            f"{', '.join(map(str, datasets))}, but is {chosen!r}."
        )
    return chosen


def _specs(
    label: str, entry: dict[str, Any], dataset: str, shared: dict[str, Any], seeds: list[int]
) -> Iterator[Spec]:
    """The runs of one model entry on one data set."""
    if not isinstance(entry, Mapping) or "model" not in entry:
        raise DeltaError(f"models: {label} must say its model, as in {{model: SASRecDelta}}.")
    settings = {**shared, **{k: v for k, v in entry.items() if k not in NOT_SETTINGS}}
    vary = entry.get("vary") or {}
    if not isinstance(vary, Mapping) or not all(isinstance(v, list) for v in vary.values()):
        raise DeltaError(f"models: vary of {label} must hold lists, as in {{delta_max: [.2, .5]}}.")
    for seed in _seeds(entry.get("seeds", seeds)):
        for values in itertools.product(*vary.values()):
            varied = dict(zip(vary, values))
            named = ", ".join([label, *(f"{name} {value}" for name, value in varied.items())])
            yield Spec(named, label, varied, dataset, entry["model"], seed, {**settings, **varied})


def _complete(spec: Spec, metrics: list[str], data_path: Path) -> Spec:
    """The run, checked, with settings by which it computes what the report shows."""
    try:
        config = run_config(spec, data_path)
        more = lacking(config, metrics)
        if more:
            spec = replace(spec, settings={**spec.settings, **more})
            config = run_config(spec, data_path)
        DeltaSettings.from_config(config)
    except DeltaError as error:
        raise DeltaError(f"{spec.label}: {error}") from error
    return spec


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


def _settings(name: str, value: Any, what: str, empty: bool = False) -> dict[str, Any]:
    if not isinstance(value, dict) or not (value or empty):
        raise DeltaError(f"{name} must hold {what}.")
    return value


def _modules(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise DeltaError(f"import must be a list of modules, as in [my_models], but is {value!r}.")
    return value


def _seeds(value: Any) -> list[int]:
    if not isinstance(value, list) or not value or not all(type(each) is int for each in value):
        raise DeltaError(f"seeds must be a list of whole numbers, but is {value!r}.")
    for seed in value:
        check_seed(seed)
    return value


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
