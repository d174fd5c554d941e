"""Files and folders that are there whole or not at all."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

from dataset_prep.errors import DeltaError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary file name beside ``path``, renamed to it when the block has ended well.

    A block that raises leaves the old file, or none, and nothing beside it.

    Raises:
        DeltaError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from dataset_prep.files import replacing
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "notes.txt")
        ...     with replacing(path) as temporary:
        ...         _ = temporary.write_text("whole", encoding="utf-8")
        ...         print("there before the block has ended:", path.exists())
        ...     print([each.name for each in path.parent.iterdir()], path.read_text("utf-8"))
        there before the block has ended: False
        ['notes.txt'] whole
    """
    path = Path(path)
    temporary = _beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
        mode = temporary.stat().st_mode
        yield temporary
        temporary.chmod(mode)  # safetensors makes files that only their owner can read
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        raise _unwritten(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` as UTF-8, ended by one line feed; a file that is there is replaced.

    Raises:
        DeltaError: the file cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(text.rstrip("\n") + "\n", encoding="utf-8")


@contextmanager
def replacing_folder(path: str | Path) -> Iterator[Path]:
    """A new, empty folder that takes the place of ``path`` when the block has ended well.

    A block that raises leaves the old folder, or none, and nothing beside it.

    Raises:
        DeltaError: the folder cannot be written.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from dataset_prep.files import replacing_folder
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "mine")
        ...     for name in ("old.txt", "new.txt"):
        ...         with replacing_folder(path) as temporary:
        ...             _ = (temporary / name).write_text(name, encoding="utf-8")
        ...     print([each.name for each in path.iterdir()])
        ['new.txt']
    """
    path = Path(path)
    temporary = _beside(path)
    try:
        if path.exists() and not path.is_dir():
            raise NotADirectoryError(f"{path} is a file")
        temporary.mkdir(parents=True)
        yield temporary
        try:
            temporary.rename(path)
        except OSError:
            if not path.is_dir():
                raise
            # A folder cannot be renamed over another one that holds files.
            _exchange(temporary, path)
    except OSError as error:
        raise _unwritten(path, error) from error
    finally:
        if temporary.is_symlink():  # ``path`` was a link; the folder that it led to stays
            temporary.unlink()
        shutil.rmtree(temporary, ignore_errors=True)


def check_writable(path: Path) -> None:
    """Refuse a place where :func:`replacing_folder` could not put a folder; nothing is left there.

    Args:
        path: the folder, there or not.

    Raises:
        DeltaError: no folder can be made beside it.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from dataset_prep.files import check_writable
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     check_writable(Path(folder, "sets", "mine"))
        ...     print(list(Path(folder).iterdir()))
        []
    """
    try:
        nearest = next(parent for parent in path.absolute().parents if parent.exists())
        trial = _beside(nearest / path.name)
        # Permissions do not tell of a disk that is mounted read-only, or of a file in the way.
        trial.mkdir()
        trial.rmdir()
    except OSError as error:
        raise _unwritten(path, error) from error


def _exchange(one: Path, other: Path) -> None:
    """Give each folder the other's name, on Linux in one step."""
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    rename = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform == "linux" else None
    if rename is None or rename(here, os.fsencode(one), here, os.fsencode(other), exchange):
        aside = _beside(other)
        other.rename(aside)
        one.rename(other)
        aside.rename(one)


def _unwritten(path: Path, error: Exception) -> DeltaError:
    return DeltaError(f"Cannot write {path} ({error}); what was there before is untouched.")


def _beside(path: Path) -> Path:
    if not path.name:
        raise DeltaError(f"Cannot write {path}, which is where you are; give it a name.")
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
