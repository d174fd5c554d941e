"""The subcommands of ``recbole-delta`` for what comes after training."""

from __future__ import annotations

import sys
import warnings
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dataset_prep.encoders.new_items import NewItems
from dataset_prep.errors import DeltaError, at_least_1
from recbole_delta.cli.json_lines import Answers, opened, read_histories
from recbole_delta.evaluator.labels import counted
from recbole_delta.serving.recommender import Recommender


def add(given: Namespace) -> None:
    """Add items to a checkpoint, or take some out."""
    content = (given.items, given.audio, given.vectors)
    if not any(content) and not given.remove:
        raise DeltaError("Say what to add (--items, --audio, --vectors) or which ids to --remove.")
    recommender, said = Recommender(given.checkpoint, given.device), []
    unknown = sorted(set(given.remove) - set(recommender.known_items))
    if unknown:  # not after everything has been encoded
        raise DeltaError(f"--remove: there is no item {unknown[0]!r}.")
    if any(content):
        # Beside what is written anyway: where the command is called need not be writable.
        cache = Path(given.to).parent / ".content"
        table = NewItems(*content, cache=cache).encode(recommender.encoding)
        recommender.add_items(table.tokens, table.vectors)
        said = [f"{counted(len(table.tokens), 'item')} added or replaced"]
    recommender.remove_items(given.remove)
    recommender.save(given.to)
    cold = len(recommender.cold_items)
    print(*said, sep="\n", end="\n" * len(said))
    print(f"{given.to}: recommends {counted(len(recommender.items), 'item')}, {cold} of them cold")


def warm_up(given: Namespace) -> None:
    """Give the cold items of some histories deltas."""
    recommender = Recommender(given.checkpoint, given.device)
    histories = []
    for path in [given.file] if given.background is None else [given.file, given.background]:
        with opened(path) as source:
            histories += read_histories(recommender, source)
    with _warnings_in_a_line():
        count = recommender.warm_up(histories)
    recommender.save(given.to)
    items, rows = counted(len(count), "item"), counted(sum(count.values()), "interaction")
    print(f"{given.to}: {items} got deltas from {rows}")


def recommend(given: Namespace) -> None:
    """Answer histories as they come in.

    Raises:
        DeltaError: no line could be served, or an option has a value that cannot be used.
    """
    at_least_1("k", given.k)
    recommender = Recommender(given.checkpoint, given.device)
    if given.cold_share is not None:
        recommender.set_cold_share(given.cold_share)
    options = {
        "k": given.k,
        "exclude_seen": not given.seen,
        "cold_only": given.cold_only,
        "allow": _known_ids(recommender, "--allow", given.allow) if given.allow else None,
        "deny": _known_ids(recommender, "--deny", given.deny) if given.deny else (),
    }
    answers = Answers(recommender, options, given.skip_unknown)
    try:
        with opened(given.file) as source:
            for lines in source.batches():
                for line in answers.to(lines):
                    print(line)
                sys.stdout.flush()
    except KeyboardInterrupt:
        done = counted(answers.answered + len(answers.refused), "line")
        raise KeyboardInterrupt(f"Stopped; {done} answered.") from None
    if answers.skipped:
        _warn(f"{counted(answers.skipped, 'unknown id')} left out of histories.")
    if answers.refused and not answers.answered:
        raise DeltaError(f"No line could be served, first {answers.refused[0]}")
    if answers.refused:
        total = answers.answered + len(answers.refused)
        _warn(
            f"{len(answers.refused)} of {total} lines could not be served; their answers say why."
        )


def export(given: Namespace) -> None:
    """Write item vectors and the session encoder."""
    recommender = Recommender(given.checkpoint, given.device)
    recommender.export(given.to)
    print(f"{given.to}: {len(recommender.items)} items; onnxruntime scores them as the model does")


def explain(given: Namespace) -> None:
    """Print what training made of some items, and draw all of them."""
    if not given.items and not given.to:
        raise DeltaError("Say which items to explain, or with --to DIR where to draw them all.")
    spaces = Recommender(given.checkpoint, given.device).spaces()
    for each in [spaces.explain(item, given.k) for item in given.items]:
        print(f"{each}\n")
    if given.to:
        # Not at the top: matplotlib is for pictures alone, and its first import looks for fonts.
        from recbole_delta.serving.pictures import write_pictures

        write_pictures(spaces, given.items, given.to)
        print(f"{given.to / 'drift.png'}: cos(content, embedding) by training rows")
        print(f"{given.to / 'spaces.png'}: items by content and by adapted vector")


def _known_ids(recommender: Recommender, option: str, path: Path) -> list[str]:
    """The ids in a file, one a line, that the recommender knows."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, ValueError) as error:
        raise DeltaError(f"Cannot read {path} ({error}).") from error
    ids = [line for line in lines if line]
    known = set(recommender.known_items)
    found = [token for token in ids if token in known]
    if len(found) < len(ids):
        _warn(f"{option} {path}: {len(ids) - len(found)} of {len(ids)} ids are unknown.")
    return found


@contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """Python's own way of showing a warning names a line of code, which is nobody's here."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for each in caught:
        _warn(str(each.message))


def _warn(sentence: str) -> None:
    print(f"warning: {sentence}", file=sys.stderr)
