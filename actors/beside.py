"""What a cell knows of the share and of the other realm: read from the disk each time, because only that is certain."""

from __future__ import annotations

from typing import Protocol

from config.paths import rollout_log_path
from config.realms import journal_beside, main_dir, realms
from config.schema import Config
from domain.rollout import Realm
from messages.strategy import Beside
from messages.strategy_records import StrategyRecord
from storage.port import JournalError
from storage.reader import JournalReader
from storage.rollout_log import RolloutLog


class OtherRealm(Protocol):
    """The other realm, as the strategies of a cell see it."""

    def look(self, name: str) -> Beside:
        """The share in force, and what the other realm has written down of this strategy; never raises."""


class OnDisk:
    """The rollout log, and the journal of the other realm's cell.  ``config`` is the view of ``realm``.

    No letter could replace it: a letter may be lost, late, or of a past that its sender has forgotten; what another
    cell has committed is what it will act by after any crash.
    """

    def __init__(self, config: Config, realm: Realm) -> None:
        self.config, self.realm = config, realm

    def look(self, name: str) -> Beside:
        try:
            return Beside(share=self._share(), other=self._other(name))
        except (JournalError, OSError) as error:
            return Beside(problem=f"where its next group goes is not known: {error}")

    def _share(self) -> int:
        if self.config.rollout.mode != "rollout":
            return 100 if Realm.LIVE in realms(self.config) else 0
        log = rollout_log_path(main_dir(self.config, self.realm))
        return RolloutLog(log, self.config.rollout.live_share_pct).share

    def _other(self, name: str) -> StrategyRecord | None:
        path = journal_beside(name, self.config, self.realm)
        if not path.exists():
            return None
        with JournalReader(path) as reader:
            return next((record for record in reader.strategies() if record.name == name), None)
