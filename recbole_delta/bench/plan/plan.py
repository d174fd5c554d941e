"""What a bench file asks for: a :class:`Spec` a run, a :class:`Search` a row that is tuned."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from dataset_prep.errors import DeltaError, at_least_1, check_options, check_seed
from recbole_delta.bench.plan.refused import (
    check_dataset_names,
    check_labels,
    check_report,
    check_rows,
    check_seeds,
    check_settings,
    check_text,
    check_values,
)
from recbole_delta.bench.plan.search import NOT_SEARCHED, FolderOf, Search, combinations, named
from recbole_delta.bench.plan.spec import Data, Spec, run_config
from recbole_delta.bench.plan.wanted import check_names, cutoffs, lacking, read_report
from recbole_delta.compute.modules import import_modules
from recbole_delta.config.settings import DeltaSettings
from recbole_delta.config.yaml_file import read_yaml

KEYS = ("import", "datasets", "data_path", "settings", "models", "seeds", "threads", "report")
"""Keys of a bench file."""
NOT_SETTINGS = ("model", "vary", "search", "seeds", "datasets")
"""Keys of a model entry that are no settings of the run."""


@dataclass(frozen=True)
class Plan:
    """A bench file.

    Attributes:
        path: path of the file.
        labels: the rows of the table, in the order of the file.
        seeds: the seeds of the file.
        specs: the runs of rows that are settled, the first seed of every row first.
        searches: the rows whose settings validation chooses.
        data: data sets by name.
        data_path: folder of the data sets.
        threads: number of threads of each run, on which the last bits of its numbers depend.
        report: title, metrics, reference, baseline, notes and published figures of the report.
    """

    path: Path
    labels: list[str]
    seeds: list[int]
    specs: list[Spec]
    searches: list[Search]
    data: dict[str, Data]
    data_path: Path
    threads: int
    report: dict[str, Any]

    @property
    def runs(self) -> list[Spec]:
        """All runs that can be done now: of settled rows, and the trials of searches."""
        return [*self.specs, *(trial for each in self.searches for trial in each.trials)]

    def records(self, out: Path) -> set[Path]:
        """Folders of the records of :attr:`runs`; rows may share a run.

        Args:
            out: folder of the bench.
        """
        return {self.record_folder(spec, out) for spec in self.runs}

    def record_folder(self, spec: Spec, out: Path) -> Path:
        """Folder of a run's record, whether the run is done or not.

        Args:
            spec: a run of the plan.
            out: folder of the bench.
        """
        return out / "records" / spec.folder(self.data[spec.dataset])

    def folder_of(self, out: Path) -> FolderOf:
        """:meth:`record_folder` below one folder.

        Args:
            out: folder of the bench.
        """
        return partial(self.record_folder, out=out)

    def settled(self, out: Path) -> Plan:
        """The plan with the runs of each row whose search is done, at what it has chosen.

        Args:
            out: folder of the bench, whose records the searches choose by.

        Raises:
            DeltaError: a record is not whole.
        """
        folder_of = self.folder_of(out)
        chosen = [spec for search in self.searches for spec in search.read(folder_of).chosen]
        return self.with_specs([*(spec for spec in self.specs if not spec.searched), *chosen])

    def with_specs(self, specs: Iterable[Spec]) -> Plan:
        """The plan with other runs in the place of its own.

        Args:
            specs: runs of settled rows, in any order.
        """
        seeds = {seed: position for position, seed in enumerate(self.seeds)}
        data = {name: position for position, name in enumerate(self.data)}
        labels = {label: position for position, label in enumerate(self.labels)}

        def place(spec: Spec) -> tuple[int, int, int]:
            return seeds.get(spec.seed, len(seeds)), data[spec.dataset], labels[spec.label]

        return replace(self, specs=sorted(specs, key=place))


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
    if not path.suffix:
        raise DeltaError(
            f"{path} needs an ending, as {path}.yaml: its report is the folder {path}."
        )
    try:
        check_options("A bench file", given, KEYS)
        check_text(given, "data_path")
        import_modules(_modules(given.get("import") or []))
        plan = _plan(path, given, Path(data_path or given.get("data_path") or "dataset").absolute())
        metrics = plan.report["metrics"]
        specs = [_complete(spec, metrics, plan.data_path) for spec in plan.specs]
        searches = [
            replace(each, trials=[_complete(spec, metrics, plan.data_path) for spec in each.trials])
            for each in plan.searches
        ]
    except DeltaError as error:
        raise DeltaError(f"{path}: {error}") from error
    return replace(plan, specs=specs, searches=searches)


def _plan(path: Path, given: dict[str, Any], data_path: Path) -> Plan:
    datasets = given.get("datasets") or {}
    if isinstance(datasets, list):
        datasets = {name if isinstance(name, Hashable) else str(name): {} for name in datasets}
    datasets = _settings("datasets", datasets, "a list of names, or settings by name")
    models = _settings("models", given.get("models"), "settings by the label of a row")
    check_labels("datasets", datasets)
    check_labels("models", models)
    check_dataset_names(datasets)
    shared = _settings("settings", given.get("settings") or {}, "settings", empty=True)
    seeds = _seeds(given.get("seeds", [42]))
    report = read_report(given.get("report"))
    check_text(report, "title", "notes")
    threads = given.get("threads", 1)
    at_least_1("threads", threads)
    shared = {"topk": cutoffs(report["metrics"]), **shared}
    specs = [
        spec
        for name, own in datasets.items()
        for label, entry in models.items()
        if name in _datasets_of(label, entry, datasets)
        for spec in _specs(label, entry, name, {**shared, **(own or {})}, seeds)
    ]
    labels = list(dict.fromkeys(spec.entry if spec.searched else spec.label for spec in specs))
    trials = groupby((spec for spec in specs if spec.searched), lambda s: (s.dataset, s.entry))
    searches = [
        Search(list(each), models[entry].get("seeds", seeds)) for (_, entry), each in trials
    ]
    check_rows(
        (spec for spec in specs if not spec.searched),
        ((search.label, search.dataset) for search in searches),
    )
    data = {name: Data.at(data_path, name) for name in datasets}
    plan = Plan(path, labels, seeds, [], searches, data, data_path, threads, report)
    plan = plan.with_specs(spec for spec in specs if not spec.searched)
    check_names(report.get("published", []), labels, data)
    check_report(report, labels, [label for label in labels if label in models])
    return plan


def _datasets_of(label: str, entry: Any, datasets: Mapping[Any, Any]) -> Collection[Any]:
    """The data sets that a model entry is for: all, or those that it lists."""
    chosen = entry.get("datasets") if isinstance(entry, Mapping) else None
    if chosen is None:
        return datasets
    known = list(datasets)
    if not isinstance(chosen, list) or not chosen or not all(name in known for name in chosen):
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
    vary, search = (_lists(label, key, entry.get(key) or {}) for key in ("vary", "search"))
    if vary and search:
        raise DeltaError(f"models: {label} must have vary, a row each, or search, one row.")
    if search and 0 in search.get("eval_step", [settings.get("eval_step")]):
        raise DeltaError(f"models: {label} cannot be tuned without validation; eval_step is 0.")
    for name in set(search) & set(NOT_SEARCHED):
        raise DeltaError(f"models: {label} cannot search {name}: {NOT_SEARCHED[name]}.")
    check_settings(label, settings, vary, search)
    seeds = _seeds(entry.get("seeds", seeds))
    for seed in seeds[:1] if search else seeds:
        for varied in combinations(vary or search):
            row = f"{label}, {named(varied)}" if varied else label
            own = {**settings, **varied}
            yield Spec(row, label, varied, dataset, entry["model"], seed, own, search)


def _lists(label: str, key: str, value: Any) -> dict[str, list[Any]]:
    if not isinstance(value, dict) or not all(isinstance(v, list) and v for v in value.values()):
        raise DeltaError(
            f"models: {key} of {label} must hold lists, as in {{delta_max: [.2, .5]}}."
        )
    check_values(label, value)
    return value


def _complete(spec: Spec, metrics: list[str], data_path: Path) -> Spec:
    """The run, checked, with settings by which it computes what the report shows."""
    try:
        check_text(spec.settings, "content_file")
        if file := spec.settings.get("content_file"):  # a run has a working directory of its own
            spec = replace(
                spec, settings={**spec.settings, "content_file": str(Path(file).absolute())}
            )
        config = run_config(spec, data_path)
        more = lacking(config, metrics)
        if more:
            spec = replace(spec, settings={**spec.settings, **more})
            config = run_config(spec, data_path)
        DeltaSettings.from_config(config)
    except DeltaError as error:
        raise DeltaError(f"{spec.label}: {error}") from error
    return spec


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
    check_seeds(value)
    return value
