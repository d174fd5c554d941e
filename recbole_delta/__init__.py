"""Item cold start for RecBole: frozen content vectors plus a small bounded trainable delta.

Importing this package fixes RecBole 1.2.1 for current NumPy, PyTorch and SciPy, and registers the
models of :data:`recbole_delta.model.MODELS` with it: ``model: SASRecDelta`` works in any YAML,
under RecBole's own ``run_recbole`` too. The names here are the whole public interface of a run:

- :func:`run`, :func:`resume`, :func:`load_run`: train and evaluate, go on, load again;
- :class:`Recommender`: recommend from a checkpoint, and add items to it;
- :class:`ContentBackbone` and :func:`register`: write a backbone of one's own, and make it known to
  RecBole;
- :class:`DeltaError`: every error in the user's input.
"""

from recbole_delta._version import __version__
from recbole_delta.integration import compat

compat.prepare()

from dataset_prep.errors import DeltaError  # noqa: E402
from recbole_delta.integration.register import install, register  # noqa: E402

install()

from recbole_delta.model import ContentBackbone  # noqa: E402
from recbole_delta.quick_start.run import RunResult, load_run, resume, run  # noqa: E402
from recbole_delta.serving import Recommendation, Recommender  # noqa: E402

__all__ = [
    "ContentBackbone",
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
