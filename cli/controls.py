"""``trading-state`` and ``controls``: how much the system may do, and what its controls have disabled or let pass."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from cli import control
from cli.options import AsJson, ConfigFile, OneRealm, configuration
from cli.problems import BadInput
from cli.render import print_json, print_lines
from domain.trading import TradingState

By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who asks; it is kept in the gateway's journal.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept in the gateway's journal.")]

_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("trading-state")(trading_state)
    family = typer.Typer(help="What the gateway's controls have disabled, and what they let pass for a while.")
    family.command("show")(show)
    family.command("enable")(enable)
    family.command("override")(override)
    app.add_typer(family, name="controls", rich_help_panel=None)


def trading_state(
    state: Annotated[TradingState | None, typer.Argument(metavar="active|reducing|halted", show_default=False)] = None,
    reason: Reason = "",
    by: By = "",
    realm: OneRealm = None,
    config: ConfigFile = None,
    as_json_document: AsJson = False,
) -> None:
    """Show the trading state, or set it.

    active: new risk may be taken.  reducing: working entries are canceled, and only orders that reduce or protect
    leave.  halted: nothing new leaves but cancels, and reductions that the broker's positions prove; no hedges.

    It survives restarts.  What a control asks for (the kill switch, a loss limit) stays whatever is set here.

    \b
    Example:
      python run_system.py trading-state reducing --reason "odd quotes" --by maria
    """
    journal_dir = configuration(config).system.journal_dir
    if state is None:
        show(realm, config, as_json_document)
        return
    named_by(reason, by)
    answer = control.ask(journal_dir, control.at(realm, control.trading_state(state, reason.strip(), by.strip())))
    _done(answer, as_json_document)


def show(realm: OneRealm = None, config: ConfigFile = None, as_json_document: AsJson = False) -> None:
    """What is in force: the trading state, what is disabled, and what is overridden.

    \b
    Example:
      python run_system.py controls show
    """
    answer = control.ask(configuration(config).system.journal_dir, control.at(realm, control.controls()))
    if as_json_document:
        print_json(answer)
        return
    reason = f": {answer['reason']}" if answer["reason"] else ""
    print_lines([f"trading state {answer['state']}{reason}", *answer["lines"]])


def enable(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="What is disabled; 'controls show' lists it.")],
    reason: Reason = "",
    by: By = "",
    realm: OneRealm = None,
    config: ConfigFile = None,
    as_json_document: AsJson = False,
) -> None:
    """Let what the repeated-execution throttle has disabled be traded again.

    \b
    Example:
      python run_system.py controls enable "repeat/LEGK  260220P00485000/sell" --reason "meant it" --by maria
    """
    named_by(reason, by)
    request = control.at(realm, control.enable(subject, reason.strip(), by.strip()))
    _done(control.ask(configuration(config).system.journal_dir, request), as_json_document)


def override(
    name: Annotated[str, typer.Argument(metavar="CONTROL", help="E1, E2, E5, E11, E12 or E20.")],
    duration: Annotated[str, typer.Option("--for", metavar="TIME", help="How long, of broker time: 90s, 10m, 1h.")],
    reason: Reason = "",
    by: By = "",
    symbol: Annotated[str, typer.Option("--symbol", metavar="SYMBOL", help="Only this one; without it, all.")] = "",
    realm: OneRealm = None,
    config: ConfigFile = None,
    as_json_document: AsJson = False,
) -> None:
    """Let a soft control pass for a while.

    Only who is named in controls.authorized may; every use is journaled, and it ends by the broker's clock.

    \b
    Example:
      python run_system.py controls override E2 --for 10m --reason "wide market" --by maria
    """
    named_by(reason, by)
    asked = control.override(name.upper(), symbol, reason.strip(), by.strip(), _milliseconds(duration))
    request = control.at(realm, asked)
    _done(control.ask(configuration(config).system.journal_dir, request), as_json_document)


def named_by(reason: str, by: str) -> None:
    """Raises ``BadInput`` unless somebody says why."""
    if not reason.strip() or not by.strip():
        raise BadInput("--reason and --by are needed: the gateway's journal keeps who asked, and why")


def _milliseconds(text: str) -> int:
    match = re.fullmatch(r"([1-9]\d{0,5})([smh])", text.strip())
    if match is None:
        raise BadInput(f"--for {text!r} is not a time; write a whole number and s, m or h, as in 90s, 10m or 1h")
    return int(match[1]) * _UNITS_MS[match[2]]


def _done(answer: dict[str, object], as_json_document: bool) -> None:
    if as_json_document:
        print_json({"ok": True} | answer)
    else:
        print_lines([str(answer["text"])])
