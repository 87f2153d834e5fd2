"""Why a system is not started: what is wrong with its place, or who would be left without an owner, and what to do.

And what is done first, so that the rest can be found out: journals that an earlier legkeeper wrote are migrated.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from config.paths import all_gateway_journals, all_journal_paths, cell_of_journal, journal_paths
from config.realms import cells_of, cells_setting, realms, view
from config.schema import Config
from domain.groups import GroupOutcome
from domain.rollout import Realm, cell_for
from notifications.apprise_sink import open_sinks
from notifications.port import SinkRefused
from storage.durable import make_folder
from storage.ownership import OwnerLock
from storage.port import JournalCorrupt, JournalError, JournalLocked, JournalNewer
from storage.reader import JournalReader
from storage.sqlite import open_journal

LOCK_PATIENCE_S = 2.0  # a system that has just been killed frees its lock within milliseconds
NAMED = 3  # groups; more would bury what to do about them

T = TypeVar("T")


class SystemRefused(Exception):
    """The system was not started; the message says why and what to do."""


@contextlib.contextmanager
def owned(config: Config) -> Iterator[Path]:
    """The journal directory, which is nobody else's meanwhile.

    Raises :class:`SystemRefused` when it cannot be, or when alerts would reach nobody.
    """
    try:
        open_sinks(config.alerts.urls, config.alerts.sink_timeout_ms)
    except SinkRefused as refusal:
        raise SystemRefused(str(refusal)) from None
    directory = Path(config.system.journal_dir)
    try:
        make_folder(directory)
    except OSError as error:
        raise SystemRefused(f"system.journal_dir {directory}: {error.strerror}; choose another or make it") from None
    lock = _own(directory)
    try:
        yield directory
    finally:
        lock.release()


def bring_up_to_date(config: Config) -> None:
    """Migrate the journals that an earlier legkeeper wrote, and finish those that a crash left half made.

    Their owners would do it at their start, but not every journal has one (a smaller number of cells, a realm that does
    not run), and what is asked before anybody starts must be read.  One that is not needed for that is left as it is
    when it cannot be mended.  Raises ``JournalError`` and its children for the others.  Whoever calls owns the
    directory; a crash in the middle leaves each journal as it was or as it is to be.
    """
    directory = config.system.journal_dir
    cells = journal_paths(directory) if Realm.PAPER not in realms(config) else all_journal_paths(directory)
    for path in cells:
        _bring_up_to_date(path)
    for path in (*all_journal_paths(directory), *all_gateway_journals(directory)):
        if path not in cells:
            with contextlib.suppress(JournalError):
                _bring_up_to_date(path)


def _bring_up_to_date(path: Path) -> None:
    try:
        JournalReader(path).close()
    except (JournalNewer, JournalCorrupt):
        raise
    except JournalError:  # too old, half made, or left so that only an owner may mend it: then that says what is wrong
        _patiently(lambda: open_journal(path)).close()


def refuse_what_would_be_lost(config: Config) -> None:
    """Raises :class:`SystemRefused` when open groups or strategies would have no owner, or another one.

    Raises ``JournalError`` when a journal cannot be read that would tell.
    """
    _refuse_orphaned_cells(config)
    _refuse_moved_strategies(config)


def _own(directory: Path) -> OwnerLock:
    try:
        return _patiently(lambda: OwnerLock(directory / "system"))
    except JournalLocked as locked:
        raise SystemRefused(f"another system runs on {directory}: {locked}") from None
    except JournalError as error:
        raise SystemRefused(str(error)) from None


def _patiently(take: Callable[[], T]) -> T:
    """What is taken by its lock, also from one who is dying.  Raises ``JournalLocked`` when it stays taken."""
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            return take()
        except JournalLocked:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.05)


def refuse_used_port(port: int) -> None:
    """Raises :class:`SystemRefused` when nothing can listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise SystemRefused(
                f"port {port} of 127.0.0.1 cannot be used ({error.strerror}): stop what uses it, or set "
                "system.admin_port to another"
            ) from None


def _refuse_orphaned_cells(config: Config) -> None:
    """A group's cell is read off its orders' ids: fewer cells than before would leave open groups without an owner."""
    for realm in realms(config):
        for path in journal_paths(view(config, realm).system.journal_dir):
            open_groups = [] if cell_of_journal(path) in cells_of(config, realm) else _open_groups(path)
            if open_groups:
                raise SystemRefused(
                    f"{path.name} holds {len(open_groups)} open groups ({_named(open_groups)}), but "
                    f"{cells_setting(config, realm)}: start with at least as many cells as before, and let them end"
                )
    if Realm.LIVE not in realms(config):
        _refuse_open_live_groups(config)


def _refuse_open_live_groups(config: Config) -> None:
    """Nobody would look after their positions."""
    found = [group_id for path in journal_paths(config.system.journal_dir) for group_id in _open_groups(path)]
    if found:
        raise SystemRefused(
            f"{len(found)} live groups are open ({_named(found)}), and rollout.mode = 'paper' would leave them "
            "to nobody: set it to 'rollout', change the share to 0 with 'rollout 0', and let them end first"
        )


def _open_groups(path: Path) -> list[str]:
    """Each open group with what it holds."""
    with JournalReader(path) as reader:
        held = reader.held()
        return [
            f"{group.group_id}: {_positions(held.get(group.group_id, {}))}"
            for group in reader.groups()
            if group.outcome is GroupOutcome.OPEN
        ]


def _positions(units: dict[str, int]) -> str:
    return (
        ", ".join(f"{count:+d} {symbol.strip()}" for symbol, count in sorted(units.items()) if count) or "nothing yet"
    )


def _named(groups: list[str]) -> str:
    """The first ones, with what they hold, so that somebody can look at the broker for them."""
    return "; ".join(groups[:NAMED]) + (f"; and {len(groups) - NAMED} more" if len(groups) > NAMED else "")


def _refuse_moved_strategies(config: Config) -> None:
    """A strategy lives in the cell that its name gives; with another number of cells it would begin anew elsewhere."""
    for realm in realms(config):
        seen = view(config, realm).system
        for path in journal_paths(seen.journal_dir):
            cell = cell_of_journal(path)
            with JournalReader(path) as reader:
                moved = [r.name for r in reader.strategies() if cell_for(r.name, realm, seen.cells) != cell]
            if moved:
                raise SystemRefused(
                    f"{path.name} holds the strategies {', '.join(moved[:3])}, which would belong to another cell with "
                    f"{cells_setting(config, realm)}: keep the number of cells, or use a new journal_dir"
                )
