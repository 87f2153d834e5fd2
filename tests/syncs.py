"""What the program asks the kernel to put on the disk, in its order: the descriptors that were synced, by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from errno import EIO
from pathlib import Path

import pytest


class Syncs:
    """Stands in for ``os.fsync``.  ``synced`` has what reached the disk; those in ``failing`` never do."""

    def __init__(self, fsync: Callable[[int], None]) -> None:
        self.synced: list[Path] = []
        self.failing: set[Path] = set()
        self._fsync = fsync

    def __call__(self, descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path in self.failing:
            raise OSError(EIO, "Input/output error")
        self._fsync(descriptor)
        self.synced.append(path)

    def since(self) -> list[Path]:
        """What was synced since this was asked last."""
        synced, self.synced = self.synced, []
        return synced


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> Syncs:
    """Every sync of this process but those of SQLite, which are the library's own."""
    recorder = Syncs(os.fsync)
    monkeypatch.setattr(os, "fsync", recorder)
    return recorder
