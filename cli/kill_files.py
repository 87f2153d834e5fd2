"""The files of the kill switch, made by the command that turns it on, whatever becomes of the system's answer (E9)."""

from __future__ import annotations

import threading
from pathlib import Path

from config.realms import realms
from config.schema import Config
from domain.rollout import Realm
from supervisors.kill_file import kill_file_path, make_kill_file

PATIENCE_S = 1.0  # with a disk that stalls: the system, whose gateway cancels before it waits for a disk, is asked then


class KillFiles:
    """Of one realm, or of all that there are.  They are made, or the disk has had its time, when this returns."""

    def __init__(self, config: Config, only: Realm | None) -> None:
        self._config = config
        self._realms = [realm for realm in realms(config) if only in (None, realm)]
        self._problems: dict[Path, str] = {}  # of those that were tried; "": it is there
        making = threading.Thread(target=self._make, daemon=True)
        making.start()
        making.join(PATIENCE_S)

    def _make(self) -> None:
        for realm in self._realms:
            self._problems[kill_file_path(self._config, realm)] = make_kill_file(self._config, realm)

    def __str__(self) -> str:
        """How they stand, for a person whom the system does not answer."""
        return "; ".join(self._told(kill_file_path(self._config, realm)) for realm in self._realms)

    def _told(self, path: Path) -> str:
        problem = self._problems.get(path)
        if problem is None:
            return f"{path} is not made yet: the disk does not answer"
        if problem:
            return f"{path} cannot be written ({problem})"
        return f"{path} is made and holds: a gateway that runs sees it at once, the next one when it starts"
