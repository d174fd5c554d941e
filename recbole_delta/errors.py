"""What a user can mend, said in one sentence."""

from collections.abc import Iterable


class DeltaError(ValueError):
    """Bad input: the message names the file, field or item at fault and the mend."""


def at_least_1(name: str, value: object) -> None:
    """Refuse what is not a whole number of at least 1.

    Raises:
        DeltaError: with the setting's name.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise DeltaError(f"{name} must be at least 1, but is {value!r}.")


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
