"""Where a group goes, and where it is: the share decides for new ones, the journals for all others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from config.paths import all_journal_paths, journal_paths, paper_dir, realm_of_journal, rollout_log_path
from config.realms import realms, view
from config.schema import Config
from domain.groups import group_tag
from domain.rollout import OTHER, Realm, cell_for, realm_for
from messages.operator import SetRollout
from storage.port import JournalEmpty, JournalError
from storage.reader import JournalReader
from storage.rollout_log import RolloutLog, ShareChange


class NotRouted(Exception):
    """The group cannot go anywhere; the message says why and what to do."""


class Home(NamedTuple):
    """Where a group is, as far as the journals can be read."""

    realm: Realm | None  # whose journals know it; None when none of those does that can be read
    unread: dict[Realm, str]  # whose journals cannot all be read, with what is wrong


class Router:
    """One per main program.  Raises ``JournalError`` when the record of the share cannot be read."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.realms = realms(config)
        self._log = RolloutLog(rollout_log_path(config.system.journal_dir), config.rollout.live_share_pct)
        self._under_way: dict[str, Realm] = {}  # handed over, and maybe in no journal yet

    @property
    def share(self) -> int:
        """Per cent of the new groups that go live."""
        return {"live": 100, "paper": 0}.get(self.config.rollout.mode, self._log.share)

    def change(self, command: SetRollout) -> ShareChange:
        """Another share for new groups from now on; durable.  Raises ``JournalError`` when it is not."""
        return self._log.change(command.live_share_pct, command.by, command.reason)

    def cell_of_new(self, group_id: str) -> int:
        """Where a submitted group goes.

        One that is known or under way stays where it is, whatever the share has become.  Raises :class:`NotRouted`.
        """
        realm = realm_of_new(group_id, self._home(group_id), self.share, self.realms)
        self._under_way[group_id] = realm
        return self.cell(group_id, realm)

    def refused(self, group_id: str) -> None:
        """It did not become a group."""
        self._under_way.pop(group_id, None)

    def cells_of_known(self, group_id: str) -> list[int]:
        """Where to ask for a group that should exist; whoever does not know it says so.  Raises :class:`NotRouted`.

        More than one cell while a journal cannot be read: its owner may know what a reader cannot see.
        """
        home = self._home(group_id)
        if home.realm is not None and home.realm not in self.realms:
            raise NotRouted(
                f"group {group_id!r} is a {home.realm.value} group, and rollout.mode = {self.config.rollout.mode!r} "
                "does not run those; set it to 'rollout' and start again"
            )
        unread = [realm for realm in self.realms if realm in home.unread]
        found = [home.realm] if home.realm is not None else unread or self.realms[:1]
        return [self.cell(group_id, realm) for realm in found]

    def cell(self, group_id: str, realm: Realm) -> int:
        """The group's cell in this realm."""
        return cell_for(group_id, realm, view(self.config, realm).system.cells)

    def _home(self, group_id: str) -> Home:
        known = self._under_way.get(group_id)
        if known is not None or not journal_paths(paper_dir(self.config.system.journal_dir)):
            return Home(known, {})
        return home(self.config.system.journal_dir, group_id)


def realm_of_new(group_id: str, home: Home, share: int, running: Sequence[Realm]) -> Realm:
    """Where a submitted group goes: where it is known, else by the share of the new groups that go live.

    Raises :class:`NotRouted` when it is known where nothing runs, and when a journal that cannot be read may know it in
    the other realm that runs: it would be entered in both.  What that journal's own realm is given, its cell judges.
    """
    realm = home.realm or realm_for(group_id, share)
    if realm not in running:
        raise NotRouted(f"group {group_id!r} was submitted before, as a {realm.value} group; choose another group_id")
    other = OTHER[realm]
    if home.realm is None and other in running and other in home.unread:
        raise NotRouted(
            f"whether group {group_id!r} is a {other.value} group already is not known ({home.unread[other]}), so it "
            f"is not entered as a {realm.value} one; submit it again when that journal can be read"
        )
    return realm


def home(journal_dir: str | Path, group_id: str) -> Home:
    """The realm whose journals know this group, and which of them could not be asked.  Never raises for a journal."""
    unread: dict[Realm, str] = {}
    for path in all_journal_paths(journal_dir):
        realm = realm_of_journal(path)
        try:
            with JournalReader(path) as reader:
                if reader.group_by_tag(group_tag(group_id)) == group_id:
                    return Home(realm, unread)
        except JournalEmpty:
            continue  # its cell is about to make it
        except JournalError as error:
            unread.setdefault(realm, str(error))
    return Home(None, unread)
