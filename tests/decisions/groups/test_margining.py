"""Whether a group may be opened: the figures, the limit, and what happens where a price is missing."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace
from order_cases import a_group, a_leg, option

from config.schema import MarginConfig
from decisions.groups.margining import MarginRequirement, entry_prices, judge, required, unquoted, use_pct
from domain.calendar import calendar
from domain.execution import Side
from domain.groups import Group, Leg
from domain.instruments import Right
from domain.margin.strategy import MarginUnknown
from domain.pricing import bsm_price
from domain.quotes import Quote
from messages.market import Funds

CONFIG = MarginConfig()
DAYS = calendar("always")
EXPIRY = "2026-06-19"
AT_NS = int(datetime(2026, 5, 20, 14, tzinfo=UTC).timestamp()) * 10**9
SPOT = 100
YEARS = 31 / 365


def leg(index: int, side: Side, right: Right, strike: int, quantity: int = 8, style: str = "american") -> Leg:
    instrument = replace(option(strike, right), expiry=EXPIRY, style=style)
    return replace(a_leg(index, side, instrument=instrument), target_qty=quantity, limit_price=0)


def condor(quantity: int = 8) -> Group:
    return a_group(
        leg(0, Side.BUY, Right.PUT, 90, quantity),
        leg(1, Side.BUY, Right.CALL, 110, quantity),
        leg(2, Side.SELL, Right.PUT, 95, quantity),
        leg(3, Side.SELL, Right.CALL, 105, quantity),
    )


def market(group: Group, width: int = 200) -> dict[str, Quote]:
    """Every leg at 25 % volatility, ``width`` between bid and ask; and the underlying."""
    name = group.legs[0].instrument.underlying
    quotes = {name: Quote(name, AT_NS, SPOT * 10_000 - 100, 100, SPOT * 10_000 + 100, 100)}
    for one in group.legs:
        instrument = one.instrument
        assert instrument.right is not None
        mid = round(10_000 * bsm_price(instrument.right, SPOT, instrument.strike / 10_000, 0, 0, YEARS, 0.25))
        symbol = instrument.symbol
        quotes[symbol] = Quote(symbol, AT_NS, mid - width // 2, 100, mid + width // 2, 100)
    return quotes


def requirement(group: Group, quotes: dict[str, Quote]) -> MarginRequirement:
    return required(group, entry_prices(group, quotes), quotes, AT_NS, CONFIG, DAYS)


def needed(group: Group, quotes: dict[str, Quote] | None = None, config: MarginConfig = CONFIG) -> int:
    quotes = market(group) if quotes is None else quotes
    return required(group, entry_prices(group, quotes), quotes, AT_NS, config, DAYS).requirement


def funds(available: int, used: int = 0) -> Funds:
    return Funds(available=available, used=used, ts_ns=AT_NS)


def test_the_requirement_is_the_largest_of_the_three_figures() -> None:
    group, quotes = condor(), market(condor())
    report = required(group, entry_prices(group, quotes), quotes, AT_NS, CONFIG, DAYS)
    assert report.worst is not None
    assert report.span is not None
    figures = {
        "strategy": max(report.strategy.net, report.strategy.premium_paid),
        "shocks": report.worst.loss,
        "SPAN": report.span.loss,
    }
    assert report.requirement == max(figures.values()) == figures[report.basis]
    assert min(figures.values()) > 0


def test_s6_the_worst_case_names_a_scenario_and_a_prefix_that_is_not_the_end_of_the_plan() -> None:
    """SPAN's worst for a condor: the market falls and the calls, which gain, are not sold yet."""
    report = required(condor(), entry_prices(condor(), market(condor())), market(condor()), AT_NS, CONFIG, DAYS)
    assert report.span is not None
    assert report.span.scenario == "-3/3 of the price range, volatility down"
    assert dict(report.span.prefix) == {"buy0": 8, "buy1": 8, "sell2": 8, "sell3": 0}


def test_twice_as_many_slices_need_twice_as_much() -> None:
    once, twice = needed(condor(8)), needed(condor(16))
    assert twice == pytest.approx(2 * once, abs=2)


def test_a_wider_market_needs_more() -> None:
    """Getting out is what a spread shock makes dearer."""
    group = a_group(leg(0, Side.BUY, Right.PUT, 95))

    def loss(width: int) -> int:
        quotes = market(group, width)
        worst = required(group, entry_prices(group, quotes), quotes, AT_NS, CONFIG, DAYS).worst
        assert worst is not None
        assert worst.scenario == "price +3 %, IV +0 %, spread x2"
        return worst.loss

    assert loss(1_000) - loss(200) == pytest.approx(8 * 100 * 800 * 1.5, abs=2)  # half at entry, twice half at exit


def test_harder_shocks_need_more_and_none_leave_the_spread() -> None:
    group = a_group(leg(0, Side.BUY, Right.PUT, 90), leg(1, Side.SELL, Right.PUT, 95))
    quotes = market(group)

    def loss(config: MarginConfig) -> int:
        worst = required(group, entry_prices(group, quotes), quotes, AT_NS, config, DAYS).worst
        assert worst is not None
        return worst.loss

    harder = replace(CONFIG, price_shocks_pct=(-10.0, 10.0))
    calm = replace(CONFIG, price_shocks_pct=(), iv_shocks_pct=(), spread_shocks=())
    assert loss(harder) > loss(CONFIG) > loss(calm) == 2 * 8 * 100 * 200


