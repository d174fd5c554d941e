"""Do the runs of a bench file that are not done, and report on all."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

from tqdm import tqdm

from dataset_prep.errors import DeltaError, at_least_1
from dataset_prep.files import write_text
from recbole_delta.bench.plan.plan import Plan, read_plan
from recbole_delta.bench.plan.spec import Spec
from recbole_delta.bench.records.record import Record, is_done
from recbole_delta.bench.report.report import write_report
from recbole_delta.bench.runs.engine import Outcome, in_order_of_completion
from recbole_delta.bench.runs.one import Task
from recbole_delta.compute.modules import imported_modules
from recbole_delta.evaluator.labels import COLUMNS, counted, group_key


def bench(
    path: str | Path,
    out: str | Path | None = None,
    *,
    data_path: str | Path | None = None,
    workers: int = 1,
    cluster: str | None = None,
    train: bool = True,
) -> Path:
    """Do what a bench file asks for; a run that has a record is not done again.

    Args:
        path: path of the bench file (YAML).
        out: folder for the records, which bench files may share, and for a folder with the report,
            named as the bench file is; by default the folder of the bench file.
        data_path: folder of the prepared data sets, above the file's ``data_path``.
        workers: number of runs at a time on this machine.
        cluster: address of a Dask scheduler whose workers do the runs instead.
        train: do the runs; False reports on the records that are there.

    Returns:
        the folder of the report.

    Raises:
        DeltaError: the file asks for something that does not exist, there is no record to report
            on, or runs have failed; the report on the others is written then.

    Example:
        >>> from recbole_delta.quick_start.example import example_data
        >>> folder = example_data()["data_path"]
        >>> _ = Path("tiny.yaml").write_text('''
        ... datasets: [example]
        ... models:
        ...   mean of content: {model: ContentMean, embedding_size: 16}
        ... ''')
        >>> report = bench("tiny.yaml", data_path=folder)  # doctest: +ELLIPSIS
        mean of content, example, seed 42: ndcg@10 ..., 0 epochs, ... s
        >>> sorted(path.name for path in report.iterdir())
        ['figures', 'report.html', 'report.md', 'tables']
    """
    at_least_1("workers", workers)
    plan = read_plan(path, data_path)
    out = Path(out) if out is not None else plan.path.parent
    perform = partial(_perform, out=out.absolute(), workers=workers, cluster=cluster)
    failed = perform(plan, plan.runs) if train else []
    plan = plan.settled(out)
    if train:
        failed += perform(plan, [spec for spec in plan.specs if spec.searched])
    done = finished_runs(plan, out)
    if done:
        write_report(plan, done, out)
    if failed:
        raise DeltaError(
            f"{len(failed)} of {len(plan.records(out))} runs failed, first {failed[0]} Their "
            f"output is in {out / 'failed'}; the same command tries them again."
        )
    if not done:
        raise DeltaError(
            f"{path}: none of its runs has a record in {out / 'records'}, so there is nothing to "
            "report on; leave out --report-only, or see whether its data sets are those of the "
            "records."
        )
    return out / plan.path.stem


def finished_runs(plan: Plan, out: Path) -> list[tuple[Spec, Record]]:
    """The runs of a plan that have a record, each with it.

    Args:
        plan: what a bench file asks for; of its searches, only what :meth:`Plan.settled` has added.
        out: folder of the bench.

    Raises:
        DeltaError: a record is not whole.
    """
    records = [(spec, plan.record_folder(spec, out)) for spec in plan.specs]
    return [(spec, Record.read(folder)) for spec, folder in records if is_done(folder)]


def _perform(
    plan: Plan, specs: list[Spec], out: Path, workers: int, cluster: str | None
) -> list[str]:
    """Do those of some runs that are not done; a sentence for each that failed."""
    # Rows may share a run, as a sweep does with the row of its default.
    todo = {plan.record_folder(spec, out): spec for spec in reversed(specs)}
    todo = {folder: spec for folder, spec in reversed(todo.items()) if not is_done(folder)}
    tasks = [
        Task(asdict(spec), str(plan.data_path), str(folder), str(out / "work" / _name(folder)),
             plan.threads, imported_modules(), str(Path.cwd()))
        for folder, spec in todo.items()
    ]  # fmt: skip
    specs, folders = list(todo.values()), list(todo)
    failed = []
    with tqdm(total=len(tasks), desc="runs", unit="run", disable=None if tasks else True) as bar:
        if tasks and not sys.stderr.isatty():
            said = f"{counted(len(tasks), 'run')} to do, {workers} at a time; a line for each"
            bar.write(said, file=sys.stderr)
        for position, outcome in _until_stopped(tasks, workers, cluster):
            spec, folder = specs[position], folders[position]
            name = f"{spec.label}, {spec.dataset}, seed {spec.seed}"
            if is_done(folder):
                (out / "failed" / f"{_name(folder)}.log").unlink(missing_ok=True)
                bar.write(f"{name}: {_figures(Record.read(folder))}")
            else:
                failed.append(f"{name}: {outcome.reason}")
                bar.write(f"failed: {failed[-1]}")
                write_text(out / "failed" / f"{_name(folder)}.log", outcome.output)
            bar.update()
    return failed


def _name(folder: Path) -> str:
    """A name of a run's record in one word, with that of its data set."""
    return f"{folder.parent.name}-{folder.name}"


def _until_stopped(
    tasks: list[Task], workers: int, cluster: str | None
) -> Iterator[tuple[int, Outcome]]:
    try:
        yield from in_order_of_completion(tasks, workers, cluster)
    except KeyboardInterrupt:
        done = sum(is_done(Path(task.record)) for task in tasks)
        raise KeyboardInterrupt(
            f"Stopped; {done} of {len(tasks)} runs are done, and the same command does the others."
        ) from None


def _figures(record: Record) -> str:
    metrics = record.mode["metrics"]
    first = next(iter(metrics))
    keys = [group_key(first, group) for group in COLUMNS]
    shown = "  ".join(f"{metrics[key]:.4f}" for key in keys if key in metrics)
    seconds = record.measured["seconds"]["train_and_evaluate"]
    epochs = counted(len(record.facts["curve"]), "epoch")
    return f"{first} {shown}, {epochs}, {seconds:.0f} s"
