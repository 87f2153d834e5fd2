"""Sums that are kept as fills come are those of all fills; one walk over the strikes finds the worst of all prices."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.gateway.account import Account
from decisions.gateway.account_margin import NAKED_PCT, needed
from decisions.gateway.loss import carried, result
from domain.calendar import calendar, day_at
from domain.execution import ExecType, ExecutionReport, OrdStatus, Side
from domain.instruments import Instrument, Right
from messages.orders import Position, Snapshot

HOUR_NS = 3_600 * 10**9
DAY_NS = 24 * HOUR_NS
MONDAY_NS = 1_609_718_400 * 10**9  # 2021-01-04, midnight
SYMBOLS = ("XYZ   210115P00090000", "XYZ   210115P00095000", "XYZ")
ENTRY, CLOSE = "LK000000001E000001", "LK000000001C000001"


def trade(number: int, symbol: str, side: Side, order: str, quantity: int, price: int, ts_ns: int) -> ExecutionReport:
    return ExecutionReport(
        client_order_id=order, exec_type=ExecType.TRADE, ord_status=OrdStatus.PARTIALLY_FILLED, exec_id=f"x{number}",
        ts_ns=ts_ns, order_qty=100, cum_qty=0, leaves_qty=0, last_qty=quantity, last_px=price, symbol=symbol, side=side,
    )  # fmt: skip


@st.composite
def reports(draw: st.DrawFn) -> list[ExecutionReport]:
    """Trades of two days, some of them busted or corrected, some told twice, in any order."""
    found: list[ExecutionReport] = []
    for number in range(draw(st.integers(1, 8))):
        one = trade(
            number,
            draw(st.sampled_from(SYMBOLS)),
            draw(st.sampled_from(Side)),
            draw(st.sampled_from((ENTRY, CLOSE))),
            draw(st.integers(1, 9)),
            draw(st.integers(1, 50_000)),
            MONDAY_NS + draw(st.integers(0, 2 * DAY_NS - 1)),
        )
        found.append(one)
        amended = draw(st.sampled_from((None, ExecType.TRADE_CORRECT, ExecType.TRADE_CANCEL)))
        if amended is not None:
            kept = draw(st.integers(1, 9)) if amended is ExecType.TRADE_CORRECT else 0
            found.append(
                msgspec.structs.replace(
                    one, exec_type=amended, exec_id=f"a{number}", exec_ref_id=one.exec_id, last_qty=kept
                )
            )
    return [*draw(st.permutations(found)), *found]


@given(reports(), st.lists(st.booleans(), min_size=1, max_size=40))
def test_what_a_day_adds_up_to_is_the_sum_of_its_fills_whenever_it_is_asked(
    told: list[ExecutionReport], asked: list[bool]
) -> None:
    account = Account(calendar("always"))
    for number, report in enumerate(told):
        account.follow(report)
        if asked[number % len(asked)]:
            account.traded(day_at(calendar("always"), MONDAY_NS + (number % 2) * DAY_NS))
    for at_ns in (MONDAY_NS, MONDAY_NS + DAY_NS):
        day = day_at(calendar("always"), at_ns)
        units: Counter[str] = Counter()
        paid: Counter[str] = Counter()
        premium = 0
        for fill in account._fills.values():
            if fill.ts_ns in day:
                units[fill.symbol] += fill.signed
                paid[fill.symbol] += fill.signed * fill.price
                premium += fill.quantity * fill.price * (fill.is_entry and fill.side is Side.BUY)
        found = account.traded(day)
        assert {s: (one.units, one.paid) for s, one in found.items() if one.units or one.paid} == {
            s: (units[s], paid[s]) for s in units.keys() | paid.keys() if units[s] or paid[s]
        }
        assert account.premium_paid(day) == premium
        assert carried(account, day) == {s: n - units[s] for s, n in account.positions.items() if n - units[s]}
        assert result(account, {}, {}, day, at_ns, 0).amount <= -sum(paid.values())


def test_a_snapshot_that_lets_yesterday_go_leaves_todays_sums_as_they_are() -> None:
    account, today = Account(calendar("always")), MONDAY_NS + DAY_NS
    account.follow(trade(1, SYMBOLS[0], Side.BUY, ENTRY, 5, 100, MONDAY_NS + HOUR_NS))
    account.follow(trade(2, SYMBOLS[0], Side.BUY, ENTRY, 3, 200, today + HOUR_NS))
    day = account.day(today + HOUR_NS)
    assert account.premium_paid(day) == 600
    late = trade(3, SYMBOLS[0], Side.BUY, ENTRY, 1, 400, today + 2 * HOUR_NS)
    held = (Position(SYMBOLS[0], 9, 0),)
    account.load(
        Snapshot(as_of_ns=today + 3 * HOUR_NS, session=1, orders=(), executions=(late,), positions=held),
        today + 3 * HOUR_NS,
    )
    assert account.premium_paid(day) == 1_000
    assert account.premium_paid(account.day(MONDAY_NS + HOUR_NS)) == 0, "it has forgotten them"


@pytest.mark.parametrize(
    ("age_ns", "listed", "held"),
    [(0, False, 4), (1, False, 4), (2, False, 9), (0, True, 9)],
    ids=["at its time", "within the lag", "before that", "it is listed"],
)
def test_positions_do_not_know_of_a_fill_that_their_list_may_be_too_old_for(
    age_ns: int, listed: bool, held: int
) -> None:
    account, now_ns, lag_ns = Account(calendar("always")), MONDAY_NS + HOUR_NS, 1
    fill = trade(1, SYMBOLS[0], Side.SELL, ENTRY, 5, 100, now_ns - age_ns)
    account.follow(fill)
    told = Snapshot(
        as_of_ns=now_ns, session=1, orders=(), executions=(fill,) if listed else (),
        positions=(Position(SYMBOLS[0], 9, 0),),
    )  # fmt: skip
    account.load(told, now_ns, lag_ns)
    assert account.positions[SYMBOLS[0]] == held


@pytest.mark.parametrize(
    ("listed", "held"),
    [(("x1",), -5), (("x1", "bust"), 0), ((), -5)],
    ids=["the trade alone", "the bust too", "neither"],
)
def test_positions_do_not_know_of_a_bust_that_their_list_may_be_too_old_for(listed: tuple[str, ...], held: int) -> None:
    account, now_ns = Account(calendar("always")), MONDAY_NS + HOUR_NS
    bought = trade(1, SYMBOLS[0], Side.BUY, CLOSE, 5, 100, now_ns)
    bust = msgspec.structs.replace(bought, exec_type=ExecType.TRADE_CANCEL, exec_id="bust", exec_ref_id="x1")
    account.positions[SYMBOLS[0]] = -5
    account.follow(bought)
    account.follow(bust)
    assert account.positions[SYMBOLS[0]] == -5
    executions = tuple(one for one in (bought, bust) if one.exec_id in listed)
    then = -5 if not listed else 0  # by the list; where it has the bust, somebody has bought besides
    positions = (Position(SYMBOLS[0], then, 0),)
    account.load(Snapshot(as_of_ns=now_ns, session=1, orders=(), executions=executions, positions=positions), now_ns, 1)
    assert account.positions[SYMBOLS[0]] == held


def test_a_correction_of_a_correction_counts_whichever_comes_first_and_whichever_a_list_names() -> None:
    now_ns, words = MONDAY_NS + HOUR_NS, {"x1": (10, ""), "c1": (3, "x1"), "c2": (1, "c1")}
    bought = trade(1, SYMBOLS[0], Side.BUY, ENTRY, 10, 100, now_ns)
    told = {
        name: bought if not named else msgspec.structs.replace(
            bought, exec_type=ExecType.TRADE_CORRECT, exec_id=name, exec_ref_id=named, last_qty=units, ts_ns=now_ns + n
        )
        for n, (name, (units, named)) in enumerate(words.items())
    }  # fmt: skip
    for names, by_list in ((("x1",), 10), (("x1", "c1"), 3), (("x1", "c1", "c2"), 1), ((), 0)):
        account = Account(calendar("always"))
        for report in told.values():
            account.follow(report)
        assert account.positions[SYMBOLS[0]] == 1
        executions, positions = tuple(told[name] for name in names), (Position(SYMBOLS[0], by_list, 0),)
        account.load(
            Snapshot(as_of_ns=now_ns + 2, session=1, orders=(), executions=executions, positions=positions), now_ns, 9
        )
        assert account.positions[SYMBOLS[0]] == 1, names
    late = Account(calendar("always"))
    for name in ("x1", "c1"):
        late.follow(told[name])
    late.follow(msgspec.structs.replace(told["c2"], exec_ref_id="x1", ts_ns=now_ns))  # decided before the first
    assert late.positions[SYMBOLS[0]] == 3


def test_an_execution_that_is_listed_only_as_it_was_corrected_is_not_taken_for_unlisted() -> None:
    account, now_ns = Account(calendar("always")), MONDAY_NS + HOUR_NS
    bought = trade(1, SYMBOLS[0], Side.BUY, ENTRY, 5, 100, now_ns)
    corrected = msgspec.structs.replace(bought, exec_type=ExecType.TRADE_CORRECT, exec_id="x1.02", exec_ref_id="x1")
    account.follow(bought)
    positions = (Position(SYMBOLS[0], 5, 0),)
    account.load(
        Snapshot(as_of_ns=now_ns, session=1, orders=(), executions=(corrected,), positions=positions), now_ns, 1
    )
    assert account.positions[SYMBOLS[0]] == 5


def option(strike: int, right: Right) -> Instrument:
    return Instrument(
        symbol=f"{right.name}{strike}", underlying="XYZ", right=right, strike=strike, expiry="2021-01-15",
        multiplier=100, lot_size=1, tick_size=100, freeze_qty=1_000,
    )  # fmt: skip


@given(
    st.dictionaries(st.tuples(st.integers(1, 30), st.sampled_from(Right)), st.integers(-9, 9).filter(bool), max_size=8)
)
def test_the_worst_price_is_found_by_one_walk_over_the_strikes(held: dict[tuple[int, Right], int]) -> None:
    units = [(option(strike * 10_000, right), n) for (strike, right), n in held.items()]
    listed = {instrument.symbol: instrument for instrument, _ in units}
    prices = {0, *(instrument.strike for instrument, _ in units)}

    def worth(at: int) -> int:
        return sum(n * 100 * max(0, at - i.strike if i.right is Right.CALL else i.strike - at) for i, n in units)

    bare = max(0, -sum(n * 100 for i, n in units if i.right is Right.CALL))
    top = max((i.strike for i, n in units if i.right is Right.CALL and n < 0), default=0)
    wanted = max(0, *(-worth(at) for at in prices), 0) + bare * top * NAKED_PCT // 100
    assert needed({instrument.symbol: n for instrument, n in units}, listed) == wanted
