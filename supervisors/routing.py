"""Where a group goes, and where it is: the share and its id decide for new ones, the journals for all others."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from config.paths import all_journal_paths, cell_of_journal, rollout_log_path
from config.realms import cells_of, cells_setting, realms, running_cells
from config.schema import Config
from domain.groups import group_tag
from domain.rollout import Realm, cell_for, realm_for, realm_of_cell
from messages.operator import SetRollout
from storage.port import JournalEmpty, JournalError
from storage.reader import JournalReader
from storage.rollout_log import RolloutLog, ShareChange
from supervisors.tree import cell_name


class NotRouted(Exception):
    """The group cannot go anywhere; the message says why and what to do."""


class Home(NamedTuple):
    """Where a group is, as far as the journals can be read."""

    cells: tuple[int, ...]  # whose journals know it: one, unless an earlier legkeeper has entered it twice
    unread: dict[int, str]  # whose journals cannot be read, with what is wrong


class Router:
    """One per main program.  Raises ``JournalError`` when the record of the share cannot be read."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.realms = realms(config)
        self._log = RolloutLog(rollout_log_path(config.system.journal_dir), config.rollout.live_share_pct)
        self._under_way: dict[str, int] = {}  # new groups by the cell that was given them; maybe in no journal yet

    @property
    def share(self) -> int:
        """Per cent of the new groups that go live."""
        return {"live": 100, "paper": 0}.get(self.config.rollout.mode, self._log.share)

    def change(self, command: SetRollout) -> ShareChange:
        """Another share for new groups from now on; durable.  Raises ``JournalError`` when it is not."""
        return self._log.change(command.live_share_pct, command.by, command.reason)

    def cell_of_new(self, group_id: str) -> int:
        """Where a submitted group goes.

        One that is known or under way stays where it is, whatever the share and the number of cells have become.
        Raises :class:`NotRouted`.
        """
        found = self._home(group_id)
        cell = cell_of_submitted(group_id, found, self.share, self.config)
        if not found.cells:
            self._under_way[group_id] = cell
        return cell

    def refused(self, group_id: str) -> None:
        """It did not become a group."""
        self._under_way.pop(group_id, None)

    def cells_of_known(self, group_id: str) -> list[int]:
        """Where to ask for a group that should exist; whoever does not know it says so.  Raises :class:`NotRouted`.

        More than one cell while a journal cannot be read: its owner may know what a reader cannot see.
        """
        found, running = self._home(group_id), running_cells(self.config)
        if not found.cells:
            first = cell_by_id(group_id, self.realms[0], self.config)  # a plan that waits there is in no journal
            return [first, *(cell for cell in found.unread if cell in running and cell != first)]
        asked = [cell for cell in found.cells if cell in running]
        if not asked:
            raise NotRouted(f"group {group_id!r} is one of {_that_rests(found.cells[0], self.config)}")
        return asked

    def cell_of_strategy(self, name: str, realm: Realm) -> int:
        """Where it lives; a start that would move it is refused (supervisors/refusals.py)."""
        return cell_by_id(name, realm, self.config)

    def _home(self, group_id: str) -> Home:
        given = self._under_way.get(group_id)
        return home(self.config.system.journal_dir, group_id) if given is None else Home((given,), {})


def cell_of_submitted(group_id: str, found: Home, share: int, config: Config) -> int:
    """Where a submitted group goes: where it is known, else by the share of the new groups that go live and by its id.

    Raises :class:`NotRouted` when it is known where nothing runs, and when a journal that cannot be read may know it,
    of another cell of a realm that runs: it would be entered twice.  That it is not the group's by its id proves
    nothing, because there may have been fewer cells.  What the group's own journal holds, its cell judges.
    """
    running = running_cells(config)
    if found.cells:
        known = [cell for cell in found.cells if cell in running]
        if not known:
            raise NotRouted(
                f"group {group_id!r} was submitted before, as one of {_that_rests(found.cells[0], config)}; or choose "
                "another group_id"
            )
        return known[0]
    chosen = cell_by_id(group_id, realm_for(group_id, share), config)
    for cell, problem in found.unread.items():
        if cell != chosen and realm_of_cell(cell) in realms(config):
            raise NotRouted(
                f"whether group {group_id!r} is one of {cell_name(cell)} already is not known ({problem}), so it is "
                f"not entered in {cell_name(chosen)}; submit it again when that journal can be read"
            )
    return chosen


def cell_by_id(name: str, realm: Realm, config: Config) -> int:
    """The cell of a new group, or of a strategy, in this realm; ``config`` is the main program's."""
    return cell_for(name, realm, len(cells_of(config, realm)))


def home(journal_dir: str | Path, group_id: str) -> Home:
    """The cells whose journals know this group, and which could not be asked.  Never raises for a journal."""
    known: list[int] = []
    unread: dict[int, str] = {}
    for path in all_journal_paths(journal_dir):
        try:
            with JournalReader(path) as reader:
                if reader.group_by_tag(group_tag(group_id)) == group_id:
                    known.append(cell_of_journal(path))
        except JournalEmpty:
            continue  # its cell is about to make it
        except JournalError as error:
            unread[cell_of_journal(path)] = str(error)
    return Home(tuple(known), unread)


def _that_rests(cell: int, config: Config) -> str:
    """A cell that nobody runs, and what would."""
    realm = realm_of_cell(cell)
    if realm not in realms(config):
        return (
            f"{cell_name(cell)}, and rollout.mode = {config.rollout.mode!r} does not run those; set it to 'rollout' "
            "and start again"
        )
    return f"{cell_name(cell)}, and {cells_setting(config, realm)} does not run that; start again with more cells"
