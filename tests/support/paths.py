"""Where things are: the checkout, and the data beside it."""

from __future__ import annotations

import os
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
BENCHMARKS = CHECKOUT / "benchmarks"
RESULTS = CHECKOUT / "results"
README = CHECKOUT / "README.md"
PAGES = [README, *sorted((CHECKOUT / "docs").glob("*.md"))]
"""What users read."""


def data_folder() -> Path:
    """``RECBOLE_DELTA_DATA``, or ``../shared/data`` beside the checkout; it need not be there."""
    return Path(os.environ.get("RECBOLE_DELTA_DATA") or CHECKOUT.parent / "shared" / "data")
