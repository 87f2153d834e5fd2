"""``status``, ``groups``, ``show``, ``alerts``: what the journals say, whether the system runs or not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import control, differences, journals
from cli.options import AsJson, ConfigFile, configuration
from cli.problems import CommandFailed
from cli.reconciliation import last_differences
from cli.render import money, price, print_json, print_lines, print_table, when
from config.paths import all_journal_paths
from config.schema import Config
from domain.groups import ENTRY_ROLES, GroupOutcome, Role
from domain.rollout import realm_of_cell
from messages.operator import HANGS
from messages.records import EscalationRecord, GroupRecord, IntentStatus, Severity, StopRecord
from storage.export import named
from storage.port import GroupRows, JournalError
from storage.reader import JournalReader

ENDED = frozenset(
    {IntentStatus.FILLED, IntentStatus.CANCELED, IntentStatus.REJECTED, IntentStatus.EXPIRED, IntentStatus.REFUSED}
)
CLOSING = frozenset({Role.CLOSE, Role.STOP_LIMIT, Role.STOP_MARKET})


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("status")(status)
    app.command("groups")(groups)
    app.command("show")(show)
    app.command("alerts")(alerts)


def status(config: ConfigFile = None, as_json_document: AsJson = False) -> None:
    """Tell how the system is.

    Does it run, what do its processes say, and what does each cell's journal hold?
    The exit status is 1 when a journal cannot be read.

    \b
    Example:
      python run_system.py status
    """
    settings = configuration(config)
    system, remark = _system(settings)
    found = journals.paths(settings) if system is None else all_journal_paths(settings.system.journal_dir)
    cells = [{"journal": journals.name_of(settings, path)} | _cell(path) for path in found]
    cells += [
        {"journal": journals.name_of(settings, path), "problem": problem}
        for path, problem in journals.missing(settings)
    ]
    if as_json_document:
        seen = {"positions": last_differences(settings), "held": differences.held(settings)}
        print_json({"running": system is not None, "system": system, "remark": remark, "journals": cells} | seen)
    else:
        _show_status(system, remark, cells)
        print_lines(last_differences(settings))
        differences.tell(differences.held(settings))
    unreadable = [str(cell["problem"]) for cell in cells if cell["problem"]]
    if unreadable:
        raise CommandFailed("; ".join(unreadable))


def groups(
    open_only: Annotated[bool, typer.Option("--open", help="Only groups that have not ended.")] = False,
    config: ConfigFile = None,
    as_json_document: AsJson = False,
) -> None:
    """List the groups of all cells, oldest first.

    \b
    Example:
      python run_system.py groups --open
    """
    settings = configuration(config)
    found = [group for group in journals.groups(settings) if not open_only or group.outcome is GroupOutcome.OPEN]
    unresolved = journals.unresolved(settings)
    if as_json_document:
        print_json([_group_json(group) | {"unresolved_orders": unresolved.get(group.group_id, 0)} for group in found])
        return
    print_table(
        "Groups",
        ["group", "realm", "cell", "strategy", "status", "outcome", "mode", "legs", "hedges", "created", "reason"],
        [
            (
                group.group_id, realm_of_cell(group.cell).value, group.cell, group.strategy, group.status.value,
                _outcome(group, unresolved.get(group.group_id, 0)), group.mode.value,
                len(group.group.legs), group.hedges_placed, when(group.created_ns), group.reason,
            )
            for group in found
        ],
        empty="no groups",
    )  # fmt: skip


def show(
    group: Annotated[str, typer.Argument(metavar="GROUP", help="The group's id.")],
    config: ConfigFile = None,
    as_json_document: AsJson = False,
) -> None:
    """Show one group, with all that belongs to it.

    Its legs in the order of work, its orders, trades, hedges, stops and alerts.

    \b
    Example:
      python run_system.py show bull-put-1
    """
    with journals.holding(configuration(config), group) as reader:
        rows = reader.group(group)
        trades = reader.executions(group)
        raised = reader.escalations(group)
    assert rows is not None
    if as_json_document:
        realm = {"realm": realm_of_cell(rows.group.cell).value}
        print_json(realm | named(rows) | {"executions": named(trades), "escalations": named(raised)})
        return
    _show_group(rows)
    print_table(
        "Trades",
        ["at", "order", "kind", "side", "quantity", "price", "symbol"],
        [
            (when(t.ts_ns), t.client_order_id, t.exec_type, t.side.value, t.last_qty, money(t.last_px), t.symbol)
            for t in trades
        ],
    )
    _show_alerts(raised, "")


def alerts(
    everything: Annotated[bool, typer.Option("--all", help="Also those that need nobody any more.")] = False,
    config: ConfigFile = None,
    as_json_document: AsJson = False,
) -> None:
    """List the alerts that need a person.

    Those are CRITICAL ones that nobody has acknowledged, and any that was not delivered.

    \b
    Example:
      python run_system.py alerts
    """
    found: list[EscalationRecord] = []
    for path in journals.paths(configuration(config)):
        with JournalReader(path) as reader:
            found += reader.escalations() if everything else reader.open_escalations()
    found.sort(key=lambda alert: (alert.raised_ns, alert.escalation_id))
    if as_json_document:
        print_json(named(found))
    else:
        _show_alerts(found, "no alerts" if everything else "no alert needs anyone; --all lists the past ones")


def _system(settings: Config) -> tuple[dict[str, Any] | None, str]:
    """The running system's own report, or ``None`` and why there is none."""
    try:
        return control.ask(settings.system.journal_dir, control.status()), ""
    except control.NoSystem as reason:
        return None, f"not running: {reason}"
    except CommandFailed as reason:
        return None, f"not answering: {reason}"


