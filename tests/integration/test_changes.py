"""The list of what we change in RecBole is complete, and RecBole still has all of it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from functools import reduce

import pytest

import recbole_delta
from recbole_delta.integration import CALLED, OVERRIDDEN, REPLACED

ATTRIBUTES = [
    name for name in REPLACED if re.fullmatch(r"\w+(\.\w+)+", name) and "torchaudio" not in name
]


def ours():
    """Every class of the package."""
    for module in pkgutil.walk_packages(recbole_delta.__path__, "recbole_delta."):
        importlib.import_module(module.name)
    names = [name for name in sys.modules if name.startswith("recbole_delta.")]
    values = [value for name in names for value in vars(sys.modules[name]).values()]
    return {v for v in values if inspect.isclass(v) and v.__module__.startswith("recbole_delta")}


def test_every_private_method_that_is_overridden_is_listed():
    found = set()
    for each in ours():
        stock = [base for base in each.__mro__ if base.__module__.startswith("recbole.")]
        for name in vars(each):
            if name.startswith("_") and not name.startswith("__"):
                owner = next((base for base in stock if name in vars(base)), None)
                if owner is not None:
                    found.add(f"{owner.__module__}.{owner.__qualname__}.{name}")
    assert found == {f"recbole.{name}" for name in OVERRIDDEN}


@pytest.mark.parametrize("name", [*OVERRIDDEN, *CALLED])
def test_recbole_still_has(name):
    module, owner, method = f"recbole.{name}".rsplit(".", 2)
    assert method in vars(getattr(importlib.import_module(module), owner))


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_what_is_replaced_is_there(name):
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            module = importlib.import_module(".".join(parts[:end]))
        except ImportError:
            continue
        reduce(getattr, parts[end:], module)
        return
    pytest.fail(f"no {name}")


@pytest.mark.parametrize("model", recbole_delta.model.MODELS)
def test_recbole_finds_our_classes_where_the_list_says(model):
    name = model.__name__
    assert hasattr(importlib.import_module("recbole.trainer"), f"{name}Trainer")
    assert hasattr(importlib.import_module("recbole.data.dataset"), f"{name}Dataset")
    lookup = importlib.import_module(f"recbole.model.sequential_recommender.{name.lower()}")
    assert getattr(lookup, name) is model
