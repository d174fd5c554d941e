"""Errors in the user's input, each said in one sentence."""

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from numbers import Integral
from typing import Any

LONGEST = 1000
"""Characters of a message: it may quote a file, and a file may be one line of a gigabyte."""


class DeltaError(ValueError):
    r"""Bad input: the message names the file, field or item at fault and the fix.

    Args:
        message: one sentence. It is put on one line, a long one loses its middle, and characters
            that cannot be seen are escaped; where it ends in another sentence, one full stop is
            enough.

    Example:
        >>> from dataset_prep.errors import DeltaError
        >>> print(DeltaError("rows.csv has no column 'user'; it has: us\0er."))
        rows.csv has no column 'user'; it has: us\x00er.
        >>> print(DeltaError(f"my.csv: {DeltaError('It is empty.')}."))
        my.csv: It is empty.
    """

    def __init__(self, message: str) -> None:
        line = " ".join(message.splitlines())
        if line.endswith("..") and not line.endswith("..."):
            line = line[:-1]
        line = _without_middle(line)
        # A quoted file may hold anything: a NUL, a terminal's escape sequence, half a surrogate.
        visible = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in line)
        super().__init__(_without_middle(visible))


def _without_middle(line: str) -> str:
    if len(line) <= LONGEST:
        return line
    return f"{line[: LONGEST // 2]} … {line[-LONGEST // 2 :]}"


class DeltaErrors(DeltaError):
    """Several errors at once, a line each.

    Args:
        messages: their sentences, at least two.
    """

    def __init__(self, messages: Sequence[str]) -> None:
        super().__init__("")
        listed = "".join(f"\n- {each}" for each in messages)
        self.args = (f"{len(messages)} things have to be changed:{listed}",)


def check_all(checks: Iterable[Callable[[], object]]) -> None:
    """Do every check, and raise all that they find together.

    Args:
        checks: each raises a DeltaError where something is wrong.

    Raises:
        DeltaError: the one that was raised, or :class:`DeltaErrors` of several.

    Example:
        >>> from functools import partial
        >>> asked = {"core": 0, "users": "few"}
        >>> check_all(partial(at_least_1, *each) for each in asked.items())
        Traceback (most recent call last):
            ...
        dataset_prep.errors.DeltaErrors: 2 things have to be changed:
        - core must be at least 1, but is 0.
        - users must be at least 1, but is 'few'.
    """
    found = []
    for check in checks:
        try:
            check()
        except DeltaError as error:
            found.append(error)
    if len(found) == 1:
        raise found[0]
    if found:
        raise DeltaErrors([line for each in found for line in _sentences(each)])


def _sentences(error: DeltaError) -> list[str]:
    lines = str(error).splitlines()
    return [line.removeprefix("- ") for line in lines[1:]] if len(lines) > 1 else lines


def require(holds: bool, message: str) -> None:
    """Refuse what does not hold.

    Raises:
        DeltaError: with ``message``.
    """
    if not holds:
        raise DeltaError(message)


def text(name: str, value: object) -> None:
    """Refuse what is no text, as a number that a YAML does not quote.

    Raises:
        DeltaError: with the setting's name.
    """
    if not isinstance(value, str):
        raise DeltaError(f"{name} must be text, but is {value!r}; quote it in the YAML.")


def at_least_1(name: str, value: object) -> None:
    """Refuse what is not a whole number of at least 1.

    Raises:
        DeltaError: with the setting's name.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise DeltaError(f"{name} must be at least 1, but is {value!r}.")


def at_least_0(name: str, value: object) -> None:
    """Refuse what is not a number of at least 0; infinity is one.

    Raises:
        DeltaError: with the setting's name.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or math.isnan(value) or value < 0:  # type: ignore[arg-type, operator]
        raise DeltaError(f"{name} must be a number >= 0, but is {value!r}.")


def number(name: str, value: object, least: float = -math.inf, most: float = math.inf) -> None:
    """Refuse what is not a finite number from ``least`` to ``most``.

    Raises:
        DeltaError: with the setting's name.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not least <= value <= most:  # type: ignore[arg-type, operator]
        bounds = f" from {least:g} to {most:g}" if math.isfinite(most - least) else ""
        raise DeltaError(f"{name} must be a number{bounds}, but is {value!r}.")


def whole_number(name: str, value: object, least: int) -> None:
    """Refuse what is not a whole number of at least ``least``.

    Raises:
        DeltaError: with the setting's name.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise DeltaError(f"{name} must be a whole number >= {least}, but is {value!r}.")


def one_of(name: str, value: Any, choices: Collection[Any]) -> None:
    """Refuse a value that is none of the choices of the setting ``name``.

    Raises:
        DeltaError: with the choices.
    """
    if value not in choices:
        listed = " | ".join(map(str, choices))
        raise DeltaError(f"{name} must be one of {listed}, but is {value!r}.")


def check_seed(seed: int) -> None:
    """Refuse a seed that NumPy would.

    Raises:
        DeltaError: it is not from 0 to 2^32 - 1.
    """
    if not 0 <= seed < 2**32:
        raise DeltaError(f"seed must be from 0 to 2^32 - 1, but is {seed}.")


def check_options(owner: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse options that ``owner`` does not have.

    Raises:
        DeltaError: with those that it has.
    """
    known = list(known)
    for name in given:
        if name not in known:
            listed = ", ".join(known) or "none"
            raise DeltaError(f"{owner} has no option {name!r}; it has: {listed}.")


def check_folder_name(what: str, name: str) -> None:
    """Refuse a name that would lead to another folder.

    Raises:
        DeltaError: it is none, or a path.
    """
    if name in ("", ".", "..") or any(sign in name for sign in "/\\\0"):
        raise DeltaError(f"{what}: {name!r} is no name; say the folder apart from it.")
