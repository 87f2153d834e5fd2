"""When a vertical is to be closed: what it is worth by honest quotes, and the table of exit rules.

A profit is believed only at the prices at which it could be taken (buy at the ask, sell at the bid); a loss only at the
mids, so that a market that is wide for a moment does not stop a position out.  A quote that is missing, stale, crossed,
zero or NaN gives no figure, and quotes that contradict each other (closing would pay more than the strikes are apart,
or less than nothing) give none either (R15).
"""

from __future__ import annotations

from datetime import date, timedelta

import msgspec

from decisions.effects import MS, Moment
from domain.calendar import Calendar
from domain.money import to_decimal
from domain.quotes import Quote
from domain.strategies import Exit, StrategyRules
from domain.verticals import Vertical
from messages.strategy import GroupView, Mark
from messages.strategy_records import VerticalRecord


class Verdict(msgspec.Struct, frozen=True):
    """Close it, and why."""

    exit: Exit
    reason: str


def figures(record: VerticalRecord) -> Vertical:
    """The vertical of a record."""
    return Vertical(
        kind=record.kind, short_strike=record.short_strike, long_strike=record.long_strike, quantity=record.quantity,
        multiplier=record.multiplier, net=record.net,
    )  # fmt: skip


def measured(record: VerticalRecord, net: int, quantity: int) -> VerticalRecord:
    """The record with the figures of what was really filled: ``net`` received for ``quantity`` units."""
    real = Vertical(
        kind=record.kind, short_strike=record.short_strike, long_strike=record.long_strike, quantity=quantity,
        multiplier=record.multiplier, net=net,
    )  # fmt: skip
    return msgspec.structs.replace(
        record, quantity=quantity, net=net, credit=real.credit, max_profit=real.max_profit, max_loss=real.max_loss,
        breakeven=real.breakeven,
    )  # fmt: skip


def mark(record: VerticalRecord, view: GroupView, moment: Moment) -> Mark:
    """What the position is worth now; with ``problem`` when that cannot be told."""
    spot = moment.quote(record.underlying)
    distance = 0.0 if spot is None else _distance_pct(record, spot.mid)
    seen = Mark(spot=spot.mid if spot else 0, distance_pct=round(distance, 1))
    short, long = moment.quote(record.short_symbol), _one_sided(record.long_symbol, moment)
    for symbol, quote in ((record.underlying, spot), (record.short_symbol, short), (record.long_symbol, long)):
        if quote is None:
            return msgspec.structs.replace(seen, problem=f"no usable quote of {symbol}")
    assert short is not None and long is not None
    cost, mid_cost = short.ask - long.bid, (short.bid + short.ask - long.bid - long.ask) // 2
    width = figures(record).width
    low, high = (0, width) if record.kind.for_credit else (-width, 0)
    if not low <= mid_cost <= high or cost < low:
        return msgspec.structs.replace(
            seen, problem=f"the quotes of {record.short_symbol} and {record.long_symbol} contradict each other"
        )
    units = {symbol: quantity * record.multiplier for symbol, quantity in view.held.items()}
    sold, bought = -units.get(record.short_symbol, 0), units.get(record.long_symbol, 0)
    return msgspec.structs.replace(
        seen,
        pnl=view.cash - sold * short.ask + bought * long.bid,
        fair_pnl=view.cash - sold * short.mid + bought * (long.bid + long.ask) // 2,
    )


def _one_sided(symbol: str, moment: Moment) -> Quote | None:
    """A fresh quote of a long leg.  One that nobody bids for is worth nothing, which is a figure too."""
    quote = moment.quotes.get(symbol)
    if quote is None or moment.at_ns - quote.ts_ns > moment.config.orders.quote_max_age_ms * MS:
        return None
    return quote if quote.ask > 0 and 0 <= quote.bid <= quote.ask else None


def _distance_pct(record: VerticalRecord, spot: int) -> float:
    at_entry = (record.short_strike - record.entry_spot) * record.kind.outward
    return 100 * (record.short_strike - spot) * record.kind.outward / at_entry if at_entry > 0 else 100.0


def exit_from_ns(record: VerticalRecord, rules: StrategyRules, days: Calendar) -> int:
    """From when on the vertical is to be closed because its expiry is near, by the exchange's clocks."""
    day = date.fromisoformat(record.expiry) - timedelta(days=rules.exit_days_before_expiry)
    return days.instant(day, rules.exit_clock)


def expired(record: VerticalRecord, moment: Moment) -> bool:
    """Whether the contracts' last day is over; until then their settlement may still tell what became of them."""
    return moment.today > date.fromisoformat(record.expiry)


def verdict(record: VerticalRecord, rules: StrategyRules, seen: Mark, moment: Moment) -> Verdict | None:
    """The first rule of the table that asks for an exit."""
    if moment.at_ns >= exit_from_ns(record, rules, moment.calendar):
        days = rules.exit_days_before_expiry
        return Verdict(Exit.EXPIRY, f"it expires on {record.expiry}, and exit_days_before_expiry is {days}")
    threatened = rules.adjust_within_pct > 0 and record.kind.for_credit and seen.spot > 0
    if not seen.problem:
        money = _by_money(record, rules, seen)
        if money is not None:
            return money
    if threatened and seen.distance_pct <= rules.adjust_within_pct:
        return Verdict(
            Exit.ADJUSTMENT,
            f"{record.underlying} at {_money(seen.spot)} is {seen.distance_pct:g} % of the distance at entry from the "
            f"short strike {_money(record.short_strike)}; the limit is {rules.adjust_within_pct:g} %",
        )
    return None


def _by_money(record: VerticalRecord, rules: StrategyRules, seen: Mark) -> Verdict | None:
    made = figures(record)
    if made.max_profit <= 0:
        return Verdict(Exit.STOP_LOSS, "its fills left no profit to wait for")
    if 100 * seen.pnl >= rules.profit_target_pct * made.max_profit:
        return Verdict(
            Exit.PROFIT_TARGET,
            f"{_money(seen.pnl)} could be taken, {rules.profit_target_pct:g} % or more of {_money(made.max_profit)}",
        )
    if rules.stop_loss_pct and -100 * seen.fair_pnl >= rules.stop_loss_pct * made.premium:
        return Verdict(
            Exit.STOP_LOSS,
            f"{_money(-seen.fair_pnl)} is lost, {rules.stop_loss_pct:g} % or more of {_money(made.premium)}",
        )
    return None


def _money(value: int) -> str:
    return f"{to_decimal(value):,f}"
