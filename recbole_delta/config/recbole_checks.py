"""Checks of RecBole's own settings, before RecBole fails far from them."""

from __future__ import annotations

import codecs
import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from importlib.util import find_spec
from typing import Any

from dataset_prep.errors import DeltaError, at_least_0, one_of, require, whole_number

MIN_VALUES = {
    "epochs": 1,
    "train_batch_size": 1,
    "eval_batch_size": 1,
    "MAX_ITEM_LIST_LENGTH": 1,
    "eval_step": 0,
    "stopping_step": 0,
    "seed": 0,
    "worker": 0,
    "nproc": 1,
}
"""Least values of RecBole's whole numbers, which crash far from here when they are smaller."""

MAX_VALUES = {
    "n_layers": 256,
    "num_layers": 256,
    "nproc": 256,
    "worker": 256,
    "train_batch_size": 2**31,
    "eval_batch_size": 2**31,
}
"""Greatest values that memory and time are enough for; a checkpoint may hold any."""

MAX_K = 1_000_000
"""The largest k of ``topk`` that memory is enough for."""

LEARNERS = ("adam", "adamw", "sgd", "adagrad", "rmsprop")
"""Optimizers: RecBole takes any other name for adam, and no model has gradients for sparse_adam."""

CLIP_ARGUMENTS = ("max_norm", "norm_type", "error_if_nonfinite", "foreach")
"""Arguments of ``torch.nn.utils.clip_grad_norm_``."""


def recbole_checks(config: Any) -> Iterator[Callable[[], None]]:
    """Checks that RecBole's settings have values that it can use, one each.

    Args:
        config: a RecBole ``Config``.
    """
    for name, least in MIN_VALUES.items():
        yield partial(whole_number, name, config[name], least)
    for name, most in MAX_VALUES.items():
        if isinstance(config[name], (int, float)):
            message = f"{name} must be at most {most}, but is {config[name]!r}."
            yield partial(require, config[name] <= most, message)
    for k in config["topk"]:
        yield partial(_check_k, k)
    yield partial(one_of, "use_gpu", config["use_gpu"], (True, False))
    state = config["state"]
    message = f"state must be a level such as INFO, but is {state!r}."
    yield partial(require, isinstance(state, (str, type(None))), message)
    seed = config["seed"]
    if isinstance(seed, int):
        yield partial(require, seed < 2**32, f"seed must be below 2^32, but is {seed}.")
    for name in ("learning_rate", "weight_decay"):
        yield partial(at_least_0, name, config[name])
    yield partial(one_of, "learner", str(config["learner"]).lower(), LEARNERS)
    clip = config["clip_grad_norm"]
    good = clip is None or (isinstance(clip, Mapping) and set(clip) <= set(CLIP_ARGUMENTS))
    message = f"clip_grad_norm must be arguments, such as {{max_norm: 5}}, but is {clip!r}."
    yield partial(require, good, message)
    yield partial(_check_encoding, config["encoding"])
    message = "log_wandb needs Weights & Biases: pip install wandb."
    yield partial(require, not config["log_wandb"] or find_spec("wandb") is not None, message)


def _check_k(k: Any) -> None:
    whole_number("topk", k, 1)
    require(k <= MAX_K, f"topk must be at most {MAX_K:,}, but is {k}.")


def _check_encoding(name: Any) -> None:
    try:
        codecs.lookup(name or "utf-8")
    except (LookupError, TypeError) as error:
        raise DeltaError(f"encoding: there is no {name!r}.") from error


def given_checks(given: Mapping[str, Any], known: Iterable[str]) -> Iterator[Callable[[], None]]:
    """Checks that no setting of the user is misspelt, one each.

    Args:
        given: values by the setting's name.
        known: names of all settings.
    """
    known = set(known)
    for name in given:
        yield partial(refuse_unknown, [name], known)
    arguments = given.get("eval_args")
    mode = arguments.get("mode") if isinstance(arguments, Mapping) else None
    if isinstance(mode, Mapping):
        message = f"eval_args: mode is for valid and test, but has {', '.join(mode)}."
        yield partial(require, set(mode) <= {"valid", "test"}, message)


def unread_arguments(given: Mapping[str, Any]) -> str | None:
    """What of a user's ``eval_args`` is not read, and why, in one line; None for nothing.

    Args:
        given: values by the setting's name.
    """
    arguments = given.get("eval_args")
    if not isinstance(arguments, Mapping):
        return None
    usual = {"order": "TO", "group_by": "user", "mode": arguments.get("mode")}
    unread = [f"{name}: {value}" for name, value in arguments.items() if value != usual.get(name)]
    if not unread:
        return None
    return (
        f"eval_args: {', '.join(unread)} is not read: the prepared data set says which rows are "
        "for what, by the protocol in its name.json; prepare: {protocol: leave_one_out} is "
        "RecBole's LS, and item_holdout the one with cold items."
    )


def unused_settings(config: Any) -> list[str]:
    """Names of the user's settings that the model does not have, but others do.

    Args:
        config: a RecBole ``Config``.
    """
    given = {**config.file_config_dict, **config.variable_config_dict}
    own = {*config.internal_config_dict, "model", "dataset", "config_files", "encoding"}
    return sorted(given.keys() - own)


def asks_for_a_missing_gpu(config: Any) -> bool:
    """Whether the user has asked for a GPU, and the run is on the CPU.

    Args:
        config: a RecBole ``Config``.
    """
    given = {**config.file_config_dict, **config.variable_config_dict}
    return given.get("use_gpu") is True and config["device"].type == "cpu"


def check_metrics(settings: Mapping[str, Any]) -> None:
    """Check that ``metrics`` and ``valid_metric`` are names; RecBole fails far from here otherwise.

    Args:
        settings: values by the setting's name.

    Raises:
        DeltaError: they are not, or ``topk`` is empty.
    """
    metrics, valid_metric = settings["metrics"], settings["valid_metric"]
    listed = [metrics] if isinstance(metrics, str) else metrics
    if not isinstance(listed, list) or not listed or not all(isinstance(m, str) for m in listed):
        raise DeltaError(f"metrics must be names, such as [NDCG, Hit], but is {metrics!r}.")
    if settings["topk"] == []:
        raise DeltaError("topk must hold a number, such as [10].")
    if not isinstance(valid_metric, str):
        raise DeltaError(f"valid_metric must be a name such as NDCG@10, but is {valid_metric!r}.")


def refuse_unknown(given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a misspelt setting, which would otherwise be ignored in silence.

    Args:
        given: names of the user's settings.
        known: names of all settings.

    Raises:
        DeltaError: nothing reads a setting; the message names the nearest one that exists.
    """
    known = set(known)
    for name in given:
        if not isinstance(name, str):
            raise DeltaError(f"The setting {name!r} should be a name; quote it in the YAML.")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise DeltaError(f"Unknown setting {name!r}{hint}")
