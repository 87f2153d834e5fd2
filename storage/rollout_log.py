"""The share of new groups that go live: every change of it in a file of its own, each line chained to the one before.

It is no record of a cell: no cell decides by it, and it must be known before it is known which cell is asked.
"""

from __future__ import annotations

import os
import time
from hashlib import blake2b
from pathlib import Path

import msgspec

from storage.durable import sync
from storage.port import JournalError

NOTHING = ""  # what the first line is chained to


class ShareChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line: from now on ``live_share_pct`` of the new groups go live.  ``at_host_ns`` is the machine's clock."""

    live_share_pct: int
    before: int
    by: str
    reason: str
    at_host_ns: int
    previous: str  # BLAKE2b of the line before, in hex


class RolloutLog:
    """The share in force, and how it came to be.  One process writes; any may read.

    ``initial`` is the share as long as nobody has changed it.  Raises ``JournalError`` for a file that cannot be read
    or was tampered with: then nobody knows the share, and none is guessed.
    """

    def __init__(self, path: Path, initial: int) -> None:
        self.path, self._initial = path, initial
        self.changes, self._head, self._whole_bytes = _read(path)

    @property
    def share(self) -> int:
        """Per cent of the new groups that go live."""
        return self.changes[-1].live_share_pct if self.changes else self._initial

    def change(self, live_share_pct: int, by: str, reason: str) -> ShareChange:
        """Put a new share in force; it is durable when this returns.  Raises ``JournalError`` when it is not."""
        change = ShareChange(
            live_share_pct=live_share_pct,
            before=self.share,
            by=by,
            reason=reason,
            at_host_ns=time.time_ns(),
            previous=self._head,
        )
        line = msgspec.json.encode(change)
        try:
            _append(self.path, self._whole_bytes, line + b"\n")
        except OSError as error:
            raise JournalError(f"{self.path} cannot be written ({error.strerror}); the share stays as it was") from None
        self.changes.append(change)
        self._head, self._whole_bytes = _digest(line), self._whole_bytes + len(line) + 1
        return change


def _read(path: Path) -> tuple[list[ShareChange], str, int]:
    """The changes, the digest of the last one, and how many bytes are whole lines: a torn one never was in force."""
    try:
        content = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise JournalError(f"{path} cannot be read: {error.strerror}") from None
    whole = content[: content.rfind(b"\n") + 1]
    changes: list[ShareChange] = []
    head = NOTHING
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            change = msgspec.json.decode(line, type=ShareChange)
        except msgspec.DecodeError as error:
            raise _damaged(path, number, str(error)) from None
        if change.previous != head:
            raise _damaged(path, number, "it does not follow from the line before")
        changes.append(change)
        head = _digest(line)
    return changes, head, len(whole)


def _damaged(path: Path, line: int, why: str) -> JournalError:
    return JournalError(
        f"{path}, line {line}: {why}; restore the file, or move it away and set rollout.live_share_pct to what is meant"
    )


def _digest(line: bytes) -> str:
    return blake2b(line, digest_size=32).hexdigest()


def _append(path: Path, at: int, line: bytes) -> None:
    """Write behind the whole lines, durably, also when the file is new; nothing when that fails."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.ftruncate(descriptor, at)
        sync(path.parent)
        if os.pwrite(descriptor, line, at) != len(line):
            raise OSError(28, "no space left for the whole line")
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, at)  # or a change that was refused would be in force after a restart
        raise
    finally:
        os.close(descriptor)
