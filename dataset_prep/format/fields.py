"""Names that are fixed in every prepared data set: its splits, and fields of its files."""

SPLITS = ("train", "valid", "test", "history")
"""What a row of .inter may be for: training, a validation or test target, or history only."""

SPLIT_FIELD = "split"
"""Field of .inter that holds one of :data:`SPLITS`."""

COLD_FIELD = "is_cold"
"""Field of .item: 1 for an item without a training row, 0 for the others."""

COUNT_FIELD = "train_count"
"""Field of .item: the item's training rows."""


def column_names(header: str) -> set[str]:
    r"""Names of the columns of an atomic file, without their types.

    Args:
        header: its first line.

    Example:
        >>> sorted(column_names("user_id:token\ttimestamp:float"))
        ['timestamp', 'user_id']
    """
    return {column.split(":")[0] for column in header.split("\t")}
