"""Download of raw files, checked against the checksum that their owner publishes."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from dataset_prep.errors import DeltaError
from dataset_prep.files import replacing_folder


@dataclass(frozen=True)
class Archive:
    """An archive of raw files that its owner allows anybody to fetch.

    Attributes:
        url: address of a zip file with one folder in it.
        md5: checksum of the zip file, as the owner publishes it.
    """

    url: str
    md5: str

    def fetch(self, folder: Path) -> Path:
        """Download and unpack the archive, if ``folder`` is not there yet.

        Args:
            folder: where the raw files shall be.

        Returns:
            ``folder``.

        Raises:
            DeltaError: there is no network, or the file is not the one that was published.
        """
        if folder.is_dir():
            return folder
        import pooch  # it takes half a second to load, and most runs download nothing

        packed = folder.with_suffix(".zip")
        try:
            pooch.retrieve(
                self.url,
                known_hash=f"md5:{self.md5}",
                fname=packed.name,
                path=packed.parent,
                progressbar=True,
            )
        except (OSError, ValueError) as error:
            raise DeltaError(
                f"Cannot download {self.url}: {error}; fetch it by hand, unpack it, and name the "
                "folder with --raw."
            ) from error
        with replacing_folder(folder) as temporary:
            shutil.unpack_archive(packed, temporary)
            [inner] = temporary.iterdir()
            for path in inner.iterdir():
                path.rename(temporary / path.name)
            inner.rmdir()
        packed.unlink()
        return folder
