"""Quick float32 products are float32."""

from __future__ import annotations

import pytest
import torch

from recbole_delta.compute.matmul import quick_float32


def test_quick_products_are_float32_and_the_setting_comes_back():
    before = torch.get_float32_matmul_precision()
    a = torch.randn(300, 200, generator=torch.Generator().manual_seed(0))
    with quick_float32(torch.device("cpu")):
        product = a @ a.T
    assert torch.get_float32_matmul_precision() == before
    exact = a.double() @ a.double().T
    with pytest.raises(KeyError), quick_float32(torch.device("cpu")):
        {}["the setting comes back after an error too"]
    assert torch.get_float32_matmul_precision() == before
    assert ((product - exact).abs().max() / exact.abs().max()).item() < 1e-6


def test_a_users_own_precision_is_kept():
    torch.set_float32_matmul_precision("high")
    try:
        with quick_float32(torch.device("cpu")):
            assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")
