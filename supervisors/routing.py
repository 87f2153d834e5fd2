"""Where a group goes, and where it is: the share decides for new ones, the journals for all others."""

from __future__ import annotations

import contextlib
from pathlib import Path

from config.paths import all_journal_paths, journal_paths, paper_dir, realm_of_journal, rollout_log_path
from config.realms import realms, view
from config.schema import Config
from domain.groups import group_tag
from domain.rollout import Realm, cell_for, realm_for
from messages.operator import SetRollout
from storage.port import JournalError
from storage.reader import JournalReader
from storage.rollout_log import RolloutLog, ShareChange


class NotRouted(Exception):
    """The group cannot go anywhere; the message says why and what to do."""


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

        One that is known or under way stays where it is, whatever the share has become.  Raises :class:`NotRouted`
        when that realm does not run.
        """
        realm = self._home(group_id) or realm_for(group_id, self.share)
        if realm not in self.realms:
            raise NotRouted(
                f"group {group_id!r} was submitted before, as a {realm.value} group; choose another group_id"
            )
        self._under_way[group_id] = realm
        return self.cell(group_id, realm)

    def refused(self, group_id: str) -> None:
        """It did not become a group."""
        self._under_way.pop(group_id, None)

    def cell_of_known(self, group_id: str) -> int:
        """The cell of a group that should exist; that cell says so when it does not.  Raises :class:`NotRouted`."""
        realm = self._home(group_id) or self.realms[0]
        if realm not in self.realms:
            raise NotRouted(
                f"group {group_id!r} is a {realm.value} group, and rollout.mode = {self.config.rollout.mode!r} does "
                "not run those; set it to 'rollout' and start again"
            )
        return self.cell(group_id, realm)

    def cell(self, group_id: str, realm: Realm) -> int:
        """The group's cell in this realm."""
        return cell_for(group_id, realm, view(self.config, realm).system.cells)

    def _home(self, group_id: str) -> Realm | None:
        known = self._under_way.get(group_id)
        if known is not None or not journal_paths(paper_dir(self.config.system.journal_dir)):
            return known
        return home_realm(self.config.system.journal_dir, group_id)


def home_realm(journal_dir: str | Path, group_id: str) -> Realm | None:
    """The realm whose journals know this group; ``None`` when none does."""
    for path in all_journal_paths(journal_dir):
        with contextlib.suppress(JournalError), JournalReader(path) as reader:
            if reader.group_by_tag(group_tag(group_id)) == group_id:
                return realm_of_journal(path)
    return None
