"""The options that every command has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from config.load import load_config
from config.schema import Config
from domain.rollout import Realm

ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Configuration file; without it, the defaults.")
]
OneRealm = Annotated[
    Realm | None, typer.Option("--realm", help="Only this gateway, live or paper; without it, every one.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def configuration(path: Path | None) -> Config:
    """The configuration in force: file, then environment.  Raises ``ConfigError``."""
    return load_config(path, os.environ)