def _stopped(system: dict[str, Any]) -> str:
    """Kill switch and trading state in words, read off the gateways; "" while new risk may be taken everywhere."""
    gateways = [p for p in system.get("processes", []) if str(p.get("name", "")).endswith("gateway")]
    found = {str(gateway["name"]): _stopped_at(gateway) for gateway in gateways}
    if len(found) == 1 or len(set(found.values())) == 1:
        return next(iter(found.values()), "")
    return "; ".join(f"{name}: {text}" for name, text in found.items() if text)


def _stopped_at(gateway: dict[str, Any]) -> str:
    word = str(gateway.get("state", "")).partition(",")[0]
    if word == "killed":
        return "the kill switch is on"
    if word == HANGS:
        return "the gateway hangs, and no order leaves"
    return f"the trading state is {word} ({gateway.get('detail', '')})" if word in ("reducing", "halted") else ""


def _cell(path: Path) -> dict[str, Any]:
    """One journal in figures; ``problem`` is "" unless it cannot be read."""
    try:
        with JournalReader(path, snapshot=True) as reader:
            known, intents, epochs = reader.groups(), reader.intents(), reader.epochs()
            waiting = reader.open_escalations()
    except JournalError as problem:
        return {"problem": str(problem)}
    return {
        "problem": "",
        "epoch": epochs[-1].epoch if epochs else 0,
        "groups": len(known),
        "open_groups": sum(group.outcome is GroupOutcome.OPEN for group in known),
        "quarantined_groups": sum(group.quarantined for group in known),
        "outcomes": dict(Counter(group.outcome.value for group in known)),
        "working_orders": sum(intent.status not in ENDED for intent in intents),
        "unresolved_orders": sum(intent.status is IntentStatus.UNRESOLVED for intent in intents),
        "alerts": len(waiting),
        "critical_alerts": sum(alert.severity is Severity.CRITICAL for alert in waiting),
    }


def _show_status(system: dict[str, Any] | None, remark: str, cells: list[dict[str, Any]]) -> None:
    if system is None:
        print_lines([remark])
    else:
        halted = system.get("halted") or _stopped(system)
        print_lines([f"running, but no new risk is taken: {halted}" if halted else "running"])
        processes = system.get("processes", [])
        columns = list(dict.fromkeys(name for process in processes for name in process))
        print_table("Processes", columns, [[process.get(name, "") for name in columns] for process in processes])
    columns = [
        "journal", "epoch", "groups", "open_groups", "quarantined_groups", "working_orders", "unresolved_orders",
        "alerts", "critical_alerts",
    ]  # fmt: skip
    readable = [cell for cell in cells if not cell["problem"]]
    print_table(
        "Journals",
        [column.replace("_", " ") for column in columns],
        [[cell[column] for column in columns] for cell in readable],
        empty="no journal yet",
    )


def _group_json(group: GroupRecord) -> dict[str, Any]:
    fields: dict[str, Any] = named(group)
    return {"realm": realm_of_cell(group.cell).value} | fields


def _outcome(group: GroupRecord, unresolved: int = 0) -> str:
    """The outcome, and what keeps it from being trusted: a group with an order of unknown fate is never certified."""
    words = [group.outcome.value, *["quarantined"] * group.quarantined]
    return ", ".join([*words, *[f"{unresolved} UNRESOLVED"] * bool(unresolved)])