def test_an_index_is_scanned_by_its_own_range_and_a_naked_short_by_its_own_rule() -> None:
    def naked(style: str) -> Group:
        return a_group(leg(0, Side.SELL, Right.PUT, 95, style=style), allow_naked=True)

    config = replace(CONFIG, span_index_pct=1.0, span_stock_pct=1.0)
    stock, index = needed(naked("american"), config=config), needed(naked("european"), config=config)
    assert stock - index == 8 * 100 * 5 * 10_000  # 20 and 15 % of 100


class TestMarginSufficientAndInsufficient:
    def test_margin_sufficient(self) -> None:
        group, quotes = condor(), market(condor())
        need = needed(group)
        judged = judge(
            required(group, entry_prices(group, quotes), quotes, AT_NS, CONFIG, DAYS), funds(-(-need * 10 // 9)), CONFIG
        )
        assert judged.allowed
        assert judged.use_pct == pytest.approx(90, abs=1e-4)
        assert judged.text.startswith("margin: the group needs ")

    def test_margin_insufficient(self) -> None:
        group, quotes = condor(), market(condor())
        need = needed(group)
        judged = judge(
            required(group, entry_prices(group, quotes), quotes, AT_NS, CONFIG, DAYS),
            funds(need * 10 // 9 - 10),
            CONFIG,
        )
        assert not judged.allowed
        for part in (
            f"insufficient margin: the group needs {need / 10_000:,}",
            f"available are {(need * 10 // 9 - 10) / 10_000:,}",
            "in use 0",
            "90 % is the limit",
            "worst scenario: ",
            "when filled so far: 8 buy0, 8 buy1, ",
        ):
            assert part in judged.text

    def test_what_is_in_use_already_counts(self) -> None:
        group, quotes = condor(), market(condor())
        need = needed(group)
        for used, allowed in ((7 * need, True), (9 * need, False)):
            account = funds(10 * need - used, used)
            assert (
                judge(
                    required(group, entry_prices(group, quotes), quotes, AT_NS, CONFIG, DAYS), account, CONFIG
                ).allowed
                is allowed
            )

    @pytest.mark.parametrize("available", [0, -1_000_000])
    def test_without_any_funds_nothing_is_allowed(self, available: int) -> None:
        assert use_pct(1, funds(available)) > 100


class TestMissingPrices:
    def test_without_a_price_of_the_underlying_the_worst_loss_at_expiry_counts_in_full(self) -> None:
        group, quotes = condor(), market(condor())
        del quotes[group.legs[0].instrument.underlying]
        report = required(group, entry_prices(group, quotes), quotes, AT_NS, CONFIG, DAYS)
        assert (report.worst, report.span, report.basis) == (None, None, "strategy")
        assert report.requirement == report.strategy.premium_paid + report.strategy.covered
        assert report.strategy.covered == 8 * 100 * 5 * 10_000
        judged = judge(requirement(group, quotes), funds(1), CONFIG)
        assert "the underlying has no price" in judged.text

    def test_a_leg_without_quote_and_limit_makes_the_requirement_unknown(self) -> None:
        group, quotes = condor(), market(condor())
        del quotes[group.legs[2].instrument.symbol]
        with pytest.raises(MarginUnknown, match=group.legs[2].instrument.symbol):
            needed(group, quotes)

    def test_a_limit_stands_in_for_the_touch(self) -> None:
        group = a_group(replace(leg(0, Side.BUY, Right.PUT, 90), limit_price=12_345))
        assert entry_prices(group, {}) == {group.legs[0].instrument.symbol: 12_345}
        assert needed(group, {}) == 8 * 100 * 12_345

    @pytest.mark.parametrize(("bid", "ask"), [(0, 500), (500, 0), (600, 500)], ids=["no bid", "no ask", "crossed"])
    def test_a_quote_that_is_not_usable_is_no_mark(self, bid: int, ask: int) -> None:
        group, quotes = condor(), market(condor())
        symbol = group.legs[0].instrument.symbol
        quotes[symbol] = Quote(symbol, AT_NS, bid, 1, ask, 1)
        assert unquoted(group, quotes, {}) == [symbol]
        priced = {one.instrument.symbol: 10_000 for one in group.legs}
        assert required(group, priced, quotes, AT_NS, CONFIG, DAYS).worst is None

    def test_an_underlying_is_waited_for_only_where_it_is_listed(self) -> None:
        group, quotes = condor(), market(condor())
        name = group.legs[0].instrument.underlying
        del quotes[name]
        assert unquoted(group, quotes, {}) == []
        assert unquoted(group, quotes, {name: replace(option(90, Right.PUT), symbol=name)}) == [name]


def test_an_iron_condor_of_eight_slices_a_leg_is_judged_in_milliseconds() -> None:
    """5 ms are asked for; a busy machine gets four times as long."""
    group = condor(8 * 50)
    quotes, account = market(group), funds(10**15)
    prices = entry_prices(group, quotes)
    took = []
    for _ in range(20):
        began = time.perf_counter()
        judge(required(group, prices, quotes, AT_NS, CONFIG, DAYS), account, CONFIG)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.02


def test_a_contract_is_revalued_up_to_the_moment_at_which_its_exchange_lets_it_die() -> None:
    """A minute after the close in New York its last day goes on in UTC, and nothing is left of its time value."""
    dead_ns = int(datetime(2026, 6, 18, 20, 1, tzinfo=UTC).timestamp()) * 10**9  # 06-19 is a holiday there
    put = a_group(leg(0, Side.BUY, Right.PUT, 101))
    quotes = market(put)
    figures = {}
    for name in ("us_options", "always"):
        report = required(put, entry_prices(put, quotes), quotes, dead_ns, CONFIG, calendar(name))
        assert report.worst is not None
        figures[name] = report.worst.loss
    assert figures["us_options"] != figures["always"]
