"""The gateway's hard limits on every single order, whatever the caller says (E1, E2, E3, E4, E5, E6, E9, E17).

One table, walked from the top; the first control that refuses ends it.  An order is judged when it leaves its lane, not
when it comes in, and the ledger is told at once, so that two orders can never both use what only one may.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from config.schema import ControlsConfig
from decisions.gateway.ledger import Ledger
from decisions.gateway.session import MarketHours, entry_refusal, repair_refusal, restriction
from decisions.orders.sizing import collar, fresh_mid, notional
from domain.calendar import Calendar, Phase, Standing, has_expired
from domain.execution import OrdType
from domain.instruments import Instrument
from domain.money import PRICE_SCALE, to_decimal
from domain.quotes import Quote
from messages.orders import ModifyOrder, SubmitOrder

MALFORMED = "malformed: "  # no override makes sense of it (E10)
PACED = "E7"  # applied by the lanes, through which every order has come (decisions/gateway/lanes.py)


class Judgement(msgspec.Struct, frozen=True):
    """Whether an order may leave.  ``checks``: the controls that were applied, in order, with what could not be seen.

    ``duplicate``: it is at the broker already, or on its way there; it is neither to be sent nor to be refused.
    """

    allowed: bool
    reason: str = ""  # "E6: …", why it is refused and what would be right
    checks: str = ""
    duplicate: bool = False


class Finding(NamedTuple):
    """What one control says: refused because of ``text``, or passed, with ``text`` as a note."""

    passed: bool
    text: str = ""


PASSED: Final = Finding(True)
NO_REFERENCE: Final = Finding(True, "no reference")


def changed(order: SubmitOrder, change: ModifyOrder) -> SubmitOrder:
    """The order as a change in place would make it."""
    return replace(
        order,
        order_type=change.order_type,
        quantity=change.quantity,
        price=change.price,
        trigger_price=change.trigger_price,
    )


class Case(NamedTuple):
    """One order and everything that it is judged by."""

    order: SubmitOrder
    instrument: Instrument
    reference: int  # the mid of a usable, fresh quote; 0 when there is none
    ledger: Ledger
    limits: Limits
    now_ns: int
    killed: bool
    market: Standing
    calendar: Calendar


class Limits:
    """The configured limits in the units of orders: prices and amounts in ten-thousandths, ages in nanoseconds."""

    def __init__(self, config: ControlsConfig) -> None:
        self.max_order_qty = config.max_order_qty
        self.max_notional = config.max_order_notional * PRICE_SCALE
        self.max_open_orders = config.max_open_orders
        self.restricted = config.restricted
        self.reference_max_age_ms = config.reference_max_age_ms
        self.config = config


class Controls:
    """Judges orders one by one; it remembers the limits and the instruments, and nothing else."""

    def __init__(self, config: ControlsConfig, calendar: str = "always") -> None:
        self.hours = MarketHours(calendar)
        self._limits = Limits(config)
        self._instruments: dict[str, Instrument] = {}
        self.overridden: Callable[[str, SubmitOrder], bool] = lambda _name, _order: False  # E10

    def learn(self, instruments: Iterable[Instrument]) -> None:
        """From now on these are all the instruments that there are."""
        self._instruments = {instrument.symbol: instrument for instrument in instruments}

    def judge(
        self, order: SubmitOrder, quotes: Mapping[str, Quote], ledger: Ledger, *, now_ns: int, killed: bool
    ) -> Judgement:
        """Whether ``order`` may leave now.  ``now_ns`` is the broker's clock; ``killed``: the kill switch is on."""
        checks = [PACED, "E3"]
        contradiction = ledger.contradiction(order)
        if contradiction:
            text = f"E3: {order.client_order_id} is another order already: {contradiction}"
            return Judgement(False, text, " ".join(checks))
        if ledger.knows(order.client_order_id) and not order.resend:
            return Judgement(False, checks=" ".join(checks), duplicate=True)
        return self._walk(order, checks, quotes, ledger, now_ns=now_ns, killed=killed)

    def judge_change(
        self, change: ModifyOrder, quotes: Mapping[str, Quote], ledger: Ledger, *, now_ns: int, killed: bool
    ) -> Judgement:
        """Whether an order may be changed in place: its new terms pass what a new order with them would (E1 to E6).

        An order whose first terms this incarnation does not know cannot be judged, and so is not changed.
        """
        order = ledger.payload(change.client_order_id)
        if order is None:
            return Judgement(False, f"E3: {change.client_order_id} was not sent by this gateway; cancel it instead")
        return self._walk(changed(order, change), [PACED, "E3"], quotes, ledger, now_ns=now_ns, killed=killed)

    def _walk(
        self,
        order: SubmitOrder,
        checks: list[str],
        quotes: Mapping[str, Quote],
        ledger: Ledger,
        *,
        now_ns: int,
        killed: bool,
    ) -> Judgement:
        instrument = self._instruments.get(order.symbol)
        if instrument is None:
            text = f"E17: {order.symbol!r} is not an instrument of this broker; refresh the instrument list"
            return Judgement(False, text, " ".join([*checks, "E17"]))
        reference = fresh_mid(quotes.get(order.symbol), now_ns, self._limits.reference_max_age_ms)
        market, dates = self.hours.at(now_ns), self.hours.calendar
        case = Case(order, instrument, reference, ledger, self._limits, now_ns, killed, market, dates)
        for control in CONTROLS:
            if control.spares_repairs and order.reduce_only:
                continue
            passed, text = control.check(case)
            checks.append(f"{control.name} {text}" if passed and text else control.name)
            if not passed and not text.startswith(MALFORMED) and self.overridden(control.name, order):
                checks.append("overridden")
            elif not passed:
                return Judgement(False, f"{control.name}: {text}", " ".join(checks))
        return Judgement(True, checks=" ".join(checks))


