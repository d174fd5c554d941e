"""One finding of an audit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

FAULT, WARNING, NOTE = SEVERITIES = ("fault", "warning", "note")
"""A fault makes figures wrong, a warning has to be said beside them, a note is good to know."""

SHOWN = 3
"""Examples that are shown, at most."""


@dataclass(frozen=True)
class Finding:
    """What a check has found.

    Attributes:
        severity: one of :data:`SEVERITIES`.
        check: name of the check, as in ``docs/audit.md``.
        sentence: what was found, in plain English.
        number: how much of it: a count or a share, as the sentence says.
        examples: items, users or rows concerned, the first few in the order of their names.
    """

    severity: str
    check: str
    sentence: str
    number: float
    examples: tuple[str, ...] = ()


def some(names: Iterable[str]) -> tuple[str, ...]:
    """The first :data:`SHOWN` names in their order, each once.

    Args:
        names: names in any order.

    Example:
        >>> some(["d", "a", "c", "b", "a"])
        ('a', 'b', 'c')
    """
    return tuple(sorted(set(names))[:SHOWN])


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Findings by severity, then as they were found.

    Args:
        findings: findings in any order.
    """
    return sorted(findings, key=lambda each: SEVERITIES.index(each.severity))
