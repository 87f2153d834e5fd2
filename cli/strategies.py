"""``strategies``: what the strategies do, whether the system runs or not; and starting and stopping one."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any

import typer

from cli import control, journals
from cli.options import AsJson, ConfigFile, configuration
from cli.problems import BadInput
from cli.render import money, price, print_json, print_lines, print_table, when
from config.schema import Config
from domain.rollout import realm_of_cell
from messages.strategy_records import VerticalRecord
from storage.export import named
from storage.reader import JournalReader

NameOf = Annotated[str, typer.Argument(metavar="NAME", help="The strategy's name.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    family = typer.Typer(invoke_without_command=True, help=strategies.__doc__, rich_markup_mode=None)
    family.callback()(strategies)
    family.command("show")(show)
    family.command("start")(start)
    family.command("stop")(stop)
    app.add_typer(family, name="strategies")


def strategies(context: typer.Context, config: ConfigFile = None, as_json_document: AsJson = False) -> None:
    """List the strategies with their open verticals.

    While the system runs, profit and distance are by the quotes of now; otherwise the journals answer without them.

    \b
    Example:
      python run_system.py strategies
    """
    if context.invoked_subcommand is not None:
        return
    settings = configuration(config)
    rows, remark = _rows(settings)
    if as_json_document:
        print_json(rows)
        return
    if remark:
        print_lines([remark])
    print_table(
        "Strategies",
        ["strategy", "realm", "kind", "standing", "state", "closed", "realised", "group", "reason"],
        [_standing(row["record"]) for row in rows],
        empty="no strategies; docs/strategies.md tells how to configure one",
    )
    print_table(
        "Their verticals",
        [
            "strategy", "strikes", "expiry", "quantity", "credit", "maximum profit", "maximum loss", "breakeven",
            "P&L now", "distance", "group",
        ],
        [_figures(row["vertical"], row["mark"]) for row in rows if row["vertical"]],
    )  # fmt: skip


def show(name: NameOf, config: ConfigFile = None, as_json_document: AsJson = False) -> None:
    """Show every vertical of one strategy: how it was entered, why it was closed, and what it earned.

    \b
    Example:
      python run_system.py strategies show weekly-puts
    """
    settings = configuration(config)
    verticals = [vertical for vertical in _verticals(settings) if vertical.strategy == name]
    if not verticals:
        _refuse_unknown(settings, name)
    if as_json_document:
        print_json(named(verticals))
        return
    print_table(
        f"Verticals of {name}, oldest first",
        [
            "group", "strikes", "expiry", "quantity", "credit", "maximum profit", "maximum loss", "breakeven",
            "entered", "in place of",
        ],
        [
            (
                v.group_id, _strikes(v.short_strike, v.long_strike), v.expiry, v.quantity, money(v.credit),
                money(v.max_profit), money(v.max_loss), money(v.breakeven), when(v.entered_ns), v.rolled_from,
            )
            for v in verticals
        ],
        empty=f"strategy {name} has not entered anything yet",
    )  # fmt: skip
    print_table(
        "How they ended",
        ["group", "exit", "realised", "closed", "why"],
        [
            (v.group_id, v.exit.value, money(v.realised), when(v.closed_ns), v.exit_reason)
            for v in verticals
            if v.closed_ns
        ],
    )


def start(name: NameOf, config: ConfigFile = None, as_json_document: AsJson = False) -> None:
    """Let a strategy enter again: one that was stopped, has ended, gave up, or was disabled.

    \b
    Example:
      python run_system.py strategies start weekly-puts
    """
    _operate(name, config, as_json_document, run=True)


def stop(name: NameOf, config: ConfigFile = None, as_json_document: AsJson = False) -> None:
    """Stop a strategy: it enters nothing more, and what it holds is closed, shorts first.

    \b
    Example:
      python run_system.py strategies stop weekly-puts
    """
    _operate(name, config, as_json_document, run=False)


def _operate(name: str, config: ConfigFile, as_json_document: bool, *, run: bool) -> None:
    answer = control.ask(configuration(config).system.journal_dir, control.strategy(name, run=run))
    if as_json_document:
        print_json({"ok": True} | answer)
    else:
        print_lines([str(answer["text"])])


def _rows(settings: Config) -> tuple[list[dict[str, Any]], str]:
    """One row per strategy, and a remark when they come from the journals."""
    try:
        rows: list[dict[str, Any]] = control.ask(settings.system.journal_dir, control.strategies())["strategies"]
    except control.NoSystem:
        return _from_journals(settings), "the system is not running: this is what the journals say"
    return rows, ""


def _from_journals(settings: Config) -> list[dict[str, Any]]:
    open_ones = {vertical.group_id: vertical for vertical in _verticals(settings)}
    found = []
    for path in journals.paths(settings):
        with JournalReader(path, snapshot=True) as reader:
            found += reader.strategies()
    return [
        {"record": named(record), "vertical": named(open_ones.get(record.group_id)), "mark": None}
        for record in sorted(found, key=lambda record: (record.name, record.cell))
    ]


def _verticals(settings: Config) -> list[VerticalRecord]:
    found: list[VerticalRecord] = []
    for path in journals.paths(settings):
        with JournalReader(path, snapshot=True) as reader:
            found += reader.verticals()
    return sorted(found, key=lambda vertical: (vertical.decided_ns, vertical.group_id))


def _refuse_unknown(settings: Config, name: str) -> None:
    known = [row["record"]["name"] for row in _from_journals(settings)]
    if name not in known:
        near = get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "'strategies' lists those that there are"
        raise BadInput(f"no journal in {settings.system.journal_dir} knows the strategy {name!r}; {hint}")


def _standing(record: dict[str, Any]) -> list[object]:
    words = [record[key] for key in ("kind", "standing", "status", "verticals")]
    return [
        record["name"],
        realm_of_cell(record["cell"]).value,
        *words,
        money(record["realised"]),
        record["group_id"],
        record["reason"],
    ]


def _figures(vertical: dict[str, Any], mark: dict[str, Any] | None) -> list[object]:
    seen = mark or {"problem": "not seen yet", "spot": 0}
    return [
        vertical["strategy"], _strikes(vertical["short_strike"], vertical["long_strike"]), vertical["expiry"],
        vertical["quantity"], *(money(vertical[key]) for key in ("credit", "max_profit", "max_loss", "breakeven")),
        "not known" if seen["problem"] else money(seen["pnl"]), f"{seen['distance_pct']:g} %" if seen["spot"] else "",
        vertical["group_id"],
    ]  # fmt: skip


def _strikes(short: int, long: int) -> str:
    return f"-{price(short)} +{price(long)}"
