"""The two small files beside a journal: ``<path>.lock``, which says who owns it, and ``<path>.ballast``.

Both stay when the journal is closed.  The lock file also remembers the highest epoch that was ever opened, so that an
epoch is not used twice after an older copy was restored, and a journal that vanished is missed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from storage.port import JournalError, JournalLocked, JournalUnavailable

PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM})
PASSING_SQLITE = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM}
)
_held: set[int] = set()
_claimed: set[Path] = set()  # locks that this process has for good


def _drop_inherited_locks() -> None:
    # A lock belongs to the open file, which fork shares: a child would hold it after its parent's death.
    for fd in _held:
        os.close(fd)
    _held.clear()
    _claimed.clear()


os.register_at_fork(after_in_child=_drop_inherited_locks)


def beside(path: Path, suffix: str) -> Path:
    """The companion file of a journal."""
    return path.with_name(path.name + suffix)


def last_epoch(journal: Path) -> int:
    """The highest epoch ever that the lock file remembers, whoever holds it; 0 without one."""
    try:
        return _noted(beside(journal, ".lock").read_bytes())[1]
    except OSError:
        return 0


def _noted(content: bytes) -> tuple[str, int]:
    """Owner and highest epoch, as the lock file has them."""
    pid, epoch = (*content[:100].decode("ascii", "replace").split(), "", "")[:2]
    return pid, int(epoch) if epoch.isdigit() else 0


def owner_of(lock: Path) -> str:
    """Whom the lock file names, in words; that a signal has suspended it is said, since it does not stop as asked."""
    try:
        pid, _ = _noted(lock.read_bytes())
    except OSError:
        pid = ""
    return _in_words(pid)


def _in_words(pid: str) -> str:
    name = f"process {pid or 'unknown'}"
    if _is_suspended(pid):
        return f"{name}, which a signal has suspended (`kill -CONT {pid}` resumes it, only `kill -KILL {pid}` ends it)"
    return name


def _is_suspended(pid: str) -> bool:
    """Whether it stands still, as after Ctrl-Z or SIGSTOP (proc(5))."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[:1] == [b"T"]
    except OSError:
        return False


def claim(path: Path) -> bool:
    """Take the lock of this file for as long as this process lives; ``False`` when another process has it.

    The file names its owner (:func:`owner_of`), unless the disk does not take that.

    ``True``, too, where that cannot be found out (no folder, no descriptor): whoever asks has to go on without a disk.
    """
    path = path.resolve()
    if path in _claimed:
        return True
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return False
    except OSError:
        os.close(fd)
        return True
    with suppress(OSError):
        os.pwrite(fd, f"{os.getpid():<10}\n".encode(), 0)
    _held.add(fd)
    _claimed.add(path)
    return True


class OwnerLock:
    """Exclusive ownership of a journal, by ``flock``: the kernel gives it back however the owner dies.

    Raises ``JournalLocked``, which names the owner's process id, and ``JournalError`` when the file cannot be opened.
    """

    def __init__(self, journal: Path) -> None:
        self.path = beside(journal, ".lock")
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            kind = JournalUnavailable if may_pass(error) else JournalError
            raise kind(f"cannot open {self.path}: {error.strerror}; is the folder there and writable?") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner, _ = self._read()
            os.close(self._fd)
            raise JournalLocked(
                f"{journal} is owned by {_in_words(owner)}: stop that process first; a journal has one owner at a time"
            ) from None
        try:
            _, self.last_epoch = self._read()
            self._write(self.last_epoch)
        except OSError as error:
            os.close(self._fd)
            kind = JournalUnavailable if may_pass(error) else JournalError
            raise kind(f"cannot write {self.path}: {error.strerror}") from error
        _held.add(self._fd)

    def _read(self) -> tuple[str, int]:
        return _noted(os.pread(self._fd, 100, 0))

    def _write(self, epoch: int) -> None:
        # In place and of fixed length: works on a full disk, and a reader never sees half a number.
        os.pwrite(self._fd, f"{os.getpid():<10} {epoch:<20}\n".encode(), 0)

    def remember(self, epoch: int) -> None:
        """Note the highest epoch ever, once it is durable in the journal."""
        self.last_epoch = epoch
        self._write(epoch)
        os.fsync(self._fd)

    def release(self) -> None:
        """Give the journal up.  Safe to call twice.  The file stays: removing it would let two owners in."""
        if self._fd in _held:
            _held.discard(self._fd)
            os.close(self._fd)


class Ballast:
    """Disk space kept for the day the disk is full: released, it makes room for the last, exposure-reducing writes."""

    def __init__(self, journal: Path, size: int) -> None:
        self.path = beside(journal, ".ballast")
        self._size = size

    def ensure(self) -> bool:
        """Make the file whole; ``False`` when the disk has no room for it."""
        try:
            if not (self.path.exists() and self.path.stat().st_size == self._size):
                self.path.write_bytes(os.urandom(self._size))  # random, or a compressing file system keeps nothing
        except OSError:
            self.release()
            return False
        return True

    def release(self) -> bool:
        """Give the space back to the disk; ``False`` when there was none left to give."""
        try:
            size = self.path.stat().st_size
            self.path.unlink()
        except OSError:
            return False
        return size > 0


def may_pass(error: BaseException) -> bool:
    """Whether this is the machine's doing, and may be over soon: no room, an I/O error, nothing left to open it with,
    or somebody else who holds the file."""
    if isinstance(error, OSError):
        return error.errno in PASSING
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in PASSING_SQLITE