def _kill_switch(case: Case) -> Finding:
    return Finding(False, "the kill switch is on") if case.killed else PASSED


def _session(case: Case) -> Finding:
    refusal = (repair_refusal if case.order.reduce_only else entry_refusal)(case.market)
    if refusal:
        return Finding(False, refusal)
    return Finding(True, "session unknown") if case.market.phase is Phase.UNKNOWN else PASSED


def _tradable(case: Case) -> Finding:
    order, instrument = case.order, case.instrument
    symbol, lot, tick, quantity = instrument.symbol, instrument.lot_size, instrument.tick_size, order.quantity
    if min(lot, tick, instrument.multiplier) <= 0:
        return Finding(
            False, f"{symbol}: lot {lot}, tick {tick} and multiplier {instrument.multiplier} must be positive"
        )
    if has_expired(case.calendar, instrument.expiry, case.now_ns):
        return Finding(False, f"{symbol} expired on {instrument.expiry}")
    barred = "" if order.reduce_only else restriction(instrument, case.limits.restricted)
    if barred:
        return Finding(False, barred)
    if quantity <= 0:
        return Finding(False, f"a quantity of {quantity} is nothing to order")
    if quantity % lot:
        return Finding(False, f"{quantity} units are not whole lots of {lot}")
    if instrument.freeze_qty is None:
        return Finding(False, f"{symbol}: the freeze quantity is not known, so no order may be sent")
    if quantity > instrument.max_order_qty:
        return Finding(False, f"{quantity} units are more than one order may carry: {instrument.max_order_qty}")
    for what, price in (("price", order.price), ("trigger price", order.trigger_price)):
        if price % tick:
            return Finding(False, f"{what} {to_decimal(price)} is off the tick of {to_decimal(tick)}")
    return PASSED


