"""What a power cut leaves: a file's content is on the disk once it was synced, its name once its directory was."""

from __future__ import annotations

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Have a file's content, or a directory's names, on the disk when this returns.  Raises ``OSError``."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a directory, and those above it that are missing, each durable under its name.  Raises ``OSError``."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync(path.parent)


def replace(path: Path, content: bytes) -> None:
    """Put a file in its place, whole or not at all, and durably when this returns.  Raises ``OSError``.

    A name that reached the disk before its content would, after a power cut, be that of an empty file.
    """
    beside = path.with_name(path.name + ".new")
    beside.write_bytes(content)
    sync(beside)
    beside.replace(path)
    sync(path.parent)


class DurableMark:
    """A file whose existence is all that it says, after a power cut too."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def exists(self) -> bool:
        """Whether it is there.  Raises ``OSError`` when that cannot be found out."""
        return self._path.exists()

    def touch(self) -> None:
        """Have it there for good.  Raises ``OSError``: it may be seen then, and be gone after a power cut.

        So one that is there is synced all the same: nobody knows whether whoever made it came as far as that.
        """
        self._path.touch()
        sync(self._path)
        sync(self._path.parent)

    def unlink(self, missing_ok: bool = False) -> None:
        """Have it gone for good.  Raises ``OSError``: it may be gone then, and be back after a power cut."""
        self._path.unlink(missing_ok=missing_ok)
        sync(self._path.parent)
