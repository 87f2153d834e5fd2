"""Bugs in what the gateway allows all orders together: crossings, sums over the account, and what stands stopped."""

from __future__ import annotations

from typing import Any, Final

from simulation.aims import AT_ONCE, MANY, PACED, only
from simulation.mutants.catalogue import Mutant
from simulation.mutants.planting import Plant, edit, returns, together, without

BREAKS: Final = ("I25",)


def _account_control(function: str) -> Plant:
    return without("decisions.gateway.account_controls:ACCOUNT_CONTROLS", lambda row: row[1].__name__ == function)


def _limited(**limits: Any) -> dict[str, Any]:
    """Three groups at once under one tight limit, in fair weather."""
    return {**only(), **MANY, **AT_ONCE, "controls": limits}


MUTANTS: Final = (
    Mutant(
        "crosses-itself",
        "two own orders may trade with each other",
        BREAKS,
        returns("actors.crossings:Crossings.in_the_way", "[]"),
    ),
    Mutant(
        "repair-does-not-wait",
        "a repair leaves at once, whatever of ours it may trade with",
        BREAKS,
        edit(
            "actors.crossings:Crossings.hold",
            ("if not over:", "if False:"),
            ("if behind and", "if False and"),
        ),
    ),
    Mutant(
        "nobody-makes-way",
        "a repair waits for the entry in its way, and nobody cancels that",
        BREAKS,
        edit("actors.crossings:Crossings.hold", ("self._cancel(working)", "pass")),
    ),
    Mutant(
        "takes-its-cancels-token",
        "a repair that has waited for long enough leaves before the cancel of the entry in its way",
        BREAKS,
        edit("actors.crossings:Crossings.hold", ("if behind and", "if False and")),
        PACED | MANY,
    ),
    Mutant(
        "sent-again-unjudged",
        "what is sent again after a restart passes all limits of the account, whether it ever left or not",
        BREAKS,
        edit("actors.account_door:AccountDoor.forbids", ("if book.has(order.client_order_id):", "if order.resend:")),
        only("F.process.kill", "F.process.program") | MANY | {"controls": {"max_short_units_underlying": 2}},
    ),
    Mutant(
        "believes-one-list",
        "a gateway that was started knows of what works from one list of the broker's, and from no cell",
        BREAKS,
        together(
            returns("actors.order_door:OrderDoor.presented", "None"), returns("actors.trading:Trading.unheard", "[]")
        ),
        only("F.process.kill", "F.broker.order_missing_from_snapshot", "F.operator.tightened")
        | MANY
        | {"controls": {"max_open_orders": 2}},
    ),
    Mutant(
        "lagging-list-is-believed",
        "what the account holds is what the last list says, however old its answer may be",
        BREAKS,
        edit("actors.gateway:BrokerGateway.on_broker_event", ("lag_ms * MS", "0")),
        only("F.broker.stale_snapshot") | MANY | {"controls": {"max_short_units_underlying": 2}, "poll, ms": 4_000},
    ),
    Mutant(
        "market-orders-cost-nothing",
        "a market order that works counts with its price, which is none",
        BREAKS,
        returns("decisions.gateway.working_book:WorkingBook.entry_cost", "self._cost[symbol, side]"),
        _limited(max_day_premium=2_000),
    ),
    Mutant(
        "open-orders-without-limit",
        "as many orders work as anybody likes",
        BREAKS,
        without("decisions.gateway.controls:CONTROLS", lambda row: row.name == "E5"),
        _limited(max_open_orders=2),
    ),
    Mutant(
        "own-orders-uncounted",
        "only what is short counts, not what is being sold",
        BREAKS,
        edit(
            "decisions.gateway.account_controls:_short_units",
            (
                "max(0, book.entry_qty(symbol, Side.SELL) - account.positions[symbol])",
                "max(0, -account.positions[symbol])",
            ),
            (
                "account.positions[order.symbol] - book.entry_qty(order.symbol, Side.SELL)",
                "account.positions[order.symbol]",
            ),
        ),
        _limited(max_short_units_underlying=2),
    ),
    Mutant(
        "working-money-without-limit",
        "entries of any worth work",
        BREAKS,
        _account_control("_working_notional"),
        _limited(max_working_notional=2_000),
    ),
    Mutant(
        "premium-of-a-day-forgotten",
        "what entries have paid counts until they are filled",
        BREAKS,
        edit(
            "decisions.gateway.account_controls:_premium",
            ("account.premium_paid(account.day(case.now_ns)) + case.working", "case.working"),
        ),
        _limited(max_day_premium=2_000),
    ),
    Mutant(
        "repeats-go-on",
        "what repeats itself is disabled, and new risk in it leaves all the same",
        BREAKS,
        together(
            _account_control("_repeated"),
            edit("actors.order_door:OrderDoor.stop_repeated", ("or again", "and False")),
        ),
        _limited(repeat_limit=1),
    ),
    Mutant(
        "strategies-repeat-themselves",
        "a strategy may be applied as often as it likes",
        BREAKS,
        returns("actors.strategy_throttle:StrategyThrottle.forbids", "''"),
        {
            **only(),
            **AT_ONCE,
            "controls": {"strategy_limit": 1},
            "it enters again": True,
            "profit target, %": 5.0,
            "under fire for, ms": 16_000,
        },
    ),
    Mutant(
        "loss-stops-nothing",
        "the loss of a day is told, and new risk goes on",
        BREAKS,
        edit(
            "decisions.gateway.standing:Standing.trading",
            ("for subject in (OPERATOR, LOSS):", "for subject in (OPERATOR,):"),
        ),
        _limited(max_loss=100),
    ),
    Mutant(
        "alerts-freeze-nothing",
        "an alert that nobody has seen stops nothing",
        BREAKS,
        together(
            edit("actors.cell_tree:CellTree._follow_up", ("self.clock_ns >= self.freezes_ns", "False")),
            returns("actors.fan_out:FanOut.frozen_by", "[]"),
        ),
        {"a setting at its edge": ("alerts.freeze_after_ms", 10_000), "under fire for, ms": 16_000},
    ),
)
