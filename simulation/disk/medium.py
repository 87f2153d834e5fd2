"""A disk: what the program sees, every call that made it so, and what a power cut may leave of it.

A write is durable when its file has been synced since.  Until then a power cut may drop it, keep it, or keep some of
its sectors, and it does so for every write by itself, so that later ones may survive earlier ones.

That a file is there, or gone, is durable when its directory has been synced since.  SQLite's unix layer does so with
the first sync of each journal or WAL that it has created, and with a deletion only where it asks for that.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

SECTOR = 512
CREATE, WRITE, TRUNCATE, SYNC, DELETE = "create", "write", "truncate", "sync", "delete"
DELETE_FOR_GOOD = "delete and sync the directory"
FAILED_SYNC = "failed sync"  # the kernel has forgotten what it could not write: no later sync makes it durable
DELETIONS = (DELETE, DELETE_FOR_GOOD)
ENTRIES = (CREATE, *DELETIONS)

Files = dict[str, bytes]


class Call(NamedTuple):
    """One call.  ``offset`` is the new size for a truncation; ``data`` is of writes only."""

    kind: str
    file: str
    offset: int = 0
    data: bytes = b""


class Medium:
    """The files of a virtual disk.  ``before`` is called before each call takes effect, and may raise instead."""

    def __init__(self, files: Files | None = None) -> None:
        self.files = {name: bytearray(data) for name, data in (files or {}).items()}
        self.start = dict(files or {})
        self.calls: list[Call] = []
        self.before: Callable[[Call], None] = lambda _call: None

    def do(self, call: Call) -> None:
        """One call: remembered, and done."""
        self.before(call)
        self.calls.append(call)
        if call.kind == CREATE:
            self.files[call.file] = bytearray()
        elif call.kind in DELETIONS:
            del self.files[call.file]
        else:
            _apply(self.files[call.file], call)

    def size(self) -> int:
        """Bytes in all files."""
        return sum(map(len, self.files.values()))

    def after_power_cut(self, at: int, left: Callable[[Call], Call | None]) -> Files:
        """What is on the disk when the power went during call ``at``, counted from 0; the calls before it were made.

        ``left`` gets each call that is not durable, in order, and gives what is left of it, ``None`` for nothing.
        """
        durable = {name: bytearray(data) for name, data in self.start.items()}
        waiting: dict[str, list[Call]] = {}
        fresh: set[str] = set()
        for call in self.calls[:at]:
            if call.kind == SYNC:
                for made in waiting.pop(call.file, ()):
                    _enter(durable, call.file, made)
                if call.file in fresh:
                    fresh.discard(call.file)
                    _sync_directory(durable, waiting)
            elif call.kind == FAILED_SYNC:
                waiting.pop(call.file, None)
            else:
                waiting.setdefault(call.file, []).append(call)
                if call.kind == CREATE and call.file.endswith(("-journal", "-wal")):
                    fresh.add(call.file)
                if call.kind == DELETE_FOR_GOOD:
                    _sync_directory(durable, waiting)
        for call in self.calls[at : at + 1]:
            if call.kind not in (SYNC, FAILED_SYNC):
                waiting.setdefault(call.file, []).append(call)
        for name, calls in waiting.items():
            for kept in filter(None, map(left, calls)):
                _enter(durable, name, kept)
        return {name: bytes(data) for name, data in durable.items()}


def _sync_directory(durable: dict[str, bytearray], waiting: dict[str, list[Call]]) -> None:
    """Make durable which files there are; what is in them waits for a sync of their own."""
    for name, calls in waiting.items():
        entries = [number for number, call in enumerate(calls) if call.kind in ENTRIES]
        for number in entries:
            _enter(durable, name, calls[number])
        if entries:
            del calls[: entries[-1] + 1]


def _enter(durable: dict[str, bytearray], name: str, call: Call) -> None:
    if call.kind in DELETIONS:
        durable.pop(name, None)
    elif call.kind == CREATE:
        durable[name] = bytearray()
    else:
        _apply(durable.setdefault(name, bytearray()), call)


def _apply(file: bytearray, call: Call) -> None:
    if call.kind == TRUNCATE:
        del file[call.offset :]
        file.extend(bytes(call.offset - len(file)))
    elif call.kind == WRITE:
        file.extend(bytes(max(0, call.offset - len(file))))
        file[call.offset : call.offset + len(call.data)] = call.data


def nothing(_call: Call) -> Call | None:
    """Nothing that was not synced is left."""
    return None


def everything(call: Call) -> Call | None:
    """All of it is left."""
    return call


def some(random: Random) -> Callable[[Call], Call | None]:
    """Each call by itself is lost, whole, or torn."""

    def left(call: Call) -> Call | None:
        fate = random.randrange(3)
        if fate == 0:
            return None
        return torn(call, random) if fate == 1 and call.kind == WRITE else call

    return left


def torn(call: Call, random: Random) -> Call:
    """One run of the sectors that a write covers."""
    cuts = [0, *range(SECTOR - call.offset % SECTOR, len(call.data), SECTOR), len(call.data)]
    first = random.randrange(len(cuts) - 1)
    last = random.randrange(first + 1, len(cuts))
    return Call(WRITE, call.file, call.offset + cuts[first], call.data[cuts[first] : cuts[last]])
