"""``submit``, ``cancel``, ``kill-switch``, ``ack``: what an operator asks of a running system."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import control
from cli.kill_files import KillFiles
from cli.market import look
from cli.options import AsJson, ConfigFile, OneRealm, configuration
from cli.preview import Preview, as_json, preview
from cli.problems import BadInput, CommandFailed
from cli.render import money, price, print_json, print_lines, print_table, when
from cli.rollout import route
from config.plan import load_plan
from config.realms import view
from domain.rollout import Realm, realm_of_cell


class OnOff(Enum):
    """The positions of the kill switch."""

    ON = "on"
    OFF = "off"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("submit")(submit)
    app.command("cancel")(cancel)
    app.command("kill-switch")(kill_switch)
    app.command("ack")(acknowledge)


def submit(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="Plan file, .toml or .json; docs/plans/ has examples.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would happen; needs the broker, not the system.")
    ] = False,
    config: ConfigFile = None,
    as_json_document: AsJson = False,
) -> None:
    """Hand a plan to the running system.

    It works the group until it is hedged, flat, or halted with a person alerted.

    With --dry-run nothing is sent: the broker is asked for instruments and quotes, and you see the order in which the
    legs would be worked and their scores, the child orders with their ids, the margin, and the premium at the touch.

    \b
    Example:
      python run_system.py submit docs/plans/bull_put.toml --dry-run
    """
    settings = configuration(config)
    wanted = load_plan(plan)
    if dry_run:
        cell = route(settings, wanted.group_id)
        seen = view(settings, realm_of_cell(cell))
        result = preview(wanted, look(seen.broker, wanted), seen, cell)
        if as_json_document:
            print_json(as_json(result))
        else:
            _show(result)
        return
    answer = control.ask(settings.system.journal_dir, control.submit(wanted))
    where = {"live": ", live", "paper": ", on paper"}.get(answer.get("realm", ""), "")
    told = f"group {wanted.group_id} is accepted{where}; follow it with 'show {wanted.group_id}'"
    _done(answer, told, as_json_document)


def cancel(
    group: Annotated[str, typer.Argument(metavar="GROUP", help="The group's id.")],
    config: ConfigFile = None,
    as_json_document: AsJson = False,
) -> None:
    """End a group flat.

    What works is canceled, then what is filled is closed, the shorts before their protection.

    \b
    Example:
      python run_system.py cancel bull-put-1
    """
    answer = control.ask(configuration(config).system.journal_dir, control.cancel(group))
    _done(answer, f"group {group} is being closed; follow it with 'show {group}'", as_json_document)


def kill_switch(
    position: Annotated[OnOff, typer.Argument(metavar="on|off", help="on: stop; off: allow new risk again.")],
    realm: OneRealm = None,
    config: ConfigFile = None,
    as_json_document: AsJson = False,
) -> None:
    """Stop all new risk at once, or allow it again.

    With "on" every working entry is canceled too; hedges, stops and closing orders go on.  The command makes the file
    KILL in the journal directory itself before it asks the system: a gateway sees it even where nobody answers.

    \b
    Example:
      python run_system.py kill-switch on
    """
    settings, on = configuration(config), position is OnOff.ON
    asked = control.at(realm, control.kill_switch(on=on))
    files = KillFiles(settings, realm) if on else ""
    try:
        answer = control.ask(settings.system.journal_dir, asked)
    except control.Unanswered as failure:
        raise CommandFailed("; ".join(filter(None, [str(failure), str(files)]))) from None
    _done(answer, f"the kill switch is {position.value}", as_json_document)


def acknowledge(
    escalation: Annotated[str, typer.Argument(metavar="ESCALATION_ID", help="The alert's id; 'alerts' lists them.")],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who has seen it; it is kept in the journal.")],
    config: ConfigFile = None,
    as_json_document: AsJson = False,
) -> None:
    """Say that a person has seen an alert.

    A CRITICAL one repeats until then, and at last freezes new risk.

    \b
    Example:
      python run_system.py ack IMMEDIATE_MANUAL_HEDGE:bull-put-1 --by maria
    """
    if not by.strip():
        raise BadInput("--by needs the name of the person who has seen the alert")
    answer = control.ask(configuration(config).system.journal_dir, control.acknowledge(escalation, by.strip()))
    _done(answer, f"alert {escalation} is acknowledged by {by.strip()}", as_json_document)


def _done(answer: dict[str, Any], otherwise: str, as_json_document: bool) -> None:
    """The system's own words where it has any."""
    if as_json_document:
        print_json({"ok": True} | answer)
    else:
        print_lines([str(answer.get("text") or otherwise)])


def _show(result: Preview) -> None:
    group = result.group
    where = "" if result.realm is Realm.LIVE else ", on paper"
    print_lines(
        [f"{group.group_id} ({group.strategy}, {group.policy.value}){where} at {when(result.at_ns)}: nothing was sent"]
    )
    print_table(
        "Order of work",
        ["", "leg", "role", "score", "side", "quantity", "symbol", "limit", "stop", "touch", "premium"],
        [
            (
                planned.leg.index + 1, planned.leg.leg_id, planned.leg.role.value, planned.leg.score,
                planned.leg.side.value, planned.leg.target_qty, planned.leg.instrument.symbol,
                price(planned.leg.limit_price, "touch"), price(planned.leg.stop_trigger),
                price(planned.touch, "no quote"), money(planned.premium),
            )
            for planned in result.legs
        ],
    )  # fmt: skip
    print_table(
        "Child orders (a short one waits for filled protection, and may then be smaller)",
        ["leg", "client order id", "quantity"],
        [
            (planned.leg.leg_id, order.client_order_id, order.quantity)
            for planned in result.legs
            for order in planned.orders
        ],
    )
    _show_margin(result)
    if result.premium is None:
        print_lines(["premium at the touch: not known, a leg has no quote"])
    else:
        word = "received" if result.premium >= 0 else "paid"
        print_lines([f"premium at the touch: {money(abs(result.premium))} {word}"])


def _show_margin(result: Preview) -> None:
    if result.margin is None:
        print_lines([f"margin: not known, {result.margin_unknown}"])
        return
    print_table("Margin", ["counted", "amount"], [(item.what, money(item.amount)) for item in result.margin.items])
    margin = result.margin
    print_lines(
        [
            f"margin requirement: {money(margin.requirement)}; less premium received {money(margin.premium_received)}: "
            f"{money(margin.net)} must be available"
        ]
    )
    _show_worst_case(result)


def _show_worst_case(result: Preview) -> None:
    """Where the plan could hurt most on its way, and whether it would be let in."""
    needed = result.required
    if needed is None:
        return
    if needed.worst is None or needed.span is None:
        print_lines(["worst case: not known, the underlying has no price"])
    else:
        print_table(
            "Worst case over every partial fill",
            ["judged by", "loss", "scenario", "filled so far"],
            [
                (rule, money(worst.loss), worst.scenario, ", ".join(f"{held} {leg}" for leg, held in worst.prefix))
                for rule, worst in (("shocks", needed.worst), ("SPAN", needed.span))
            ],
        )
    if result.judgement is None:
        print_lines(["funds: not known, the broker did not tell; the system would wait for them"])
    else:
        print_lines([("allowed: " if result.judgement.allowed else "REFUSED: ") + result.judgement.text])
