"""Checks of RecBole's own settings, before RecBole fails far from them."""

from __future__ import annotations

import codecs
import difflib
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import Any

from dataset_prep.errors import DeltaError, at_least_0, one_of, whole_number

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


def check_settings(config: Any) -> None:
    """Check that RecBole's settings have values that it can use.

    Args:
        config: a RecBole ``Config``.

    Raises:
        DeltaError: one has not.
    """
    for name, least in MIN_VALUES.items():
        whole_number(name, config[name], least)
    for name, most in MAX_VALUES.items():
        if isinstance(config[name], (int, float)) and config[name] > most:
            raise DeltaError(f"{name} must be at most {most}, but is {config[name]!r}.")
    for k in config["topk"]:
        whole_number("topk", k, 1)
        if k > MAX_K:
            raise DeltaError(f"topk must be at most {MAX_K:,}, but is {k}.")
    one_of("use_gpu", config["use_gpu"], (True, False))
    if not isinstance(config["state"], (str, type(None))):
        raise DeltaError(f"state must be a level such as INFO, but is {config['state']!r}.")
    if config["seed"] >= 2**32:
        raise DeltaError(f"seed must be below 2^32, but is {config['seed']}.")
    for name in ("learning_rate", "weight_decay"):
        at_least_0(name, config[name])
    one_of("learner", str(config["learner"]).lower(), LEARNERS)
    clip = config["clip_grad_norm"]
    if clip is not None and not (isinstance(clip, Mapping) and set(clip) <= set(CLIP_ARGUMENTS)):
        raise DeltaError(
            f"clip_grad_norm must be arguments, such as {{max_norm: 5}}, but is {clip!r}."
        )
    try:
        codecs.lookup(config["encoding"] or "utf-8")
    except (LookupError, TypeError) as error:
        raise DeltaError(f"encoding: there is no {config['encoding']!r}.") from error
    if config["log_wandb"] and find_spec("wandb") is None:
        raise DeltaError("log_wandb needs Weights & Biases: pip install wandb.")


def check_given(given: Mapping[str, Any], has_item_embedding: bool, known: Iterable[str]) -> None:
    """Check that no setting of the user is misspelt or would be overruled.

    Args:
        given: values by the setting's name.
        has_item_embedding: whether the model has the setting ``item_embedding``.
        known: names of all settings.

    Raises:
        DeltaError: a setting is unknown, or would have no effect.
    """
    refuse_unknown(given, known)
    if "item_embedding" in given and not has_item_embedding:
        raise DeltaError("item_embedding is a setting of our models with a backbone only.")
    arguments = given.get("eval_args")
    if isinstance(arguments, Mapping):
        if "split" in arguments:
            raise DeltaError(
                "eval_args: split is not read, because the prepared data set says which rows are "
                "for what; remove it, and choose the protocol in dataset_prep."
            )
        mode = arguments.get("mode")
        if isinstance(mode, Mapping) and not set(mode) <= {"valid", "test"}:
            raise DeltaError(f"eval_args: mode is for valid and test, but has {', '.join(mode)}.")
        if arguments.get("order", "TO") != "TO" or arguments.get("group_by", "user") != "user":
            raise DeltaError(
                "eval_args: order must be TO and group_by user, as the data set was prepared."
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
