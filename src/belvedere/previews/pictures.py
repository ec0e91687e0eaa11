"""The files of the pictures: one folder a tenant, with an opaque name; a file appears whole or not at all.

What is not here: which file belongs to which round (`store.py`), who may see it (`service.py`).
"""

import os
import shutil
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from uuid import UUID

from belvedere.kernel.errors import NotFound
from belvedere.kernel.failpoints import failpoint


class Pictures:
    """The folder of the pictures. Paths that come out and go in are relative to it."""

    def __init__(self, root: Path) -> None:
        """Keep the files below `root`; made when first needed."""
        self._root = root

    def desk(self, folder: str, preview_id: UUID, number: int) -> Path:
        """Return an empty folder to work in, on the same file system as the place the files go to."""
        desk = self._root / folder / f".work-{preview_id}-{number}"
        shutil.rmtree(desk, ignore_errors=True)
        desk.mkdir(parents=True, mode=0o700)
        return desk

    def clear(self, desk: Path) -> None:
        """Remove a folder that was worked in."""
        shutil.rmtree(desk, ignore_errors=True)

    def clear_old(self, before: datetime) -> None:
        """Remove the working folders that a killed runner left before that moment."""
        for desk in self._root.glob("*/.work-*"):
            with suppress(FileNotFoundError):
                if desk.stat().st_mtime < before.timestamp():
                    self.clear(desk)

    def place(self, made: Path, folder: str, name: str) -> str:
        """Give a finished file its place and return its path. It survives a power cut after this."""
        relative = f"{folder}/{name}"
        with made.open("rb") as file:
            os.fsync(file.fileno())
        failpoint("previews.pictures.before-rename")
        made.replace(self._root / relative)
        descriptor = os.open(self._root / folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return relative

    def path(self, relative: str) -> Path:
        """Return a file's place.

        Raises:
            NotFound: the file is not there any more.
        """
        found = self._root / relative
        if not found.is_file() or not found.resolve().is_relative_to(self._root.resolve()):
            message = "The picture is not there any more."
            raise NotFound(message)
        return found

    def remove_others(self, folder: str, preview_id: UUID, keep: set[str]) -> None:
        """Remove every file and working folder of a round but those in `keep`."""
        place = self._root / folder
        for found in [*place.glob(f"{preview_id}-*"), *place.glob(f".work-{preview_id}-*")]:
            if f"{folder}/{found.name}" in keep:
                continue
            if found.is_dir():
                shutil.rmtree(found, ignore_errors=True)
            else:
                with suppress(FileNotFoundError):
                    found.unlink()

    def remove_folder(self, folder: str) -> None:
        """Remove all of a tenant's files."""
        if folder:
            shutil.rmtree(self._root / folder, ignore_errors=True)