def _show_group(rows: GroupRows) -> None:
    group = rows.group
    print_lines(
        [
            f"{group.group_id} ({group.strategy}, {group.group.policy.value}): {group.status.value}, "
            f"{_outcome(group, _unresolved(rows))}, {group.mode.value}" + (f"; {group.reason}" if group.reason else ""),
            f"{realm_of_cell(group.cell).value}, cell {group.cell}, created {when(group.created_ns)}, "
            f"last change {when(group.updated_ns)}",
        ]
    )
    entered, closed = _filled(rows, ENTRY_ROLES), _filled(rows, CLOSING)
    authorized = {(leg.leg_id, leg.kind): leg.authorized_qty for leg in rows.legs}
    print_table(
        "Legs, in the order of work",
        ["leg", "role", "score", "side", "symbol", "limit", "target", "authorized", "filled", "closed"],
        [
            (
                leg.leg_id, leg.role.value, leg.score, leg.side.value, leg.instrument.symbol,
                price(leg.limit_price, "touch"), leg.target_qty, authorized.get((leg.leg_id, "E"), 0),
                entered[leg.leg_id], closed[leg.leg_id],
            )
            for leg in group.group.legs
        ],
    )  # fmt: skip
    states = {state.client_order_id: state for state in rows.execution_states}
    print_table(
        "Orders",
        ["client order id", "leg", "role", "side", "quantity", "filled", "type", "price", "status", "reason"],
        [
            (
                intent.client_order_id, intent.leg_id, intent.role.value, intent.side.value, intent.quantity,
                states[intent.client_order_id].cum_qty if intent.client_order_id in states else 0,
                intent.order_type.value, price(intent.price, "market"), intent.status.value, intent.reason,
            )
            for intent in rows.intents
        ],
        empty="no orders yet",
    )  # fmt: skip
    print_table(
        "Hedges",
        ["hedge", "level", "side", "symbol", "needed", "filled", "status", "why"],
        [
            (h.hedge_id, h.level, h.side.value, h.symbol, h.needed_qty, h.filled_qty, h.status.value, h.trigger)
            for h in rows.hedges
        ],
    )
    print_table(
        "Stops",
        ["stop", "leg", "side", "quantity", "filled", "trigger", "on", "limit", "status"],
        [
            (
                s.stop_id, s.leg_id, s.side.value, s.quantity, s.filled_qty, money(s.trigger_price),
                s.trigger_on.value, money(s.limit_price), _stop_state(s),
            )
            for s in rows.stops
        ],
    )  # fmt: skip
    print_table(
        "Stop of the whole group",
        ["most that may be lost", "judged on", "status", "lost when it triggered", "no quote to judge by since"],
        [
            (
                money(s.max_loss), s.judged_on.value, s.status.value, money(s.loss) if s.triggered_ns else "",
                when(s.blind_ns) if s.blind_ns else "",
            )
            for s in rows.group_stops
        ],
    )  # fmt: skip


def _unresolved(rows: GroupRows) -> int:
    return sum(intent.status is IntentStatus.UNRESOLVED for intent in rows.intents)


def _stop_state(stop: StopRecord) -> str:
    remarks = [f"no working stop since {when(stop.unprotected_ns)}"] if stop.unprotected_ns else []
    remarks += [f"no quote to judge by since {when(stop.blind_ns)}"] if stop.blind_ns else []
    return ", ".join([stop.status.value, *remarks])


def _filled(rows: GroupRows, roles: frozenset[Role]) -> Counter[str]:
    """Units filled per leg by orders of these roles."""
    cum_qty = {state.client_order_id: state.cum_qty for state in rows.execution_states}
    filled: Counter[str] = Counter()
    for intent in rows.intents:
        if intent.role in roles:
            filled[intent.leg_id] += cum_qty.get(intent.client_order_id, 0)
    return filled


def _show_alerts(found: list[EscalationRecord], empty: str) -> None:
    print_table(
        "Alerts",
        ["id", "severity", "kind", "group", "symbol", "quantity", "raised", "acknowledged", "text"],
        [
            (
                alert.escalation_id, alert.severity.value, alert.kind, alert.group_id, alert.symbol, alert.quantity,
                when(alert.raised_ns), alert.acknowledged_by, alert.text,
            )
            for alert in found
        ],
        empty=empty,
    )  # fmt: skip
