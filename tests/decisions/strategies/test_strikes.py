"""Which two contracts a strategy would trade: for any chain and any quotes, an honest vertical or a reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from config.schema import BrokerConfig, Config
from decisions.effects import MS, Moment
from decisions.strategies.strikes import Chosen, Wanting, choose
from domain.instruments import Instrument, Right, osi_symbol
from domain.quotes import Quote
from domain.strategies import StrategyRules
from domain.verticals import VerticalKind

NOW = int(datetime(2026, 1, 5, 15, tzinfo=UTC).timestamp()) * 10**9
PRICE = 10_000
TODAY = datetime.fromtimestamp(NOW // 10**9, UTC).date()


def option(days: int, strike: int, right: Right, lot_size: int = 1) -> Instrument:
    expiry = TODAY + timedelta(days=days)
    return Instrument(
        symbol=osi_symbol("XYZ", expiry, right, strike * PRICE), underlying="XYZ", right=right, strike=strike * PRICE,
        expiry=expiry.isoformat(), multiplier=100, lot_size=lot_size, tick_size=500, freeze_qty=50,
    )  # fmt: skip


def rules(kind: VerticalKind, **changes: Any) -> StrategyRules:
    wanted: dict[str, Any] = {"short_distance_pct": 5.0, "width": 5 * PRICE} | changes
    return StrategyRules(name="s", kind=kind, underlying="XYZ", quantity=10, **wanted)


def moment(quotes: dict[str, Quote], at_ns: int = NOW, calendar: str = "always") -> Moment:
    return Moment(
        at_ns=at_ns, cause="test", epoch=1, cell=0, may_send=True, may_open=True, deduplicates=True, quotes=quotes,
        config=Config(broker=BrokerConfig(calendar=calendar)),
    )  # fmt: skip


def spot(price: float) -> dict[str, Quote]:
    mid = round(price * PRICE)
    return {"XYZ": Quote("XYZ", NOW, mid - 100, 100, mid + 100, 100)}


prices = st.integers(-1, 20 * PRICE)
quotes = st.builds(
    lambda age, bid, spread: (NOW - age * MS, bid, bid + spread),
    st.sampled_from((0, 1_000, 10**9)),
    prices,
    st.integers(-500, 2_000),
)
chains = st.lists(
    st.builds(option, st.sampled_from((1, 8, 30, 90)), st.integers(60, 140), st.sampled_from(Right)), max_size=30
)
choices = st.one_of(
    st.fixed_dictionaries({"short_distance_pct": st.sampled_from((0.5, 5.0, 20.0))}),
    st.fixed_dictionaries({"short_distance_pct": st.just(0.0), "short_delta": st.sampled_from((0.1, 0.3, 0.5))}),
)
widths = st.one_of(
    st.fixed_dictionaries({"width": st.sampled_from((PRICE, 5 * PRICE))}),
    st.fixed_dictionaries({"width": st.just(0), "width_strikes": st.integers(1, 3)}),
)


@given(st.data(), chains, st.sampled_from(VerticalKind), choices, widths, st.sampled_from((0, 950_000)))
def test_what_is_chosen_is_an_honest_vertical_and_everything_else_has_a_reason(
    data: st.DataObject,
    chain: list[Instrument],
    kind: VerticalKind,
    choice: dict[str, Any],
    width: dict[str, Any],
    beyond: int,
) -> None:
    listed = {instrument.symbol: instrument for instrument in chain}
    book = spot(100.0)
    for symbol in listed:
        ts_ns, bid, ask = data.draw(quotes)
        book[symbol] = Quote(symbol, ts_ns, bid, 10, ask, 10)
    wanted, at = rules(kind, **choice, **width), moment(book)
    found = choose(wanted, listed, at, beyond)
    if isinstance(found, Wanting):
        assert found.reason
        return
    short, long, outward = found.short, found.long, kind.outward
    assert (short.right, long.right, short.expiry) == (kind.right, kind.right, long.expiry)
    assert wanted.min_days <= (datetime.fromisoformat(short.expiry).date() - TODAY).days <= wanted.max_days
    assert (short.strike - 1_000_000) * outward > 0, "the short strike is out of the money"
    assert ((long.strike - short.strike) * outward > 0) == kind.for_credit
    assert not beyond or (short.strike - beyond) * outward > 0
    for leg in (short, long):
        assert at.quote(leg.symbol) is not None, "no entry on a quote that cannot be trusted (R15)"
    premium = found.credit if kind.for_credit else -found.credit
    assert 0 < premium < abs(short.strike - long.strike)


def full(days: int, right: Right) -> dict[str, Instrument]:
    made = [option(days, strike, right) for strike in range(80, 125, 5)]
    return {instrument.symbol: instrument for instrument in made}


def honest(listed: dict[str, Instrument]) -> dict[str, Quote]:
    book = spot(100.0)
    for symbol, instrument in listed.items():
        out = abs(instrument.strike / PRICE - 100)
        mid = round(max(0.2, 4 - 0.35 * out) * 20) * 500
        book[symbol] = Quote(symbol, NOW, mid - 500, 10, mid + 500, 10)
    return book


def test_the_nearest_expiry_that_has_the_strikes_is_taken() -> None:
    near = {i.symbol: i for i in (option(10, strike, Right.PUT) for strike in (95, 94))}
    far = full(40, Right.PUT)
    both = near | far
    found = choose(rules(VerticalKind.BULL_PUT), both, moment(honest(both)))
    assert isinstance(found, Chosen) and found.short.symbol in far
    alone = full(10, Right.PUT) | far
    found = choose(rules(VerticalKind.BULL_PUT), alone, moment(honest(alone)))
    assert isinstance(found, Chosen) and found.short.expiry == option(10, 95, Right.PUT).expiry


def test_a_delta_passes_over_no_strike_that_it_cannot_judge() -> None:
    listed = full(30, Right.PUT)
    book = honest(listed)
    del book[option(30, 95, Right.PUT).symbol]
    found = choose(rules(VerticalKind.BULL_PUT, short_distance_pct=0.0, short_delta=0.2), listed, moment(book))
    assert isinstance(found, Wanting)
    assert "to tell its delta" in found.reason and option(30, 90, Right.PUT).symbol in found.symbols


def test_legs_of_different_lots_are_no_pair() -> None:
    listed = full(30, Right.PUT) | {(odd := option(30, 90, Right.PUT, lot_size=7)).symbol: odd}
    found = choose(rules(VerticalKind.BULL_PUT), listed, moment(honest(listed)))
    assert isinstance(found, Wanting) and "strike 90 to protect 95" in found.reason


def test_the_days_to_expiry_are_counted_on_the_exchange_s_calendar() -> None:
    """20:00 in New York is 01:00 of the next day in UTC: the contract of tomorrow is still one day away."""
    evening = int(datetime(2026, 1, 6, 1, tzinfo=UTC).timestamp()) * 10**9
    listed = {one.symbol: one for one in (option(1, 95, Right.PUT), option(1, 90, Right.PUT))}
    wanted = rules(VerticalKind.BULL_PUT, min_days=1, max_days=1)
    book = {"XYZ": Quote("XYZ", evening, 999_900, 100, 1_000_100, 100)}
    for symbol, bid in zip(listed, (10_000, 5_000), strict=True):
        book[symbol] = Quote(symbol, evening, bid, 10, bid + 100, 10)
    assert isinstance(choose(wanted, listed, moment(book, evening, "us_options")), Chosen)
    found = choose(wanted, listed, moment(book, evening))
    assert isinstance(found, Wanting) and "2026-01-06" in found.reason
