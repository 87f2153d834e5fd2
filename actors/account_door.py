"""What the gateway says against an order beyond the limits on the order itself: account, crossings, overrides."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from msgspec.structs import replace

from actors.account_watch import AccountWatch
from actors.control_log import ControlLog
from actors.crossings import Crossings
from actors.fan_out import FanOut
from actors.strategy_throttle import StrategyThrottle
from config.schema import ControlsConfig
from decisions.gateway.account_controls import Accounted, halted, refusal
from decisions.gateway.controls import changed
from decisions.gateway.ledger import Ledger, terms_of
from decisions.gateway.repeats import subject_of
from decisions.gateway.standing import SOFT
from decisions.gateway.working_book import Working
from domain.calendar import Calendar
from domain.groups import group_part
from domain.quotes import Quote
from domain.trading import TradingState
from messages.controls import TradingStateChanged
from messages.orders import ModifyOrder, SubmitOrder
from messages.records import ControlAction, ControlRecord
from monitoring.measures import Measures


class AccountDoor:
    """The account's part in judging orders.  ``trading``: the state in force; every word is journaled."""

    def __init__(
        self,
        config: ControlsConfig,
        memory: ControlLog,
        ledger: Ledger,
        cells: FanOut,
        measures: Measures,
        crossings: Crossings,
        calendar: Calendar,
        strategies: frozenset[str],
    ) -> None:
        self.config, self.memory, self.ledger, self.cells = config, memory, ledger, cells
        self.measures, self.crossings = measures, crossings
        self.watch = AccountWatch(config, memory, cells, measures, calendar)
        self.throttle = StrategyThrottle(config, strategies, memory, cells, measures)
        self.trading = TradingStateChanged(TradingState.ACTIVE, "")

    def forbids(self, order: SubmitOrder, now_ns: int) -> str:
        """What the trading state and the account's limits say against it; "" for nothing.

        What is sent again was judged, and counts, where it may trade already.  Elsewhere a restart may have kept it
        from ever leaving: it is judged as if it were new.
        """
        account, book = self.watch.account, self.ledger.book
        if order.reduce_only:
            return halted(order, account, book, self.trading.state)
        if self.trading.state is not TradingState.ACTIVE:
            return self.trading.reason
        naked = self.watch.naked_too_long(now_ns)
        if naked and not self.overridden("E20", order, now_ns):
            return naked
        if book.has(order.client_order_id):
            return ""
        crossing = self.crossings.in_the_way(order)
        if crossing and not self.overridden("E12", order, now_ns):
            return f"E12: it could trade with our own working order {crossing[0].client_order_id}"
        throttled = self.throttle.forbids(order, now_ns)
        if throttled:
            return throttled
        case = Accounted(
            order, partial(_ask, self.cells.quotes), account, book, self.memory.standing, self.config, now_ns
        )
        with book.without(order.client_order_id):
            return refusal(case, lambda control: self.overridden(control, order, now_ns))

    def forbids_change(self, change: ModifyOrder, now_ns: int) -> str:
        """What they say against a change in place: what a new order with its terms would hear; "" for nothing.

        Only less of the same is never refused.  A repair whose new terms could meet an order of ours is sent back, to
        be canceled and placed again, because an order waits at this door for a crossing, and a change does not.
        """
        order_id, payload = change.client_order_id, self.ledger.payload(change.client_order_id)
        stands = self.ledger.as_it_stands(order_id)
        if payload is None or (stands and terms_of(stands) == terms_of(change) and change.quantity <= stands.quantity):
            return ""
        left = change.quantity - self.ledger.filled(order_id)
        order = replace(changed(payload, change), quantity=left, resend=False)
        with self.ledger.book.without(order_id):
            problem = self.forbids(order, now_ns)
            crossing = self.crossings.in_the_way(order) if order.reduce_only and not problem else []
        if crossing:
            return f"E12: it could trade with our own working order {crossing[0].client_order_id}"
        return problem

    def holds_back(self, order: SubmitOrder, now_ns: int) -> bool:
        """Whether a repair waits until our own order on the other side is gone (E12)."""
        crossing = self.crossings.in_the_way(order) if order.reduce_only else []
        if not crossing:
            self.crossings.drop(lambda held: held.client_order_id == order.client_order_id)
            return False
        if not self.crossings.holds(order.client_order_id):
            self.measures.add("control_actions_total", control="E12")
            text = f"E12: waits until our own order {crossing[0].client_order_id} is gone"
            self.remember(f"held/{order.client_order_id}", "E12", ControlAction.SENT_BACK, order, text, now_ns)
        return self.crossings.hold(order, crossing)

    def overridden(self, control: str, order: SubmitOrder, now_ns: int) -> bool:
        """Whether a person lets this soft control pass (E10); every use is journaled."""
        granted = self.memory.standing.override(control, order.symbol, now_ns) if control in SOFT else None
        if granted is None:
            return False
        self.measures.add("control_actions_total", control="E10")
        subject, text = f"use/{order.client_order_id}/{control}", f"{control} let it pass: {granted.text}"
        self.remember(subject, "E10", ControlAction.USED, order, text, now_ns, by=granted.by)
        return True

    def disabled_entries(self) -> list[Working]:
        """Entries that work although the repeated-execution throttle has disabled them (E8)."""
        standing, tags = self.memory.standing, self.throttle.disabled_tags()
        if not standing.all_disabled():
            return []
        return [
            working
            for symbol in self.ledger.book.symbols()
            for working in self.ledger.book.of(symbol)
            if working.is_entry
            and (standing.disabled(subject_of(symbol, working.side)) or group_part(working.client_order_id) in tags)
        ]

    @property
    def newly_disabled(self) -> bool:
        """Whether something was, since this was last asked."""
        found = self.watch.disabled or self.throttle.disabled
        self.watch.disabled = self.throttle.disabled = False
        return found

    def remember(
        self,
        subject: str,
        control: str,
        action: ControlAction,
        order: SubmitOrder | None,
        text: str,
        now_ns: int,
        *,
        by: str = "",
    ) -> None:
        """Journal a decision about an order, where it is known."""
        self.memory.record(
            ControlRecord(
                subject=subject,
                control=control,
                action=action,
                group_id=order.group_id if order else "",
                symbol=order.symbol if order else "",
                quantity=order.quantity if order else 0,
                amount=order.price if order else 0,
                text=text,
                by=by,
                at_ns=now_ns,
            )
        )


def _ask(quotes: Mapping[str, Quote], symbol: str) -> int:
    quote = quotes.get(symbol)
    return quote.ask if quote is not None else 0
