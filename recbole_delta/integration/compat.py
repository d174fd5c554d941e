"""Fixes RecBole 1.2.1 so that it runs on a current stack.

RecBole's last release predates NumPy 2, PyTorch 2.6 and SciPy 1.14. Each function here
fixes one breakage and says why it is there; :func:`prepare` applies them in order and must
run before RecBole is imported. What cannot be fixed from outside is refused.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import torch

from dataset_prep.encoders.torchaudio_extension import stand_in_for_extension


def prepare() -> None:
    """Apply every fix, then import RecBole.

    Raises:
        ImportError: a package is missing, or one is installed that corrupts results.
    """
    _refuse_pandas_3()
    _require_recbole()
    _name_numpy_types()
    # RecBole's users import sentence-transformers too, after this package.
    stand_in_for_extension()
    with _stand_in_for_ray(), _anomaly_detection_as_it_was():
        import recbole.model.sequential_recommender
        import recbole.quick_start  # noqa: F401
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"recbole\.")
    _let_dok_matrix_update()
    _let_trainer_reload_its_own_checkpoint()
    _let_hyper_tuning_draw()


def _refuse_pandas_3() -> None:
    """Pandas 3 makes ``Series.fillna(inplace=True)`` a silent no-op in RecBole's dataset."""
    version = importlib.metadata.version("pandas")
    if int(version.split(".")[0]) >= 3:
        raise ImportError(
            f"pandas {version} silently leaves missing values in RecBole's data sets; "
            'install an older one: pip install "pandas<3".'
        )


def _require_recbole() -> None:
    """On Python 3.12 and later pip cannot install RecBole's pinned ray, nor RecBole with it."""
    if importlib.util.find_spec("recbole") is None:
        raise ImportError(
            "RecBole is not installed; on Python 3.12 and later run: "
            "pip install --no-deps recbole==1.2.1"
        )


def _name_numpy_types() -> None:
    """``Config.compatibility_settings`` and ray read aliases that NumPy 2 removed."""
    aliases = {
        "bool8": np.bool_,
        "float_": np.float64,
        "complex_": np.complex128,
        "unicode_": np.str_,
    }
    for name, target in aliases.items():
        if name not in vars(np):
            setattr(np, name, target)


@contextmanager
def _stand_in_for_ray() -> Iterator[None]:
    """RecBole imports ray for one call, ``tune.report``; ray 2.6.3 does not import today.

    The stand-in is there during RecBole's import only, so that a later ``import ray`` gets
    the real one, to which reports are passed on.
    """
    if "ray" in sys.modules:
        yield
        return

    def report(*args: Any, **kwargs: Any) -> None:
        real = sys.modules.get("ray.tune")
        if real is not None:
            real.report(*args, **kwargs)

    ray, tune = ModuleType("ray"), ModuleType("ray.tune")
    ray.tune, tune.report = tune, report  # type: ignore[attr-defined]
    sys.modules.update({"ray": ray, "ray.tune": tune})
    try:
        yield
    finally:
        del sys.modules["ray"], sys.modules["ray.tune"]


@contextmanager
def _anomaly_detection_as_it_was() -> Iterator[None]:
    """RecBole's SINE switches autograd's anomaly detection on for the whole process.

    Every other model is imported with it, and trains about a third slower from then on.
    """
    enabled = torch.is_anomaly_enabled()
    yield
    torch.autograd.set_detect_anomaly(enabled)


def _let_dok_matrix_update() -> None:
    """RecBole's graph models call ``dok_matrix._update``, which SciPy 1.14 removed."""
    from scipy.sparse import dok_matrix

    if not hasattr(dok_matrix, "_update"):
        dok_matrix._update = lambda self, entries: self._dict.update(entries)


def _let_trainer_reload_its_own_checkpoint() -> None:
    """RecBole's trainer pickles its config, and ``torch.load`` refuses pickles since 2.6.

    Only a file that this process has written is trusted, and only inside RecBole's trainer:
    a checkpoint that somebody hands over is never unpickled.
    """
    import recbole.trainer.trainer as trainer_module

    if not isinstance(trainer_module.torch, _TrainerTorch):
        trainer_module.torch = _TrainerTorch()


def _let_hyper_tuning_draw() -> None:
    """RecBole's exhaustive search hands hyperopt a ``RandomState``; 0.3 draws from a ``Generator``.

    Its plot names ``np.str``, which NumPy has removed.
    """
    import recbole.trainer.hyper_tuning as tuning_module

    numpy, draws = ModuleType("numpy"), ModuleType("numpy.random")
    draws.__dict__.update(vars(np.random), RandomState=np.random.default_rng)
    numpy.__dict__.update(vars(np), random=draws, str=str)
    tuning_module.np = numpy


class _TrainerTorch(ModuleType):
    """``torch`` as RecBole's trainer sees it: it reloads what it saved itself."""

    def __init__(self) -> None:
        super().__init__("torch")
        self._written: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    def save(self, obj: Any, f: Any, **kwargs: Any) -> None:
        torch.save(obj, f, **kwargs)
        self._written.add(os.path.realpath(f))

    def load(self, f: Any, **kwargs: Any) -> Any:
        return torch.load(f, weights_only=os.path.realpath(f) not in self._written, **kwargs)
