"""What a user can mend, said in one sentence."""


class DeltaError(ValueError):
    """Bad input: the message names the file, field or item at fault and the mend."""
