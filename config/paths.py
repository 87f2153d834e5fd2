"""Where the files of a running system are: one journal per cell, and the control socket, all in ``journal_dir``."""

from __future__ import annotations

import os
import re
import tempfile
from hashlib import blake2b
from pathlib import Path

SOCKET_PATH_BYTES = 103  # sockaddr_un.sun_path is 104 bytes on BSD and macOS (108 on Linux), with a closing NUL
TRUTH = "truth.jsonl"  # in the paper directory: what really happened at the paper exchange, written by itself
EXCHANGE_LOG = "exchange.log"  # beside it: what the paper exchange has to say
ARCHIVE_DIR = "archive"  # beside the journals: whole copies of them, a directory for each archiving
_JOURNAL = re.compile(r"cell-(\d+)\.db")


def journal_path(journal_dir: str | Path, cell: int) -> Path:
    """The journal file of one cell."""
    return Path(journal_dir) / f"cell-{cell}.db"


def journal_paths(journal_dir: str | Path) -> list[Path]:
    """The journal files that exist, by cell number; empty when the directory is missing."""
    directory = Path(journal_dir)
    if not directory.is_dir():
        return []
    found = [(int(match[1]), path) for path in directory.iterdir() if (match := _JOURNAL.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


def gateway_journal_path(journal_dir: str | Path) -> Path:
    """The gateway's own journal: what its controls decided, and what operators told them (E15)."""
    return Path(journal_dir) / "gateway.db"


def gateway_lock_path(journal_dir: str | Path) -> Path:
    """Locked by the gateway that may send (I17)."""
    return Path(journal_dir) / "gateway.lock"


def cell_of_journal(path: Path) -> int:
    """The number of the cell whose journal this is, by its name.  Raises ``ValueError`` for another file."""
    match = _JOURNAL.fullmatch(path.name)
    if match is None:
        raise ValueError(f"{path} is no cell's journal")
    return int(match[1])


def paper_dir(journal_dir: str | Path) -> Path:
    """Everything of the paper realm: its journals and locks, its kill switch, its exchange's record."""
    return Path(journal_dir) / "paper"


def all_journal_paths(journal_dir: str | Path) -> list[Path]:
    """The journal files of cells that exist, of both realms: the live ones first."""
    return [*journal_paths(journal_dir), *journal_paths(paper_dir(journal_dir))]


def all_gateway_journals(journal_dir: str | Path) -> list[Path]:
    """The gateways' own journals that exist."""
    return [path for each in (journal_dir, paper_dir(journal_dir)) if (path := gateway_journal_path(each)).exists()]


def all_vanished_journals(journal_dir: str | Path) -> list[Path]:
    """The journal files of both realms that somebody took away."""
    return [*vanished_journals(journal_dir), *vanished_journals(paper_dir(journal_dir))]


def vanished_journals(journal_dir: str | Path) -> list[Path]:
    """The journal files whose lock file is there and they are not: somebody took them away."""
    directory = Path(journal_dir)
    locks = [*directory.glob("cell-*.db.lock"), *directory.glob("gateway.db.lock")]
    paths = (lock.with_suffix("") for lock in locks)
    ours = (path for path in paths if path.name == "gateway.db" or _JOURNAL.fullmatch(path.name))
    return sorted(path for path in ours if not path.exists())


def control_path(journal_dir: str | Path) -> Path:
    """The Unix-domain socket on which the system of this directory takes commands.

    ``<journal_dir>/control.sock``; where that is too long for a socket, a name in the system's temporary directory that
    is made from the user and the resolved directory, so that both sides find the same one (both must see the same
    ``TMPDIR``).  Raises ``ValueError`` when even that is too long.
    """
    directory = Path(journal_dir).resolve()
    near = directory / "control.sock"
    if _fits(near):
        return near
    name = blake2b(os.fsencode(directory), digest_size=8).hexdigest()
    far = Path(tempfile.gettempdir()) / f"legkeeper-{os.getuid()}-{name}.sock"
    if not _fits(far):
        raise ValueError(
            f"no control socket fits: {near} and {far} are both longer than {SOCKET_PATH_BYTES} bytes; "
            "set system.journal_dir or TMPDIR to a shorter path"
        )
    return far


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= SOCKET_PATH_BYTES


def kill_switch_path(journal_dir: str | Path) -> Path:
    """The file whose existence is the kill switch."""
    return Path(journal_dir) / "KILL"


def wire_record_path(journal_dir: str | Path) -> Path:
    """Where the gateway writes what leaves for the broker, one JSON object a line."""
    return Path(journal_dir) / "wire.jsonl"


def positions_path(journal_dir: str | Path) -> Path:
    """Where the reconciler writes what it saw last."""
    return Path(journal_dir) / "positions.json"


def day_report_path(journal_dir: str | Path, day: str) -> Path:
    """The final comparison of one day (E19); ``day`` is an ISO date."""
    return Path(journal_dir) / "reports" / f"end-of-day-{day}.json"


def rollout_log_path(journal_dir: str | Path) -> Path:
    """Every change of the live share, one JSON object a line; the last one is in force."""
    return Path(journal_dir) / "rollout.jsonl"


def reconciliation_path(journal_dir: str | Path, as_of_ns: int) -> Path:
    """A comparison that an operator asked for, by the broker's time."""
    return Path(journal_dir) / "reports" / f"reconciliation-{as_of_ns // 10**9}.json"


def alert_log_path(journal_dir: str | Path) -> Path:
    """Where the notifier writes every alert, one JSON object a line."""
    return Path(journal_dir) / "alerts.jsonl"
