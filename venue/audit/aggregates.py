"""E5 and E20: what all that works adds up to, at each order and each change of one that takes new risk.

Whoever sent it may have known of more than the exchange shows when it arrives, never of less: fills that he had not
heard of are units that seemed to work still.  So each sum here is the least that he can have seen, and what he may not
have heard of, such as a bust, a late fill or a sale of another cell's, is counted in his favour.  Of what left in the
same instant before it he had heard nothing at all: all of it counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from heapq import merge
from operator import itemgetter
from typing import NamedTuple

from domain.calendar import calendar, day_at
from domain.execution import Side
from domain.instruments import Instrument
from domain.money import PRICE_SCALE
from venue.audit.authority import is_entry
from venue.audit.cases import Case, case_of, let_pass
from venue.audit.evidence import Bounds, Evidence, Finding
from venue.audit.journal import Intent
from venue.audit.orders import Order, Step, is_ours
from venue.audit.working import Book, Working, taken


class Account:
    """What was bought and sold by a moment of the record, in new risk's favour."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._days = calendar(evidence.wire.starts[0].calendar if evidence.wire.starts else "always")
        histories = ([(step.seq, order, step) for step in order.steps] for order in evidence.record.orders)
        self._steps = list(merge(*histories, key=itemgetter(0)))[::-1]
        self._came = sorted((m.ts_ns, m.symbol, m.last_qty or 0) for m in evidence.record.movements if m.side == "buy")
        self._came.reverse()
        self.bought: Counter[str] = Counter()  # with what came without an order; never what was taken back
        self.opened: Counter[str] = Counter()  # what entries have sold
        self._left: dict[str, list[tuple[Order, Step]]] = {}  # what repairs have sold, by symbol
        self._premium: dict[int, dict[Order, int]] = {}  # by the beginning of the day: what entries at limits paid
        self._market: dict[int, list[tuple[Order, Step, int]]] = {}  # the same of those at the market, fill by fill
        self._paid: dict[Order, int] = {}

    def go(self, now: Step) -> None:
        """On to this event."""
        while self._steps and self._steps[-1][0] <= now.seq:
            _, order, step = self._steps.pop()
            self._follow(order, step)
        while self._came and self._came[-1][0] <= now.ts_ns:
            _, symbol, units = self._came.pop()
            self.bought[symbol] += units

    def _follow(self, order: Order, step: Step) -> None:
        symbol, entry, ours = order.terms.symbol, is_entry(order.client_order_id), is_ours(order.client_order_id)
        paid, self._paid[order] = step.paid - self._paid.get(order, 0), step.paid
        if order.side is Side.BUY:
            self.bought[symbol] += max(0, step.d_filled)
            if entry and not order.received.nameless and step.d_filled:
                self._pay(order, step, paid if not step.surprise else min(0, paid))
        elif entry:
            self.opened[symbol] += step.d_filled if not step.surprise else min(0, step.d_filled)
        elif ours and step.d_filled > 0:
            self._left.setdefault(symbol, []).append((order, step))

    def _pay(self, order: Order, step: Step, amount: int) -> None:
        day_ns = day_at(self._days, step.ts_ns).start_ns
        if order.terms.price:
            today = self._premium.setdefault(day_ns, {})
            today[order] = today.get(order, 0) + amount
        else:
            self._market.setdefault(day_ns, []).append((order, step, amount))

    def held(self, symbol: str, intent: Intent | None) -> int:
        """The most that can have been taken to be held, short entries apart: without what the cell that decided this
        intent had heard that repairs had sold."""
        sold = sum(step.d_filled for order, step in self._left.get(symbol, ()) if self._knew(intent, order, step))
        return self.bought[symbol] - sold

    def premium(self, at_ns: int, intent: Intent | None) -> Counter[Order]:
        """What entries have paid on the day of this time: units times prices, before the multiplier.

        Until a fill is heard of, a limit order seems to work at no lower price; a market order, at whatever is asked.
        """
        day_ns = day_at(self._days, at_ns).start_ns
        found = Counter(self._premium.get(day_ns, {}))
        for order, step, amount in self._market.get(day_ns, ()):
            if self._knew(intent, order, step):
                found[order] += amount
        return found

    def _knew(self, intent: Intent | None, order: Order, step: Step) -> bool:
        """Whether the cell that decided this had heard of the fill by then: of another's nobody can say."""
        other = self._evidence.intent(order)
        if intent is None or other is None or other.cell != intent.cell:
            return False
        return self._evidence.journal.knew(order.client_order_id, step, intent.position)


class Sums(NamedTuple):
    """One order or change that takes new risk, and what works beside it.  ``together``: what left just before it."""

    asked: Working
    together: dict[Order, Case]
    case: Case
    book: Book
    account: Account
    intent: Intent | None
    instruments: dict[str, Instrument]


