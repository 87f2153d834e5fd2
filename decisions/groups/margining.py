"""Whether a group may be opened: what it could need at worst, against what there is (S5, S6).

Three figures are worked out, and the largest is the group's requirement:

* *strategy*: the strategy-based margin of the whole plan, or what its longs cost before any short is sold;
* *shocks*: the largest loss over all combinations of the configured shocks and all reachable partial fills;
* *SPAN*: the largest loss over SPAN's scenarios and all reachable partial fills.

Without a price of the underlying nothing can be revalued.  Then the strategy figure is taken without credit for the
premium received: what the longs cost and what the spreads can lose at expiry, which no partial fill exceeds.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from config.schema import MarginConfig
from domain.calendar import Calendar, years_left
from domain.execution import Side
from domain.groups import Group, Leg
from domain.instruments import Instrument
from domain.margin.scenarios import AMERICAN, Marked, marked, profits, revalue, shocks, span_scenarios
from domain.margin.strategy import MarginReport, NakedRule, estimate
from domain.margin.worst_case import WorstCase, worst_case
from domain.money import to_decimal
from domain.quotes import Quote
from messages.market import Funds


class MarginRequirement(msgspec.Struct, frozen=True, kw_only=True):
    """What a group could need.  Amounts; ``worst`` and ``span`` are None without a price of the underlying."""

    requirement: int
    basis: str  # which figure it is: "strategy", "shocks" or "SPAN"
    strategy: MarginReport
    worst: WorstCase | None
    span: WorstCase | None


class MarginJudgement(msgspec.Struct, frozen=True, kw_only=True):
    """The answer, with all figures; amounts.  ``use_pct`` is what would be in use of all funds."""

    allowed: bool
    text: str
    report: MarginRequirement
    available: int
    used: int
    use_pct: float
    max_use_pct: float


def required(
    group: Group,
    prices: Mapping[str, int],
    quotes: Mapping[str, Quote],
    at_ns: int,
    config: MarginConfig,
    calendar: Calendar,
) -> MarginRequirement:
    """What ``group`` could need at worst, entered at ``prices`` (by symbol) in the market of ``quotes``.

    ``calendar`` is the market's: it says which day it is, and when each contract dies.

    Raises ``MarginUnknown`` naming the prices that are missing.
    """
    spots = {name: quotes[name].mid for name in _underlyings(group) if name in quotes and quotes[name].usable}
    rules = {leg.instrument.underlying: _rule(leg.instrument, config) for leg in group.legs}
    strategy = estimate(group, prices, spots, rules, calendar.day(at_ns))
    if not all(_revaluable(leg, quotes, spots) for leg in group.legs):
        return MarginRequirement(
            requirement=strategy.requirement, basis="strategy", strategy=strategy, worst=None, span=None
        )
    book = _book(group, quotes, spots, at_ns, config, calendar)
    worst, span = _under_shocks(group, book, prices, config), _under_span(group, book, config)
    figures = {"strategy": max(strategy.net, strategy.premium_paid), "shocks": worst.loss, "SPAN": span.loss}
    basis = max(figures, key=lambda name: figures[name])
    return MarginRequirement(requirement=figures[basis], basis=basis, strategy=strategy, worst=worst, span=span)


def judge(report: MarginRequirement, funds: Funds, config: MarginConfig) -> MarginJudgement:
    """Whether a group that requires this may be opened with these funds."""
    use = use_pct(report.requirement, funds)
    allowed = use <= config.max_use_pct
    return MarginJudgement(
        allowed=allowed,
        text=_sentence(report, funds, use, config, allowed=allowed),
        report=report,
        available=funds.available,
        used=funds.used,
        use_pct=use,
        max_use_pct=config.max_use_pct,
    )


def use_pct(requirement: int, funds: Funds) -> float:
    """What would be in use of all funds with this requirement on top, in per cent; 100 at least without any funds."""
    total = funds.available + funds.used
    needed = funds.used + requirement
    return 100 * needed / total if total > 0 else 100.0 + needed


def refused_by(judged: MarginJudgement, config: MarginConfig) -> tuple[str, ...]:
    """Which safeguards refuse the group: its margin as such (S5), its worst case (S6), or both."""
    report, funds = judged.report, Funds(available=judged.available, used=judged.used, ts_ns=0)
    figures = {
        "S5": max(report.strategy.net, report.strategy.premium_paid),
        "S6": max((case.loss for case in (report.worst, report.span) if case is not None), default=report.requirement),
    }
    found = tuple(name for name, need in figures.items() if use_pct(need, funds) > config.max_use_pct)
    return () if judged.allowed else found or ("S5",)


def entry_prices(group: Group, quotes: Mapping[str, Quote]) -> dict[str, int]:
    """What each leg is entered at: its limit, or the touch; without one the leg is left out."""
    found = {}
    for leg in group.legs:
        quote = quotes.get(leg.instrument.symbol)
        touch = 0 if quote is None else quote.ask if leg.side is Side.BUY else quote.bid
        if leg.limit_price or touch:
            found[leg.instrument.symbol] = leg.limit_price or touch
    return found


def unquoted(group: Group, quotes: Mapping[str, Quote], listed: Mapping[str, Instrument]) -> list[str]:
    """The legs and listed underlyings that have no usable quote yet, legs first."""
    names = [leg.instrument.symbol for leg in group.legs]
    names += [name for name in _underlyings(group) if name in listed]
    return [name for name in dict.fromkeys(names) if name not in quotes or not quotes[name].usable]


def _underlyings(group: Group) -> list[str]:
    return list(dict.fromkeys(leg.instrument.underlying for leg in group.legs))


def _rule(instrument: Instrument, config: MarginConfig) -> NakedRule:
    percent = config.naked_pct if instrument.style == AMERICAN else config.naked_index_pct
    return NakedRule(percent_bps=round(100 * percent), minimum_bps=round(100 * config.naked_minimum_pct))


def _revaluable(leg: Leg, quotes: Mapping[str, Quote], spots: Mapping[str, int]) -> bool:
    quote = quotes.get(leg.instrument.symbol)
    return quote is not None and quote.usable and leg.instrument.underlying in spots


def _book(
    group: Group,
    quotes: Mapping[str, Quote],
    spots: Mapping[str, int],
    at_ns: int,
    config: MarginConfig,
    calendar: Calendar,
) -> dict[str, Marked]:
    found = {}
    for leg in group.legs:
        quote = quotes[leg.instrument.symbol]
        found[leg.leg_id] = marked(
            leg.instrument,
            (quote.bid + quote.ask) / 2,
            float(spots[leg.instrument.underlying]),
            half_spread=(quote.ask - quote.bid) / 2,
            years=years_left(calendar, leg.instrument.expiry, at_ns),
            rate=config.rate_pct / 100,
            dividend=config.dividend_pct / 100,
        )
    return found


def _under_shocks(
    group: Group, book: Mapping[str, Marked], prices: Mapping[str, int], config: MarginConfig
) -> WorstCase:
    """From the price of entry to what it costs to get out, at the far side of a wider spread."""
    scenarios = shocks(config.price_shocks_pct, config.iv_shocks_pct, config.spread_shocks)
    quiet = [scenario for scenario in scenarios if scenario.spread == 1.0]
    losses = {}
    for leg in group.legs:
        contract, price, sign = book[leg.leg_id], prices[leg.instrument.symbol], leg.side.sign
        values = {(s.price, s.volatility): price for s, price in zip(quiet, revalue(contract, quiet), strict=True)}
        losses[leg.leg_id] = [
            sign
            * (price - max(0.0, values[s.price, s.volatility] - sign * contract.half_spread * s.spread))
            * leg.instrument.multiplier
            for s in scenarios
        ]
    return worst_case(group, losses, [scenario.name for scenario in scenarios])


def _under_span(group: Group, book: Mapping[str, Marked], config: MarginConfig) -> WorstCase:
    """From the mark to the mark, as a clearing house does."""
    losses = {}
    names: list[str] = []
    for leg in group.legs:
        instrument, contract = leg.instrument, book[leg.leg_id]
        scan = config.span_stock_pct if instrument.style == AMERICAN else config.span_index_pct
        scenarios = span_scenarios(
            scan / 100,
            config.span_volatility_pct / 100,
            config.span_extreme_multiple,
            config.span_extreme_cover_pct / 100,
        )
        names = [scenario.name for scenario in scenarios]
        losses[leg.leg_id] = [-gain for gain in profits([(contract, leg.side.sign)], scenarios)]
    return worst_case(group, losses, names)


def _sentence(report: MarginRequirement, funds: Funds, use: float, config: MarginConfig, *, allowed: bool) -> str:
    """The figures in words, with what is worst and where."""
    start = "margin" if allowed else "insufficient margin"
    sentence = (
        f"{start}: the group needs {_money(report.requirement)} ({report.basis}); available are "
        f"{_money(funds.available)}, in use {_money(funds.used)}; with it {use:.1f} % would be in use, and "
        f"{config.max_use_pct:g} % is the limit (margin.max_use_pct)"
    )
    return f"{sentence}; {described(report)}"


def described(report: MarginRequirement) -> str:
    """The worst scenario and the worst prefix, in words."""
    if report.worst is None:
        return "the underlying has no price, so the worst loss at expiry was taken and no shock"
    worst = report.span if report.basis == "SPAN" and report.span is not None else report.worst
    holding = ", ".join(f"{quantity} {leg_id}" for leg_id, quantity in worst.prefix)
    return f"worst scenario: {worst.scenario}, when filled so far: {holding} (loss {_money(worst.loss)})"


def _money(amount: int) -> str:
    return f"{to_decimal(amount):,f}"