def _collar(case: Case) -> Finding:
    shape = _wrong_prices(case.order)
    if shape:
        return Finding(False, MALFORMED + shape)
    if case.order.order_type is OrdType.STOP_LIMIT:
        return _stop_collar(case)
    if case.reference == 0:
        if case.order.reduce_only:
            return NO_REFERENCE  # a missing hedge is worse than one at a price that nobody can judge
        return Finding(False, f"no usable, fresh quote of {case.order.symbol} to judge the price by")
    if case.order.order_type is OrdType.MARKET:
        return PASSED
    return _within(case, "price", case.order.price, "the mid", case.reference)


def _stop_collar(case: Case) -> Finding:
    price, trigger = case.order.price, case.order.trigger_price
    if case.order.side.sign * (price - trigger) < 0:
        side = case.order.side.value
        text = f"the execution price {to_decimal(price)} of a {side} stop is short of its trigger {to_decimal(trigger)}"
        return Finding(False, text)
    return _within(case, "execution price", price, "its trigger", trigger)


def _within(case: Case, what: str, price: int, whose: str, reference: int) -> Finding:
    """Only the direction that costs money is bounded: above for a buy, below for a sell."""
    beyond = collar(reference, case.limits.config)
    if case.order.side.sign * (price - reference) <= beyond:
        return PASSED
    side, far = case.order.side.value, f"{to_decimal(beyond)} beyond {whose} {to_decimal(reference)}"
    return Finding(False, f"{side} {what} {to_decimal(price)} is more than {far}")


# order type -> whether it carries a price, and a trigger price
_CARRIES: Final = {OrdType.MARKET: (False, False), OrdType.LIMIT: (True, False), OrdType.STOP_LIMIT: (True, True)}


def _wrong_prices(order: SubmitOrder) -> str:
    for what, price, carried in zip(
        ("price", "trigger price"), (order.price, order.trigger_price), _CARRIES[order.order_type], strict=True
    ):
        if carried and price <= 0:
            return f"{what} {to_decimal(price)} is not positive"
        if not carried and price != 0:
            return f"a {order.order_type.value} order carries no {what}, and this one has {to_decimal(price)}"
    return ""


def _size(case: Case) -> Finding:
    """Of repairs too: a cell cuts them to this (decisions/orders/sizing.py)."""
    order, limits = case.order, case.limits
    if order.quantity > limits.max_order_qty:
        return Finding(False, f"{order.quantity} units are more than controls.max_order_qty = {limits.max_order_qty}")
    worth = notional(order.price or case.reference, order.quantity, case.instrument)
    if worth > limits.max_notional:
        most = to_decimal(limits.max_notional)
        return Finding(False, f"{to_decimal(worth):f} is more than controls.max_order_notional = {most:f}")
    return PASSED if worth else NO_REFERENCE


def _parent(case: Case) -> Finding:
    order = case.order
    committed = case.ledger.committed(order.parent_id)
    more = max(0, order.quantity - case.ledger.committed_by(order.client_order_id))  # a resend is counted already
    if committed + more <= order.parent_qty:
        return PASSED
    return Finding(False, f"{committed} of {order.parent_qty} units of {order.parent_id} are committed; {more} more")


def _working(case: Case) -> Finding:
    others = case.ledger.live_orders - case.ledger.may_trade(case.order.client_order_id)  # a change adds none
    working, most = others, case.limits.max_open_orders
    return PASSED if working < most else Finding(False, f"{working} orders are open; controls.max_open_orders = {most}")


class Control(NamedTuple):
    """One row.  ``spares_repairs``: why it is not applied to reduce-only orders; "" when it is applied to all."""

    name: str
    check: Callable[[Case], Finding]
    spares_repairs: str = ""


CONTROLS: Final = (  # E3 comes before them all: a copy of a live order must never be answered as refused
    Control("E9", _kill_switch, "it stops new risk, and a repair ends risk"),
    Control("E4", _session),
    Control("E17", _tradable),
    Control("E2", _collar),
    Control("E1", _size),
    Control("E6", _parent),
    Control("E5", _working, "too many open orders must not leave a position without its hedge"),
)
