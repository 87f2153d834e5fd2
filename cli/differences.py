"""``differences``: what a start found that no journal explains, and a person's word that it is as it should be."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from cli import control
from cli.controls import By, Reason, named_by
from cli.options import AsJson, ConfigFile, OneRealm, configuration
from cli.problems import BadInput
from cli.render import print_json, print_lines, print_table
from config.paths import positions_path
from config.realms import realms, view
from config.schema import Config
from decisions.positions.position_report import PositionReport
from domain.rollout import Realm
from messages.positions import Difference

LOOK_S = 1.0  # while the system runs, its terminal is told this often of what has changed
COLUMNS = ("realm", "what", "journals say", "broker says", "difference", "likely cause", "what to do")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    family = typer.Typer(help="What a start found at the broker that no journal explains: no new risk until it is.")
    family.command("show")(show)
    family.command("accept")(accept)
    app.add_typer(family, name="differences", rich_help_panel=None)


def show(config: ConfigFile = None, as_json_document: AsJson = False) -> None:
    """What holds new risk back since the start; the exit status is 0 either way.

    \b
    Example:
      python run_system.py differences show
    """
    found = held(configuration(config))
    if as_json_document:
        print_json(found)
        return
    tell(found, empty="no difference holds new risk back")


def accept(
    what: Annotated[str, typer.Argument(metavar="SYMBOL|ORDER", help="As listed by 'show'.", show_default=False)] = "",
    everything: Annotated[bool, typer.Option("--all", help="All that is listed.")] = False,
    reason: Reason = "",
    by: By = "",
    realm: OneRealm = None,
    config: ConfigFile = None,
    as_json_document: AsJson = False,
) -> None:
    """Say that a difference is as it should be: it is journaled, survives restarts, and new risk may be taken again.

    The position or order stays as it is, and nobody's: it is never touched.  If it grows, the next start asks again.

    \b
    Example:
      python run_system.py differences accept "LEGK  260220P00485000" --reason "my own hedge" --by maria
    """
    named_by(reason, by)
    if bool(what.strip()) == everything:
        raise BadInput("name one symbol or order, or say --all")
    request = control.at(realm, control.accept(what.strip(), reason.strip(), by.strip()))
    answer = control.ask(configuration(config).system.journal_dir, request)
    if as_json_document:
        print_json({"ok": True} | answer)
    else:
        print_lines([str(answer["text"])])


def held(settings: Config, since_ns: int = 0) -> dict[str, tuple[Difference, ...]]:
    """By realm, what held new risk back when it was last looked at; nothing of reports from before ``since_ns``."""
    found = {}
    for realm in realms(settings):
        seen = _last_report(settings, realm, since_ns)
        if seen is not None and seen.held:
            found[realm.value] = seen.held
    return found


def tell(found: Mapping[str, Sequence[Difference]], *, empty: str = "") -> None:
    """As a table."""
    print_table(
        "No new risk since the start: the broker and the journals differ",
        list(COLUMNS),
        [
            (
                realm, one.symbol.strip() if one.key.startswith("position/") else one.key, one.journal, one.broker,
                one.quantity, one.cause, one.advice,
            )
            for realm, differences in found.items()
            for one in differences
        ],
        empty=empty,
    )  # fmt: skip


class Teller:
    """Tells the terminal of a running system what holds new risk back, whenever that changes."""

    def __init__(self, settings: Config) -> None:
        self._settings = settings
        self._began_ns = time.time_ns()
        self._told: dict[str, tuple[Difference, ...]] = {}
        self._read: list[tuple[int, int]] = []  # which reports those were

    def look(self) -> None:
        """Read the reconcilers' last reports, if they are new; what is still being asked about is not worth a table.

        A report grows with the number of groups, and this is asked at every command.
        """
        reports = [
            _stamp(positions_path(view(self._settings, realm).system.journal_dir)) for realm in realms(self._settings)
        ]
        if reports == self._read:
            return
        self._read = reports
        found = {
            realm: checked
            for realm, differences in held(self._settings, self._began_ns).items()
            if (checked := tuple(one for one in differences if one.checked))
        }
        if found == self._told:
            return
        self._told = found
        tell(found, empty="no difference holds new risk back any more")


def _stamp(path: Path) -> tuple[int, int]:
    """What another report in its place would have otherwise: a report is replaced as a whole."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_ino, found.st_mtime_ns


def _last_report(settings: Config, realm: Realm, since_ns: int) -> PositionReport | None:
    path = positions_path(view(settings, realm).system.journal_dir)
    try:
        if path.stat().st_mtime_ns < since_ns:
            return None
        return msgspec.json.decode(path.read_bytes(), type=PositionReport)
    except (OSError, msgspec.DecodeError):
        return None
