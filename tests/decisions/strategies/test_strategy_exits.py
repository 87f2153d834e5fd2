"""What a vertical is worth, and when it is closed: never on a figure that the quotes do not honestly give (R15)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st
from test_strikes import NOW, PRICE, moment, option

from decisions.effects import MS
from decisions.strategies.strategy_exits import expired, figures, mark, measured, verdict
from domain.groups import GroupOutcome, Mode
from domain.quotes import Quote
from domain.strategies import Exit, StrategyRules
from domain.verticals import VerticalKind
from messages.strategy import GroupView, Mark
from messages.strategy_records import VerticalRecord

QUANTITY = 10
STRIKES = {
    VerticalKind.BULL_PUT: (95, 90), VerticalKind.BEAR_CALL: (105, 110), VerticalKind.BULL_CALL: (105, 100),
    VerticalKind.BEAR_PUT: (95, 100),
}  # fmt: skip


def held(kind: VerticalKind, premium: int) -> tuple[VerticalRecord, GroupView]:
    """A vertical of 10 units, entered for so much a unit, and its group."""
    short, long = (option(30, strike, kind.right) for strike in STRIKES[kind])
    record = VerticalRecord(
        group_id="s.1", strategy="s", kind=kind, underlying="XYZ", expiry=short.expiry, short_symbol=short.symbol,
        long_symbol=long.symbol, short_strike=short.strike, long_strike=long.strike, quantity=QUANTITY,
        multiplier=100, entry_spot=100 * PRICE, credit=0, net=0, max_profit=0, max_loss=0, breakeven=0,
        rolled_from="", exit=Exit.NONE, exit_reason="", closings=0, realised=0, decided_ns=1, entered_ns=1,
        exit_ns=0, closed_ns=0,
    )  # fmt: skip
    cash = (premium if kind.for_credit else -premium) * QUANTITY * 100
    view = GroupView(
        outcome=GroupOutcome.HEDGED, mode=Mode.ENTERING, reason="", given_up=False, live=False,
        held={short.symbol: -QUANTITY, long.symbol: QUANTITY}, cash=cash,
    )  # fmt: skip
    return measured(record, cash, QUANTITY), view


def rules(kind: VerticalKind, **changes: Any) -> StrategyRules:
    wanted: dict[str, Any] = {"stop_loss_pct": 100.0} | changes
    return StrategyRules(
        name="s", kind=kind, underlying="XYZ", quantity=QUANTITY, short_distance_pct=5.0, width=5 * PRICE, **wanted
    )


kinds = st.sampled_from(VerticalKind)
premiums = st.integers(1, 5 * PRICE - 1)
sides = st.integers(-1, 12 * PRICE)
ages = st.sampled_from((0, 60_000, 120_001, 10**8))


@given(kinds, premiums, st.data())
def test_a_profit_is_taken_only_where_it_could_really_be_had(
    kind: VerticalKind, premium: int, data: st.DataObject
) -> None:
    record, view = held(kind, premium)
    book = {}
    for symbol in ("XYZ", record.short_symbol, record.long_symbol):
        ts_ns = NOW - data.draw(ages) * MS
        book[symbol] = Quote(symbol, ts_ns, data.draw(sides), 10, data.draw(sides), 10)
    seen = mark(record, view, moment(book))
    found = verdict(record, rules(kind, adjust_within_pct=0.0), seen, moment({}))
    short, long = book[record.short_symbol], book[record.long_symbol]
    if found is None or found.exit is not Exit.PROFIT_TARGET:
        return
    assert all(NOW - quote.ts_ns <= 120_000 * MS for quote in book.values())
    assert 0 < short.bid <= short.ask and 0 <= long.bid <= long.ask and 0 < book["XYZ"].bid <= book["XYZ"].ask
    proceeds = (long.bid - short.ask) * QUANTITY * 100
    assert 2 * (view.cash + proceeds) >= figures(record).max_profit
    assert view.cash + proceeds <= figures(record).max_profit, "more than can be earned is not believed"


@given(kinds, premiums, st.integers(0, 5 * PRICE), st.integers(0, 2_000))
def test_with_honest_quotes_half_of_the_maximum_is_the_line(
    kind: VerticalKind, premium: int, worth: int, half_spread: int
) -> None:
    """``worth``: what a unit of the long side less the short side is worth, by mids that differ by it."""
    record, view = held(kind, premium)
    base = 10 * PRICE
    short_mid, long_mid = (base + worth, base) if kind.for_credit else (base, base + worth)
    book = {"XYZ": Quote("XYZ", NOW, 999_900, 1, 1_000_100, 1)}
    for symbol, mid in ((record.short_symbol, short_mid), (record.long_symbol, long_mid)):
        book[symbol] = Quote(symbol, NOW, mid - half_spread, 10, mid + half_spread, 10)
    seen = mark(record, view, moment(book))
    assume(not seen.problem)
    cost = (worth if kind.for_credit else -worth) + 2 * half_spread
    pnl = view.cash - cost * QUANTITY * 100
    assert seen.pnl == pnl
    found = verdict(record, rules(kind, stop_loss_pct=0.0, adjust_within_pct=0.0), seen, moment({}))
    assert (found is not None) == (2 * pnl >= figures(record).max_profit)


def test_a_long_leg_that_nobody_bids_for_counts_nothing_and_hides_nothing() -> None:
    record, view = held(VerticalKind.BULL_PUT, 10_000)
    book = {
        "XYZ": Quote("XYZ", NOW, 999_900, 1, 1_000_100, 1),
        record.short_symbol: Quote(record.short_symbol, NOW, 1_000, 10, 1_500, 10),
        record.long_symbol: Quote(record.long_symbol, NOW, 0, 0, 500, 10),
    }
    seen = mark(record, view, moment(book))
    assert (seen.problem, seen.pnl) == ("", (10_000 - 1_500) * QUANTITY * 100)


@given(kinds, st.integers(80 * PRICE, 120 * PRICE))
def test_only_a_credit_vertical_is_adjusted_and_exactly_when_its_strike_is_near(kind: VerticalKind, spot: int) -> None:
    record, view = held(kind, 20_000)
    book = {"XYZ": Quote("XYZ", NOW, spot, 1, spot, 1)}
    found = verdict(record, rules(kind), mark(record, view, moment(book)), moment({}))
    left = (record.short_strike - spot) * kind.outward
    near = round(100 * left / (5 * PRICE), 1) <= 20.0
    assert (found is not None) == (kind.for_credit and near)
    assert found is None or found.exit is Exit.ADJUSTMENT


def test_without_any_quote_nothing_happens_before_its_time() -> None:
    for kind in VerticalKind:
        record, view = held(kind, 20_000)
        seen = mark(record, view, moment({}))
        assert seen.problem == "no usable quote of XYZ"
        assert verdict(record, rules(kind), seen, moment({})) is None
        expiry = verdict(record, rules(kind), seen, moment({}, NOW + 29 * 86_400 * 10**9))
        assert expiry is not None and expiry.exit is Exit.EXPIRY


def test_the_days_and_the_clocks_are_those_of_the_exchange() -> None:
    record, _ = held(VerticalKind.BULL_PUT, PRICE)  # its last day is 2026-02-04
    wanted, hour = rules(VerticalKind.BULL_PUT, exit_days_before_expiry=2, exit_time="15:00"), 3_600 * 10**9
    for calendar, zone_h in (("always", 0), ("us_options", 5), ("nse", -5.5)):
        due = int(datetime(2026, 2, 2, 15, tzinfo=UTC).timestamp()) * 10**9 + round(zone_h * hour)
        assert verdict(record, wanted, Mark(), moment({}, due - 1, calendar)) is None
        found = verdict(record, wanted, Mark(), moment({}, due, calendar))
        assert found is not None and found.exit is Exit.EXPIRY
        over = int(datetime(2026, 2, 5, tzinfo=UTC).timestamp()) * 10**9 + round(zone_h * hour)
        assert (expired(record, moment({}, over - 1, calendar)), expired(record, moment({}, over, calendar))) == (
            False,
            True,
        )
