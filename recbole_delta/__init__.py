"""Item cold start for RecBole: frozen content vectors plus a small bounded trainable delta.

Importing this package mends RecBole for the current stack and registers the models of
:data:`recbole_delta.model.MODELS` with it: ``model: SASRecDelta`` works in any YAML, under
RecBole's own ``run_recbole`` too.
"""

__version__ = "0.1.0"

from recbole_delta import compat

compat.prepare()

from recbole_delta.errors import DeltaError  # noqa: E402
from recbole_delta.seam.register import install, register  # noqa: E402

install()

from recbole_delta.run import RunResult, load_run, resume, run  # noqa: E402
from recbole_delta.serving import Recommendation, Recommender  # noqa: E402

__all__ = [
    "DeltaError",
    "Recommendation",
    "Recommender",
    "RunResult",
    "__version__",
    "load_run",
    "register",
    "resume",
    "run",
]
