"""The pre-trade controls E1 to E20 switched off."""

from __future__ import annotations

from typing import Final

from simulation.mutants.catalogue import Mutant
from simulation.mutants.planting import edit, returns, without
from simulation.mutants.switching import NOTHING, off


def _without_control(name: str, about: str) -> Mutant:
    return off(name, about, without("decisions.gateway.controls:CONTROLS", lambda row: row.name == name))


def _without_account_control(name: str, about: str) -> Mutant:
    control = name.partition(" ")[0]
    return off(
        name, about, without("decisions.gateway.account_controls:ACCOUNT_CONTROLS", lambda row: row[0] == control)
    )


MUTANTS: Final = (
    _without_control("E1", "no limit on the quantity and the money of an order"),
    off(
        "E1 repairs",
        "a limit that was lowered keeps repairs back, because they are not cut",
        returns("decisions.orders.sizing:largest_repair", "instrument.max_order_qty"),
    ),
    _without_control("E2", "no price collar, no fresh reference"),
    off(
        "E3",
        "an id may mean another order, and every copy leaves",
        edit(
            "decisions.gateway.controls:Controls.judge",
            ("if contradiction:", "if False:"),
            ("if ledger.knows(order.client_order_id) and not order.resend:", "if False:"),
        ),
    ),
    _without_control("E4", "orders leave whatever the session's phase is"),
    _without_control("E5", "no limit on the number of open orders"),
    _without_account_control("E5 account", "no limit on what is short and on the money of working entries"),
    off(
        "E5 changes",
        "a change in place is judged by the order alone",
        returns("actors.account_door:AccountDoor.forbids_change", "''"),
    ),
    off(
        "E12 terms",
        "an order counts with its first terms for ever",
        edit("decisions.gateway.ledger:_follow_terms", ("terms_of(asked), report.ts_ns, None", "known.terms, 0, None")),
    ),
    off(
        "E5 asked",
        "what a change on its way may add does not count",
        edit("decisions.gateway.ledger:Ledger.changing", ("known.asked = change", "pass")),
    ),
    _without_control("E6", "children may exceed their parent"),
    off("E7", "no tokens are reserved", returns("decisions.gateway.lanes:Lanes._limit", "self._tokens")),
    off("E7 pace", "nothing is paced at all", returns("decisions.gateway.lanes:Lanes._limit", "10**9")),
    off(
        "E7 own",
        "the cancels that controls make by themselves do not wait for a token",
        edit("actors.order_door:OrderDoor.ask_cancel", ("self._line_up(", "self.adapter.cancel(")),
    ),
    off(
        "E7 queries",
        "what is asked costs no token",
        edit("actors.order_door:OrderDoor._ask", ("self.lanes.spend(now)", "pass")),
    ),
    off(
        "E7 flood",
        "questions may take the reserve",
        edit(
            "decisions.gateway.lanes:Lanes.next_query",
            ("self._tokens if first else self._entry_tokens", "self._tokens"),
        ),
    ),
    off(
        "E7 poll",
        "nothing is asked while repairs take every token",
        returns("decisions.gateway.lanes:Lanes._presses_ms", "10**18"),
    ),
    off(
        "E7 crossings",
        "a repair that waited for a crossing leaves without a token",
        edit("actors.order_door:OrderDoor.let_out", ("if not self.lanes.free(lane_of(held), now):", "if False:")),
    ),
    off(
        "E7 restart",
        "a gateway that is started again has all its tokens",
        returns("brokers.wire_record:WireRecord.left_ms", "[]"),
    ),
    off(
        "E8 strategy",
        "a strategy may be applied as often as it likes",
        returns("actors.strategy_throttle:StrategyThrottle.forbids", "''"),
    ),
    off(
        "E8 applications",
        "how often a strategy was applied is forgotten by a restart",
        edit("decisions.gateway.standing:Standing.beginning", ("self._last.items()", "().__iter__()")),
    ),
    off(
        "E8 working",
        "what works of a disabled entry is canceled at most once",
        edit("actors.order_door:OrderDoor.stop_repeated", (" or again", "")),
    ),
    _without_account_control("E8", "what repeats itself is not disabled"),
    off(
        "E8 memory",
        "it is enabled again by a restart",
        returns("decisions.gateway.standing:Standing.disabled", NOTHING),
    ),
    _without_control("E9", "the controls let entries out although the kill switch is on"),
    off(
        "E9 state",
        "the kill switch asks for no trading state",
        edit("actors.trading:Trading.asked", ("state is TradingState.ACTIVE and self.killed", "False")),
    ),
    off(
        "E10",
        "an override never ends",
        edit("decisions.gateway.standing:Standing.override", ("and now_ns < record.until_ns", "")),
    ),
    off("E10 authority", "anybody may override", returns("actors.operating:Operator._may_not_override", "''")),
    off(
        "E10 hard",
        "even hard controls can be overridden",
        edit("actors.operating:Operator._may_not_override", ("command.control not in SOFT", "False")),
    ),
    off("E11", "the day's loss stops nothing", returns("actors.account_watch:AccountWatch._stop", NOTHING)),
    off(
        "E11 day",
        "a day is one of UTC, whatever the exchange's is",
        edit("domain.calendar:day_at", ("day = calendar.day(", "calendar = AlwaysOpen(); day = calendar.day(")),
    ),
    off("E12", "two own orders may trade with each other", returns("actors.crossings:Crossings.in_the_way", "[]")),
    off(
        "E13",
        "a gateway that comes back leaves entries that may not work",
        edit("actors.trading:Trading.on_snapshot", ("self.stops_entries", "False")),
    ),
    off(
        "E14",
        "the reconciler finds nothing",
        edit(
            "decisions.positions.reconciler:Reconciler.look",
            ("if snapshot.session == self._session and snapshot.as_of_ns <= self._last_ns:", "if True:"),
        ),
    ),
    off(
        "E14 start",
        "what changed while nobody looked holds nothing back",
        returns("actors.start_check:StartCheck.reason", "''"),
    ),
    off(
        "E15",
        "the gateway remembers nothing of what it decided",
        returns("actors.control_log:ControlLog.record", NOTHING),
    ),
    off(
        "E15 chain",
        "a changed log looks like any other",
        returns("storage.log:StoredTurn.continues", "True"),
    ),
    off(
        "E15 export",
        "the export leaves records out",
        edit(
            "storage.export:export",
            ("for record in turn.records() or (None,):", "for record in (turn.records() or (None,))[:1]:"),
        ),
    ),
    off(
        "E16",
        "a process of another version starts",
        edit("actors.process:ProcessActor._start", ("message.version != PROTOCOL", "False")),
    ),
    off(
        "E16 hello",
        "a cell of another version is heard",
        returns("actors.gateway:BrokerGateway.speaks_otherwise", "False"),
    ),
    _without_control("E17", "no lots, ticks, freeze quantities, expiries"),
    off("E18", "an alert that nobody sees stops nothing", returns("decisions.alerts:freezes_ns", "FOREVER_NS")),
    off(
        "E18 others",
        "an alert that nobody sees stops only the cell that keeps it",
        returns("actors.fan_out:FanOut.frozen_by", "[]"),
    ),
    off("E19", "no day is ever closed", returns("actors.reconciler:PositionReconciler.close_day", "()")),
    _without_account_control("E20", "no cap on margin and premium"),
    off("E20 naked", "no cap on the naked window", returns("actors.account_watch:AccountWatch.naked_too_long", "''")),
    off(
        "E4 cell",
        "a cell does not know the session",
        edit("decisions.gate:Gate.shut_by", ("bool(self.market)", "False")),
    ),
    off("E9 working", "entries that work go on after a kill", returns("actors.trading:Trading.stop_entries", "0")),
    off(
        "E12 repair",
        "a repair does not wait for the entry in its way",
        returns("actors.account_door:AccountDoor.holds_back", "False"),
    ),
    off(
        "E20 premium",
        "no cap on premium",
        without("decisions.gateway.account_controls:ACCOUNT_CONTROLS", lambda row: row[1].__name__ == "_premium"),
    ),
    off(
        "E20 margin",
        "no cap on margin",
        without("decisions.gateway.account_controls:ACCOUNT_CONTROLS", lambda row: row[1].__name__ == "_margin"),
    ),
    off(
        "E8 memory of fills",
        "what traded before a restart is not counted",
        edit("actors.account_watch:AccountWatch.load", ("self._count(fill)", "pass")),
    ),
    off("E13 exchange", "entries of a client that is gone work on", returns("venue.dead_man:DeadMan.due", "iter(())")),
)
