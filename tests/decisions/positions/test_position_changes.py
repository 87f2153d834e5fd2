"""R21: why a position changed and whose it was; the sum of what groups hold and what is foreign is the broker's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from decisions.positions.books import Books
from decisions.positions.library import Library
from decisions.positions.position_changes import Cause, allocate, explain, settled
from decisions.positions.position_checks import check_groups
from decisions.positions.position_report import DayEnd, day_to_close
from decisions.positions.positions import Comparison, SymbolBalance
from domain.calendar import CALENDARS
from domain.execution import Side
from domain.groups import Group, GroupOutcome, GroupStatus, Leg, Mode, Policy, Role
from domain.instruments import Instrument, Right
from domain.quotes import Quote
from messages.orders import Activity, ActivityKind
from messages.records import GroupRecord, PositionEventRecord, PositionKind, Severity

STRIKE, EXPIRY = 1_000_000, "2021-01-15"
BEFORE, AFTER = 1_610_000_000 * 10**9, 1_611_000_000 * 10**9  # 2021-01-07 and 2021-01-18 UTC
ALWAYS = CALENDARS["always"]


def option(right: Right = Right.PUT, style: str = "american", strike: int = STRIKE) -> Instrument:
    return Instrument(
        symbol=f"XYZ {right.value}{strike}", underlying="XYZ", right=right, strike=strike, expiry=EXPIRY,
        multiplier=100, lot_size=1, tick_size=500, freeze_qty=50, style=style,
    )  # fmt: skip


def held_by(*groups: tuple[str, dict[str, int]], contract: Instrument | None = None) -> Library:
    """Groups, oldest first, each with the signed units that it holds by leg: ``short`` of the contract, ``wing``."""
    books = Books()
    instruments = {"short": contract or option(), "wing": option(strike=STRIKE - 50_000)}
    for age, (name, units) in enumerate(groups):
        legs = tuple(
            Leg(
                leg_id=leg_id, index=index, instrument=instruments[leg_id],
                side=Side.SELL if quantity < 0 else Side.BUY,
                role=Role.RISK if quantity < 0 else Role.PROTECTION, score=0, target_qty=abs(quantity), limit_price=0,
            )
            for index, (leg_id, quantity) in enumerate(units.items())
        )  # fmt: skip
        group = Group(group_id=name, strategy="s", policy=Policy.COMPLETE, allow_naked=False, legs=legs)
        books.follow(
            GroupRecord(
                group_id=name, cell=age % 2, strategy="s", status=GroupStatus.COMPLETED, mode=Mode.ENTERING,
                outcome=GroupOutcome.HEDGED,
                reason="", group=group,
                hedges_placed=0, crashes=0, quarantined=False, created_ns=age, updated_ns=age,
            )
        )  # fmt: skip
        for leg_id, quantity in units.items():  # how it came to hold them does not matter here
            books.follow(
                PositionEventRecord(
                    event_id=f"{name}/{leg_id}", group_id=name, leg_id=leg_id, symbol=instruments[leg_id].symbol,
                    quantity=quantity, kind=PositionKind.MANUAL, evidence="", activity_id=f"start/{name}/{leg_id}",
                    price=0, ts_ns=1,
                )
            )  # fmt: skip
    return Library([books])


def compared(*balances: SymbolBalance, at_ns: int = BEFORE) -> Comparison:
    return Comparison(as_of_ns=at_ns, symbols=balances, orders=())


def balance(symbol: str, journal: int, broker: int, *activities: Activity) -> SymbolBalance:
    return SymbolBalance(symbol=symbol, journal=journal, broker=broker, slack=0, activities=activities)


def spot(price: int) -> dict[str, Quote]:
    return {"XYZ": Quote("XYZ", AFTER, price - 100, 1, price + 100, 1)} if price else {}


PUT, CALL, EUROPEAN = option(), option(Right.CALL), option(style="european")
A, E, X, U = PositionKind.ASSIGNMENT, PositionKind.EXERCISE, PositionKind.EXPIRY, PositionKind.UNEXPLAINED


@pytest.mark.parametrize(
    ("contract", "before", "change", "shares", "price", "at_ns", "kind"),
    [
        (PUT, -10, 3, 300, 0, BEFORE, A),  # the shares came: a short put receives them
        (CALL, -10, 3, -300, 0, BEFORE, A),  # a short call gives them
        (PUT, 10, -3, -300, 0, BEFORE, E),  # a long put gives them
        (CALL, 10, -3, 300, 0, BEFORE, E),
        (PUT, -10, 3, -300, 0, BEFORE, U),  # shares on the wrong side are no evidence
        (PUT, -10, 3, 299, 0, BEFORE, U),  # nor are too few
        (PUT, -10, 3, 0, STRIKE - 50_000, BEFORE, U),  # in the money is no evidence before the last day ends
        (PUT, -10, 10, 0, STRIKE + 50_000, AFTER, X),
        (PUT, -10, 9, 0, STRIKE + 50_000, AFTER, U),  # an expiry leaves nothing
        (PUT, -10, 10, 0, 0, AFTER, X),  # the price is not known: it ended, and no shares came
        (PUT, -10, 10, 0, STRIKE - 50_000, AFTER, U),  # in the money, and yet no shares
        (PUT, -10, 10, 0, STRIKE - 99, AFTER, X),  # less than a cent in the money is not exercised
        (EUROPEAN, -10, 10, 0, STRIKE - 50_000, AFTER, A),
        (EUROPEAN, 10, -10, 0, STRIKE - 50_000, AFTER, E),
        (PUT, -10, -4, 0, STRIKE, BEFORE, U),  # it grew
        (PUT, 10, -30, 0, STRIKE, BEFORE, U),  # it turned over
    ],
)
def test_evidence_names_the_kind_and_without_it_nothing_is_guessed(
    contract: Instrument, before: int, change: int, shares: int, price: int, at_ns: int, kind: PositionKind
) -> None:
    library = held_by(("g", {"short": before}), contract=contract)
    found = explain(
        compared(balance(contract.symbol, before, before + change), balance("XYZ", 0, shares), at_ns=at_ns),
        {contract.symbol, "XYZ"},
        library,
        spot(price),
        ALWAYS,
    )
    (cause,) = [cause for cause in found if cause.symbol == contract.symbol]
    assert (cause.kind, cause.quantity) == (kind, change)
    assert sum(cause.quantity for cause in found if cause.symbol == "XYZ") == shares
    assert cause.evidence


def test_what_has_not_persisted_and_no_activity_tells_is_left_alone() -> None:
    library = held_by(("g", {"short": -10}))
    assert explain(compared(balance(PUT.symbol, -10, -7)), set(), library, {}, ALWAYS) == []


def test_activities_that_do_not_add_up_are_taken_only_towards_the_difference_and_once_it_persists() -> None:
    library = held_by(("g", {"short": -10}))
    told = [Activity(f"E{n}", ActivityKind.ASSIGNMENT, PUT.symbol, n, 0, n) for n in (2, 9, -1)]
    both = compared(balance(PUT.symbol, -10, -5, *told))
    assert explain(both, set(), library, {}, ALWAYS) == []
    causes = explain(both, {PUT.symbol}, library, {}, ALWAYS)
    assert [(cause.quantity, cause.kind) for cause in causes] == [(2, A), (3, U)]


@given(
    st.lists(st.integers(-40, -1) | st.integers(1, 40), min_size=1, max_size=4),
    st.integers(-200, 200).filter(bool),
)
def test_every_unit_has_exactly_one_owner_and_no_group_loses_what_it_does_not_hold(held: list[int], moved: int) -> None:
    library = held_by(*((f"g{n}", {"short": units}) for n, units in enumerate(held)))
    cause = Cause(symbol=PUT.symbol, quantity=moved, kind=U, evidence="?")
    letters = allocate([cause], library)
    taken = {letter.group_id: sum(change.quantity for change in letter.changes) for letter in letters}
    assert sum(taken.values()) == moved
    for number, units in enumerate(held):
        mine = taken.get(f"g{number}", 0)
        assert mine * units <= 0 and abs(mine) <= abs(units)
    losers = [n for n, units in enumerate(held) if units * moved < 0]
    touched = [n for n in losers if taken.get(f"g{n}")]
    assert touched == losers[: len(touched)], "the oldest first"
    assert len({letter.letter_id for letter in letters}) == len(letters)


@pytest.mark.parametrize(
    ("short", "wing", "severity", "ratio"),
    [
        (-10, 10, None, 100.0),
        (-10, 9, Severity.INFO, 90.0),  # 10 % of the target is within the limit
        (-10, 8, Severity.CRITICAL, 80.0),
        (-8, 10, Severity.WARNING, 100.0),
        (0, 0, Severity.WARNING, 100.0),
    ],
)
def test_s3_variance_and_hedge_ratio(short: int, wing: int, severity: Severity | None, ratio: float) -> None:
    library = held_by(("g", {"short": -10, "wing": 10}))
    both = compared(balance(PUT.symbol, -10, short), balance(option(strike=STRIKE - 50_000).symbol, 10, wing))
    (check,) = check_groups(library, both, 10.0)
    assert (check.severity, check.hedge_ratio_pct) == (severity, ratio)
    assert (check.bought, check.sold) == (wing, -short)
    assert bool(check.text) == (severity is not None)


@pytest.mark.parametrize(
    ("end_of_day", "hours", "at", "ended"),
    [
        ("", "always", "2026-01-05T23:59:00", None),
        ("20:15", "always", "2026-01-05T20:14:59", ("2026-01-04T20:15:00", True)),
        ("20:15", "always", "2026-01-05T20:15:00", ("2026-01-05T20:15:00", False)),
        ("20:15", "us_options", "2026-01-05T20:14:59", ("2026-01-02T20:15:00", True)),  # the Friday before
        ("20:15", "nse", "2099-01-04T20:15:00", ("2099-01-04T20:15:00", False)),  # in no table
        ("close", "always", "2026-01-05T23:59:00", None),
        ("close", "us_options", "2026-01-05T20:59:59", ("2026-01-02T21:00:00", True)),
        ("close", "us_options", "2026-01-05T21:00:01", ("2026-01-05T21:00:00", False)),
        ("close", "us_options", "2026-01-06T04:59:59", ("2026-01-05T21:00:00", False)),  # 23:59:59 at the exchange
        ("close", "us_options", "2026-01-06T05:00:00", ("2026-01-05T21:00:00", True)),
        ("close", "us_options", "2026-01-04T21:00:01", ("2026-01-02T21:00:00", True)),  # a Sunday
        ("close", "us_options", "2026-11-28T12:00:00", ("2026-11-27T18:00:00", True)),  # an early close
        ("close", "nse", "2026-01-05T10:00:01", ("2026-01-05T10:00:00", False)),
        ("close", "nse", "2099-01-05T10:00:01", None),  # a year that no table covers
    ],
)
def test_e19_a_day_ends_at_its_close_or_at_the_configured_time(
    end_of_day: str, hours: str, at: str, ended: tuple[str, bool] | None
) -> None:
    """The latest that has ended, and whether its evening is over."""

    def ns(at: str) -> int:
        return int(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()) * 10**9

    expected = ended and DayEnd(ended[0][:10], ns(ended[0]), ended[1])
    assert day_to_close(ns(at), end_of_day, CALENDARS[hours], 0) == expected
    began_then = ns(ended[0]) if ended else 0
    assert day_to_close(ns(at), end_of_day, CALENDARS[hours], began_then) == (None if ended and ended[1] else expected)


def test_activities_wait_until_the_journals_have_heard_of_the_trades_that_the_snapshot_lists() -> None:
    library = held_by(("g", {"short": -2}))
    told = Activity("E1", ActivityKind.EXPIRY, PUT.symbol, 5, 0, AFTER)
    late = replace(balance(PUT.symbol, -5, 0, told), unheard=3)
    assert explain(compared(late, at_ns=AFTER), set(), library, {}, ALWAYS) == []
    assert [cause.quantity for cause in explain(compared(replace(late, unheard=0)), set(), library, {}, ALWAYS)] == [5]


@pytest.mark.parametrize(
    ("units", "settled_net"), [((-2, 10), -8), ((-2, 2), 0), ((10, -2), -8), ((-3, -4), 7), ((5, -5, 2), -2)]
)
def test_what_groups_held_of_an_expired_contract_against_each_other_is_over_with_it(
    units: tuple[int, ...], settled_net: int
) -> None:
    library = held_by(*((f"g{n}", {"short": held}) for n, held in enumerate(units)))
    told = [Activity("E1", ActivityKind.EXERCISE, PUT.symbol, settled_net, 0, AFTER)] if settled_net else []
    both = compared(balance(PUT.symbol, sum(units), 0, *told), at_ns=AFTER)
    causes = explain(both, set(), library, {}, ALWAYS)
    letters = allocate(causes, library, settled(both, causes, library, ALWAYS))
    gone = {letter.group_id: sum(change.quantity for change in letter.changes) for letter in letters}
    assert gone == {f"g{n}": -held for n, held in enumerate(units)}


@pytest.mark.parametrize(
    "one",
    [
        replace(balance(PUT.symbol, 0, 0), slack=1),  # an order of ours may have traded unseen
        replace(balance(PUT.symbol, 0, 0), unheard=1),
        balance(PUT.symbol, 0, 3),  # the broker still has some, and nothing tells why
    ],
)
def test_nothing_is_set_off_while_anything_is_open_or_the_contract_lives(one: SymbolBalance) -> None:
    library = held_by(("g0", {"short": -2}), ("g1", {"short": 2}))
    assert settled(compared(one, at_ns=AFTER), [], library, ALWAYS) == []
    assert settled(compared(balance(PUT.symbol, 0, 0), at_ns=BEFORE), [], library, ALWAYS) == []
    assert len(settled(compared(balance(PUT.symbol, 0, 0), at_ns=AFTER), [], library, ALWAYS)) == 1
