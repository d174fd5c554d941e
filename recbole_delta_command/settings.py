"""Arguments of a run, in RecBole's manner: files of settings, and ``--SETTING=VALUE``."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from recbole_delta_command.refusal import UsageError, did_you_mean

TAKE_THE_NEXT = {
    "-m": "model",
    "--model": "model",
    "-d": "dataset",
    "--dataset": "dataset",
    "--config_files": "config_files",
    "--import": "import",
}
"""Options whose value may be the next argument, as in RecBole; others are written with ``=``."""

RUN_USAGE = """\
usage: recbole-delta [FILE.yaml ...] [-m NAME] [-d NAME] [--config_files="A.yaml B.yaml"]
                     [--SETTING=VALUE ...] [--import MODULE]

Train and evaluate one model (-m, --model) on one data set (-d, --dataset); an ordinary one of
RecBole's is prepared on the way. Values are YAML; a later file overrides an earlier one, and
settings override files.
"""

RESUME_USAGE = """\
usage: recbole-delta resume CHECKPOINT [--SETTING=VALUE ...] [--import MODULE]

Go on with an interrupted run after the epoch of its checkpoint. Settings that may change:
epochs, stopping_step, eval_batch_size, show_progress, state, gpu_id, use_gpu, data_path.
"""


@dataclass(frozen=True)
class RunArguments:
    """What a run is asked for.

    Attributes:
        files: paths of YAML files; of the checkpoint for a resumed run.
        settings: values as they were typed, by the setting's name.
        modules: names of the user's modules to import.
    """

    files: list[str]
    settings: dict[str, str]
    modules: list[str]


def read_run(arguments: list[str]) -> RunArguments:
    """The arguments of a training; help is printed and ends the process.

    Args:
        arguments: ``FILE.yaml``, ``--SETTING=VALUE`` or an option of :data:`TAKE_THE_NEXT` each.

    Raises:
        UsageError: a setting without value, given twice, or a misspelt ``--model``.

    Example:
        >>> read_run(["my.yaml", "-m", "SASRecDelta", "--topk=[10,20]"])
        RunArguments(files=['my.yaml'], settings={'model': 'SASRecDelta', 'topk': '[10,20]'}, modules=[])
    """  # noqa: E501
    given = _read(arguments, RUN_USAGE)
    for needed in ("model", "dataset"):
        if not given.files and needed not in given.settings:
            for name in given.settings:
                if hint := did_you_mean(name, [needed]):
                    raise UsageError(f"There is no setting --{name}{hint}")
    return given


def read_resume(arguments: list[str]) -> RunArguments:
    """The arguments of a resumed run; help is printed and ends the process.

    Args:
        arguments: the checkpoint and settings.

    Raises:
        UsageError: a setting without value or given twice, or not one checkpoint.
    """
    given = _read(arguments, RESUME_USAGE)
    if len(given.files) != 1:
        raise UsageError("Say which checkpoint: recbole-delta resume CHECKPOINT.")
    return given


def _read(arguments: list[str], usage: str) -> RunArguments:
    given = RunArguments([], {}, [])
    rest = iter(arguments)
    for argument in rest:
        option, equals, value = argument.partition("=")
        if argument in ("-h", "--help"):
            print(usage, end="")
            sys.exit()
        if not argument.startswith("-"):
            given.files.append(argument)
            continue
        if not option.startswith("--") and option not in TAKE_THE_NEXT:
            raise UsageError(f"There is no option {argument}; settings are written --NAME=VALUE.")
        if not equals:
            value = next(rest, "") if option in TAKE_THE_NEXT else ""
            if not value:
                raise UsageError(f"{option} has no value; write {option}=VALUE.")
        _put(given, TAKE_THE_NEXT.get(option, option.removeprefix("--")), value)
    return given


def _put(given: RunArguments, name: str, value: str) -> None:
    if name == "config_files":
        given.files.extend(value.split())
    elif name == "import":
        given.modules.append(value)
    elif name in given.settings:
        raise UsageError(f"--{name} is given twice.")
    else:
        given.settings[name] = value