def aggregates(found: Finding, evidence: Evidence, bounds: Bounds) -> Counter[str]:
    """How often each control was judged.

    An entry that others overtook, as one that is sent again, was judged before they left, and is not judged here.
    """
    judged: Counter[str] = Counter()
    account, furthest = Account(evidence), -1
    instruments = {leg.instrument.symbol: leg.instrument for group in evidence.groups for leg in group.group.legs}
    left = _left_together(evidence, bounds)
    for now in taken(evidence):
        overtaken, furthest = now.asked.left.place < furthest, max(furthest, now.asked.left.place)
        account.go(now.asked.step)
        order = now.asked.order
        case = case_of(evidence, order, bounds) if is_entry(order.client_order_id) and not overtaken else None
        if case is None:
            continue
        line, place = now.asked.left.line, now.asked.left.place
        together = {one.order: one for before, one in left.get((line.pid, line.host_ns), ()) if before < place}
        sums = Sums(now.asked, together, case, now.book, account, evidence.intent(order), instruments)
        for name, check in _AGGREGATES:
            judged[name] += 1
            wrong = check(sums)
            if wrong and not let_pass(evidence, order, name):
                found.problems.append(f"{order.client_order_id}: {name}: {wrong}, at {now.asked.step.ts_ns}")
    return judged


def _left_together(evidence: Evidence, bounds: Bounds) -> dict[tuple[int, int], list[tuple[int, Case]]]:
    """The orders that each gateway sent in one instant of its machine, with their places in the wire record."""
    orders = {order.client_order_id: order for order in reversed(evidence.ours)}
    found: dict[tuple[int, int], list[tuple[int, Case]]] = {}
    for place, line in enumerate(evidence.wire.lines):
        order = orders.get(line.client_order_id) if line.kind == "submit" else None
        if order is not None and evidence.wire.submits[line.client_order_id][0] is line:
            case = case_of(evidence, order, bounds)
            if case is not None:
                found.setdefault((line.pid, line.host_ns), []).append((place, case))
    return found


def _open_orders(sums: Sums) -> str:
    most = sums.case.limits["max_open_orders"]
    others = len({sums.asked.order, *sums.together, *(working.order for working in sums.book.all())}) - 1
    return f"{others} orders of ours work; expected fewer than {most}" if others >= most else ""


def _short_units(sums: Sums) -> str:
    if sums.asked.side is Side.BUY:
        return ""
    short: Counter[str] = Counter()
    selling = Counter(sums.account.opened)
    for working in _entries(sums, Side.SELL):
        selling[working.terms.symbol] += working.step.open
    for symbol, units in selling.items():
        short[_underlying(sums, symbol)] += max(0, units - sums.account.held(symbol, sums.intent))
    of = _underlying(sums, sums.asked.terms.symbol)
    for what, units, key in (
        (of, short[of], "max_short_units_underlying"),
        ("the account", short.total(), "max_short_units"),
    ):
        if units > sums.case.limits[key]:
            return f"{units} units of {what} are short or being sold; expected at most {sums.case.limits[key]}"
    return ""


def _notional(sums: Sums) -> str:
    worth = _cost(sums, Side.BUY) + _cost(sums, Side.SELL)
    return _beyond(worth, sums.case.limits["max_working_notional"], "of entries work")


def _premium(sums: Sums) -> str:
    if sums.asked.side is Side.SELL:
        return ""
    limits, own = sums.case.limits, _own_cost(sums)
    today = sums.account.premium(sums.case.left.ts_ns, sums.intent)
    paid = sum(
        amount * _multiplier(sums, order.terms.symbol) for order, amount in today.items() if order not in sums.together
    )
    return _beyond(own, limits["max_order_premium"], "of premium") or _beyond(
        paid + _cost(sums, Side.BUY), limits["max_day_premium"], "of premium are paid or being paid on this day"
    )


def _beyond(amount: int, most: int, what: str) -> str:
    if amount <= most * PRICE_SCALE:
        return ""
    return f"{amount / PRICE_SCALE:.2f} {what}; expected at most {most}"


def _cost(sums: Sums, side: Side) -> int:
    """Of all entries on this side that work: their open units at their limits, or what the one that is judged costs."""
    apart = {sums.asked.order, *sums.together}
    others = (one for one in _entries(sums, side) if one.order not in apart)
    worth = sum(one.step.open * one.terms.price * _multiplier(sums, one.terms.symbol) for one in others)
    worth += sum(
        order.terms.quantity * one.price * one.instrument.multiplier
        for order, one in sums.together.items()
        if order.side is side and is_entry(order.client_order_id)
    )
    return worth + (_own_cost(sums) if sums.asked.side is side else 0)


def _own_cost(sums: Sums) -> int:
    price = sums.asked.terms.price or sums.case.price
    return sums.asked.step.open * price * sums.case.instrument.multiplier


def _entries(sums: Sums, side: Side) -> list[Working]:
    return [one for one in sums.book.all() if one.side is side and is_entry(one.order.client_order_id)]


def _underlying(sums: Sums, symbol: str) -> str:
    known = sums.instruments.get(symbol)
    return known.underlying if known else symbol


def _multiplier(sums: Sums, symbol: str) -> int:
    known = sums.instruments.get(symbol)
    return known.multiplier if known else 1


_AGGREGATES: tuple[tuple[str, Callable[[Sums], str]], ...] = (
    ("E5", _open_orders),
    ("E5", _short_units),
    ("E5", _notional),
    ("E20", _premium),
)
