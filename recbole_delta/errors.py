"""What a user can mend, said in one sentence."""


class DeltaError(ValueError):
    """Bad input: the message names the file, field or item at fault and the mend."""


def at_least_1(name: str, value: object) -> None:
    """Refuse what is not a whole number of at least 1.

    Raises:
        DeltaError: with the setting's name.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise DeltaError(f"{name} must be at least 1, but is {value!r}.")
