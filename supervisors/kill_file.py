"""The kill switch's file, made by others than the gateway: it holds while that hangs or is down (E9)."""

from __future__ import annotations

from pathlib import Path

from actors.machine import Mark, machine
from config.paths import kill_switch_path
from config.realms import view
from config.schema import Config
from domain.rollout import Realm


def kill_file_path(config: Config, realm: Realm) -> Path:
    """Where the gateway of a realm looks for it."""
    return kill_switch_path(view(config, realm).system.journal_dir)


def kill_file(config: Config, realm: Realm) -> Mark:
    """The file itself; ``config`` is the main program's."""
    return machine().kill_switch(view(config, realm))


def make_kill_file(config: Config, realm: Realm) -> str:
    """Have it there for good; what the disk says against that, "" when it is there.

    A gateway that runs finds it at its next look, one that starts before it does anything.
    """
    try:
        kill_file(config, realm).touch()
    except OSError as error:
        return error.strerror or str(error)
    return ""
