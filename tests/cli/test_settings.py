"""``config``."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from config.render import default_toml
from config.schema import Config

Command = Callable[..., Any]


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch, journal_dir: Path) -> None:
    monkeypatch.delenv("LEGKEEPER_SYSTEM_JOURNAL_DIR")


def test_config_prints_the_commented_defaults(command: Command) -> None:
    assert command("config") == (0, default_toml(), "")


def test_config_prints_the_values_in_force(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "legkeeper.toml"
    path.write_text("[broker]\nport = 7\n")
    monkeypatch.setenv("LEGKEEPER_HEDGE_DEPTH", "4")
    values = tomllib.loads(command("config", "--config", path).out)
    assert (values["broker"]["port"], values["hedge"]["depth"]) == (7, 4)


def test_config_as_json_is_the_whole_configuration(command: Command) -> None:
    assert msgspec.convert(command("config", "--json").json, Config) == Config()
