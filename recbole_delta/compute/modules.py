"""Modules of the user's own, which register models: known to every process of a run."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from dataset_prep.errors import DeltaError

_imported: dict[str, None] = {}


def import_modules(names: Iterable[str], folder: str | Path = ".") -> None:
    """Import modules that make models, embeddings or losses known by being imported.

    Args:
        names: names of the modules, such as ``my_models`` for ``my_models.py``.
        folder: folder where they lie, if they are not installed. What is installed comes first, so
            that no file there takes the place of a library.

    Raises:
        DeltaError: one is not there or cannot be imported.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("my_models.py").write_text("print('imported')")
        >>> import_modules(["my_models"])
        imported
        >>> imported_modules()
        ['my_models']
    """
    place = str(Path(folder).absolute())
    if place not in sys.path:
        sys.path.append(place)
    for name in names:
        if not isinstance(name, str) or not name:
            raise DeltaError(f"import must name a module, such as my_models, but is {name!r}.")
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            missing = f"There is no module {error.name!r} in {place}, nor is one installed"
            needed = "" if error.name == name else f", and {name} needs it"
            raise DeltaError(f"import: {missing}{needed}.") from error
        except DeltaError:
            raise
        except Exception as error:
            raise DeltaError(
                f"import: {name} cannot be imported ({type(error).__name__}: {error})."
            ) from error
        _imported[name] = None


def imported_modules() -> list[str]:
    """The names of all modules that :func:`import_modules` has imported, in that order."""
    return list(_imported)
