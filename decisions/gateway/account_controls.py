"""The gateway's limits on the account as a whole (E5, E8, E20), and what a halt still lets out.

They come after the limits on single orders (decisions/gateway/controls.py), and judge by the account and by all of our
orders that may still trade: an order that leaves counts from that moment on, so that two cells cannot both use what is
there once.  Repairs are spared, apart from the halt: a missing hedge is worse than a limit passed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final, NamedTuple

from config.schema import ControlsConfig
from decisions.gateway.account import Account
from decisions.gateway.account_margin import needed
from decisions.gateway.repeats import subject_of
from decisions.gateway.standing import Standing
from decisions.gateway.working_book import WorkingBook
from domain.execution import Side
from domain.money import PRICE_SCALE, to_decimal
from domain.trading import TradingState
from messages.orders import SubmitOrder


class Accounted(NamedTuple):
    """One order and everything that it is judged by.  ``ask``: a unit's price in the market; 0 when nobody can say."""

    order: SubmitOrder
    ask: Callable[[str], int]
    account: Account
    book: WorkingBook
    standing: Standing
    config: ControlsConfig
    now_ns: int

    @property
    def cost(self) -> int:
        """What the order may cost (an amount)."""
        price = self.order.price or self.ask(self.order.symbol)
        return self.order.quantity * price * self.account.multiplier(self.order.symbol)

    def working(self, *sides: Side) -> int:
        """What all entries on these sides that work may cost (an amount); a market order costs what it would now."""
        return sum(
            self.book.entry_cost(symbol, side, self.ask(symbol)) * self.account.multiplier(symbol)
            for symbol in self.book.symbols()
            for side in sides
        )


def halted(order: SubmitOrder, account: Account, book: WorkingBook, state: TradingState) -> str:
    """Why a repair may not leave while everything is halted: only what the broker's positions prove to reduce may."""
    if state is not TradingState.HALTED:
        return ""
    if not account.known:
        return "trading-state: halted, and the broker's positions are not known, so that nothing is proven to reduce"
    held = account.positions[order.symbol]
    working = sum(w.live_qty for w in book.of(order.symbol) if w.side is order.side)
    mine = sum(w.live_qty for w in book.of(order.symbol) if w.client_order_id == order.client_order_id)
    free = max(0, -order.side.sign * held) - (working - mine)
    if order.quantity <= free:
        return ""
    return (
        f"trading-state: halted, and {order.quantity} units {order.side.value} do not reduce the {held} of "
        f"{order.symbol} that the broker holds: {max(0, free)} would"
    )


def refusal(case: Accounted, overridden: Callable[[str], bool]) -> str:
    """Why an entry may not leave, beginning with the control's name; "" when it may.

    ``overridden`` says whether a soft control is to let this order pass, and notes that it did.
    """
    for name, check in ACCOUNT_CONTROLS:
        problem = check(case)
        if problem and not overridden(name):
            return f"{name}: {problem}"
    return ""


def _repeated(case: Accounted) -> str:
    record = case.standing.disabled(subject_of(case.order.symbol, case.order.side))
    if record is None:
        return ""
    return f"{record.subject} is disabled: {record.text}; 'controls enable' ends that"


def _short_units(case: Accounted) -> str:
    order, account, book = case.order, case.account, case.book
    if order.side is Side.BUY:
        return ""
    short: Counter[str] = Counter()
    for symbol in account.positions.keys() | set(book.symbols()):
        units = max(0, book.entry_qty(symbol, Side.SELL) - account.positions[symbol])
        short[account.underlying(symbol)] += units
    underlying = account.underlying(order.symbol)
    left = max(0, account.positions[order.symbol] - book.entry_qty(order.symbol, Side.SELL))  # for nobody's sale yet
    more = max(0, order.quantity - left)
    for what, there, most, key in (
        (underlying, short[underlying], case.config.max_short_units_underlying, "max_short_units_underlying"),
        ("the account", short.total(), case.config.max_short_units, "max_short_units"),
    ):
        if there + more > most:
            return f"{there} units of {what} are short or being sold; {more} more are beyond controls.{key} = {most}"
    return ""


def _working_notional(case: Accounted) -> str:
    there, more = case.working(*Side), case.cost
    most = case.config.max_working_notional * PRICE_SCALE
    if there + more <= most:
        return ""
    return (
        f"entries of {_money(there)} work; {_money(more)} more are beyond "
        f"controls.max_working_notional = {case.config.max_working_notional}"
    )


def _premium(case: Accounted) -> str:
    account, cost = case.account, case.cost
    if case.order.side is Side.SELL:
        return ""
    if cost > case.config.max_order_premium * PRICE_SCALE:
        return f"a premium of {_money(cost)} is beyond controls.max_order_premium = {case.config.max_order_premium}"
    paid = account.premium_paid(account.day(case.now_ns)) + case.working(Side.BUY)
    if paid + cost <= case.config.max_day_premium * PRICE_SCALE:
        return ""
    return (
        f"{_money(paid)} of premium are paid or being paid today; {_money(cost)} more are beyond "
        f"controls.max_day_premium = {case.config.max_day_premium}"
    )


def _margin(case: Accounted) -> str:
    order, account, book = case.order, case.account, case.book
    if account.funds is None:
        return "the broker has not told the account's funds yet"
    before = needed(account.held_at_funds, account.instruments)
    held = Counter(account.positions)
    for symbol in book.symbols():
        held[symbol] -= book.entry_qty(symbol, Side.SELL)
    if order.side is Side.SELL:
        held[order.symbol] -= order.quantity
    use = account.funds.used + max(0, needed(held, account.instruments) - before)
    total = account.funds.available + account.funds.used
    if use <= total * case.config.max_margin_use_pct / 100:
        return ""
    return (
        f"margin of {_money(use)} would be in use of funds of {_money(total)}: more than "
        f"controls.max_margin_use_pct = {case.config.max_margin_use_pct:g}; of it, the broker counts "
        f"{_money(account.funds.used)}, and the rest has left since"
    )


def _money(amount: int) -> str:
    return f"{to_decimal(amount):.2f}"


ACCOUNT_CONTROLS: Final = (
    ("E8", _repeated),
    ("E5", _short_units),
    ("E5", _working_notional),
    ("E20", _premium),
    ("E20", _margin),
)
