"""RecBole on a current stack, each mend seen from outside in a process of its own."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest
from support.paths import CHECKOUT

import recbole_delta.integration.compat as compat


def python(code):
    """Run ``code`` in a fresh interpreter at the checkout."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, timeout=300
    )


def test_pandas_3_is_refused_with_the_mend(monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda name: "3.0.1")
    with pytest.raises(ImportError, match=r'pandas 3.0.1 .*pip install "pandas<3"'):
        compat._refuse_pandas_3()


def test_a_missing_recbole_is_explained(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install --no-deps recbole==1.2.1"):
        compat._require_recbole()


@pytest.mark.slow
@pytest.mark.subprocess
@pytest.mark.skipif(importlib.util.find_spec("torchaudio") is None, reason="needs torchaudio")
@pytest.mark.parametrize("first", ["torchaudio", "sentence_transformers"])
def test_torchaudio_and_sentence_transformers_live_together(first):
    done = python(
        f"import recbole_delta, {first}, torchaudio, sentence_transformers, torch\n"
        "mel = torchaudio.transforms.MelSpectrogram(n_mels=40)(torch.randn(1, 4000))\n"
        "assert mel.isfinite().all() and mel.shape[1] == 40\n"
        "torchaudio.functional.resample(torch.randn(1, 4000), 16000, 8000)"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.subprocess
def test_ray_is_left_to_whoever_wants_the_real_one():
    done = python("import recbole_delta, sys; assert not {'ray', 'ray.tune'} & set(sys.modules)")
    assert done.returncode == 0, done.stderr


@pytest.mark.subprocess
@pytest.mark.parametrize("wanted", [True, False])
def test_anomaly_detection_stays_as_the_user_set_it(wanted):
    done = python(
        f"import torch; torch.autograd.set_detect_anomaly({wanted})\n"
        "import recbole_delta\n"
        "from recbole.utils import get_model; get_model('SINE')\n"
        f"assert torch.is_anomaly_enabled() is {wanted}"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.subprocess
def test_a_graph_model_of_recbole_builds_its_matrix():
    done = python(
        "import recbole_delta\n"
        "from scipy.sparse import dok_matrix\n"
        "m = dok_matrix((2, 3)); m._update({(0, 1): 5.0}); assert m[0, 1] == 5"
    )
    assert done.returncode == 0, done.stderr


def test_recboles_trainer_trusts_only_what_it_wrote(tmp_path):
    import torch

    trainer_torch = compat._TrainerTorch()
    payload = {"config": ValueError("any object")}
    trainer_torch.save(payload, tmp_path / "own.pth")
    assert isinstance(trainer_torch.load(tmp_path / "own.pth")["config"], ValueError)
    torch.save(payload, tmp_path / "given.pth")
    with pytest.raises(Exception, match="Weights only load failed"):
        trainer_torch.load(tmp_path / "given.pth")
    assert trainer_torch.no_grad is torch.no_grad


def test_importing_twice_registers_once():
    from recbole.config import Config

    from recbole_delta.integration.register import install

    before = Config._load_internal_config_dict
    install()
    assert Config._load_internal_config_dict is before
