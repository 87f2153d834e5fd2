"""R21: whose units come and go without an order; what is done by hand and undone is charged to no group."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace
from test_position_changes import ALWAYS, BEFORE, PUT, balance, compared, held_by

from decisions.positions.books import BY_HAND
from decisions.positions.library import Library
from decisions.positions.position_changes import Cause, allocate, explain
from decisions.positions.position_checks import shares_of_groups
from domain.groups import GroupOutcome, Mode
from messages.orders import Activity, ActivityKind
from messages.positions import PositionsMoved
from messages.records import PositionEventRecord, PositionKind

SYMBOL = PUT.symbol
KINDS = st.sampled_from(list(PositionKind))


def moved(quantity: int, kind: PositionKind = PositionKind.MANUAL, **more: object) -> Cause:
    return Cause(symbol=SYMBOL, quantity=quantity, kind=kind, evidence="?", **more)  # type: ignore[arg-type]


def parts(letters: list[PositionsMoved]) -> dict[str, int]:
    """Units by group; nobody's under ""."""
    found = {one.group_id: sum(change.quantity for change in one.changes) for one in letters}
    return {group_id: units for group_id, units in found.items() if units}


def journaled(library: Library, *letters: PositionsMoved) -> None:
    """The letters become durable."""
    for letter in letters:
        for number, change in enumerate(letter.changes, start=letter.after):
            library.books[0].follow(
                PositionEventRecord(
                    event_id=f"{letter.group_id}/then/{number}", group_id=letter.group_id, leg_id=change.leg_id,
                    symbol=change.symbol, quantity=change.quantity, kind=change.kind, evidence=change.evidence,
                    activity_id=change.activity_id, price=change.price, ts_ns=change.ts_ns,
                )
            )  # fmt: skip


def with_nobodys(library: Library, units: int) -> Library:
    """Somebody holds so many beside what the groups do."""
    library.books[0].follow(
        PositionEventRecord(
            event_id="account-0/0", group_id="", leg_id="", symbol=SYMBOL, quantity=units, kind=PositionKind.MANUAL,
            evidence="", activity_id="before", price=0, ts_ns=1,
        )
    )  # fmt: skip
    return library


def given_up(library: Library, name: str, mode: Mode = Mode.REDUCING) -> Library:
    record = library.books[0].groups[name]
    library.books[0].follow(replace(record, quarantined=True, mode=mode, outcome=GroupOutcome.HALTED))
    return library


@pytest.mark.parametrize(
    ("groups", "nobodys", "change", "expected"),
    [
        ((-10,), -4, 4, {"": 4}),  # bought back
        ((-10,), -4, 3, {"": 3}),
        ((-10,), -4, 6, {"": 4, "g0": 2}),  # and two of the group's with them
        ((-10,), -4, 20, {"": 10, "g0": 10}),  # and more than all of them
        ((-10, -3), -4, 16, {"": 4, "g0": 10, "g1": 2}),
        ((10,), 4, -4, {"": -4}),
        ((10,), 4, -5, {"": -4, "g0": -1}),
        ((10,), -4, -4, {"g0": -4}),  # what is nobody's has the same sign: it is not undone
        ((-10,), 4, 4, {"g0": 4}),
        ((-10,), -4, -4, {"": -4}),
        ((-10, 7), -4, 5, {"": 4, "g0": 1}),
        ((-10, 7), 0, 5, {"g0": 5}),
    ],
)
@pytest.mark.parametrize("kind", PositionKind)
def test_what_is_nobodys_goes_before_what_groups_hold(
    groups: tuple[int, ...], nobodys: int, change: int, expected: dict[str, int], kind: PositionKind
) -> None:
    library = held_by(*((f"g{n}", {"short": units}) for n, units in enumerate(groups)))
    if nobodys:
        with_nobodys(library, nobodys)
    letters = allocate([moved(change, kind)], library)
    assert parts(letters) == expected
    assert all(change.before == nobodys for one in letters if not one.group_id for change in one.changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ((-4, 4, -3), {"": -3}),
        ((4, -4, -3), {"": -3}),  # bought back first, and sold again: nobody has lost anything
        ((4, -4, 3), {"g0": 3}),
        ((5, -2), {"g0": 3}),
        ((-2, 5), {"g0": 3}),
        ((1, -3, 3), {"g0": 1}),
    ],
)
def test_changes_that_come_in_one_look_make_up_for_each_other(
    changes: tuple[int, ...], expected: dict[str, int]
) -> None:
    library = held_by(("g0", {"short": -10}))
    told = [Activity(f"E{n}", ActivityKind.MANUAL, SYMBOL, units, 0, n) for n, units in enumerate(changes)]
    both = compared(balance(SYMBOL, -10, -10 + sum(changes), *told), at_ns=BEFORE)
    letters = allocate(explain(both, set(), library, {}, ALWAYS), library)
    assert parts(letters) == expected
    journaled(library, *letters)
    assert [library.booked(one.activity_id) for one in told] == list(changes), "each is taken in full"


@pytest.mark.parametrize(("undone", "nobodys", "held"), [(5, -3, -10), (3, -3, -10)])
def test_a_larger_change_and_its_part_undone_leave_what_is_nobodys_enough(undone: int, nobodys: int, held: int) -> None:
    library = with_nobodys(held_by(("g0", {"short": held})), nobodys)
    for order in ((undone, -2), (-2, undone)):
        letters = allocate([moved(units) for units in order], library)
        assert parts(letters) == {"": undone - 2}, "the group answers for nothing"


@pytest.mark.parametrize("kind", PositionKind)
@pytest.mark.parametrize("mode", [Mode.REDUCING, Mode.LEFT])
def test_a_group_that_was_given_up_comes_first_where_somebody_traded_by_hand(kind: PositionKind, mode: Mode) -> None:
    library = given_up(held_by(("old", {"short": -10}), ("young", {"short": -10})), "young", mode)
    expected = {"young": 10, "old": 2} if kind in BY_HAND else {"old": 10, "young": 2}
    assert parts(allocate([moved(12, kind)], library)) == expected


def test_a_group_that_only_reduces_is_not_given_up() -> None:
    library = held_by(("old", {"short": -10}), ("young", {"short": -10}))
    record = library.books[0].groups["young"]
    library.books[0].follow(replace(record, quarantined=True, mode=Mode.REDUCING, outcome=GroupOutcome.OPEN))
    assert parts(allocate([moved(4)], library)) == {"old": 4}


@given(
    held=st.lists(st.integers(-20, -1) | st.integers(1, 20), min_size=1, max_size=3),
    nobodys=st.integers(-20, 20),
    change=st.integers(-40, 40).filter(bool),
    kinds=st.tuples(KINDS, KINDS),
)
def test_a_change_of_what_is_nobodys_followed_by_its_undo_leaves_every_group_as_it_was(
    held: list[int], nobodys: int, change: int, kinds: tuple[PositionKind, PositionKind]
) -> None:
    library = held_by(*((f"g{n}", {"short": units}) for n, units in enumerate(held)))
    if nobodys:
        with_nobodys(library, nobodys)
    assume(change * nobodys >= 0)  # what brings nobody's to nothing is an undo itself
    before, account = library.held(), library.totals().get(SYMBOL, 0)
    there = allocate([moved(change, kinds[0])], library)
    journaled(library, *there)
    lost = parts(there)
    assert library.totals().get(SYMBOL, 0) == account + change
    back = allocate([moved(-change, kinds[1])], library)
    if not lost.keys() - {""}:
        assert parts(back).keys() <= {""}
        journaled(library, *back)
        assert library.held() == before
        assert library.foreign().get(SYMBOL, 0) == nobodys


@given(
    held=st.lists(st.integers(-20, -1) | st.integers(1, 20), min_size=1, max_size=3),
    nobodys=st.integers(-20, 20),
    changes=st.lists(st.tuples(st.integers(-20, 20).filter(bool), KINDS), min_size=1, max_size=4),
)
def test_groups_lose_no_more_than_the_net_of_a_look_and_no_unit_while_nobody_has_one_of_its_sign(
    held: list[int], nobodys: int, changes: list[tuple[int, PositionKind]]
) -> None:
    library = held_by(*((f"g{n}", {"short": units}) for n, units in enumerate(held)))
    if nobodys:
        with_nobodys(library, nobodys)
    found = parts(allocate([moved(*change) for change in changes], library))
    net = sum(units for units, _ in changes)
    charged = sum(found.get(f"g{n}", 0) for n in range(len(held)))
    spare = min(abs(net), abs(nobodys)) if nobodys * net < 0 else 0
    able = sum(abs(units) for units in held if units * net < 0)
    assert abs(charged) == min(abs(net) - spare, able)
    assert sum(found.values()) == net


def test_shares_that_a_group_was_assigned_and_a_person_sold_again_are_made_up_for() -> None:
    library = held_by(("g", {"short": -10}))
    came = replace(moved(300, PositionKind.ASSIGNMENT, option=SYMBOL), symbol="XYZ")
    journaled(library, *allocate([moved(3, PositionKind.ASSIGNMENT), came], library))
    (letter,) = allocate([replace(moved(-300), symbol="XYZ")], library)
    assert (letter.group_id, letter.changes[0].before, letter.changes[0].quantity) == ("", 300, -300)


@pytest.mark.parametrize("later", [False, True], ids=["at once", "a look later"])
@pytest.mark.parametrize(("units", "owner"), [(4, ""), (6, "g")])
def test_shares_are_whose_the_option_was(units: int, owner: str, later: bool) -> None:
    library = with_nobodys(held_by(("g", {"short": -10})), -4)
    shares = replace(moved(100 * units, PositionKind.ASSIGNMENT, option=SYMBOL), symbol="XYZ")
    gone = [moved(units, PositionKind.ASSIGNMENT, ts_ns=BEFORE)]
    if later:
        journaled(library, *allocate(gone, library))
    letters = allocate([shares] if later else [*gone, shares], library)
    (found,) = [one.group_id for one in letters if any(change.symbol == "XYZ" for change in one.changes)]
    assert found == owner


def test_a_difference_that_is_not_explained_yet_is_measured_as_it_will_be_handed_out() -> None:
    library = given_up(with_nobodys(held_by(("old", {"short": -10}), ("young", {"short": -10})), -4), "young")
    assert shares_of_groups(library, compared(balance(SYMBOL, -24, -18)))["young", "short"] == -8
    told = Activity("E1", ActivityKind.ASSIGNMENT, SYMBOL, 6, 0, BEFORE)
    assert shares_of_groups(library, compared(balance(SYMBOL, -24, -18, told)))["old", "short"] == -8


@pytest.mark.parametrize(("numbers", "after"), [((), 0), ((0,), 1), ((0, 1), 2), ((1,), 2), ((5, 2), 6)])
def test_S9_a_letter_s_number_is_beyond_those_that_are_there_however_many_are_missing(
    numbers: tuple[int, ...], after: int
) -> None:
    library = held_by()
    for number in numbers:  # those before it were lost with an older copy of the journal
        library.books[0].follow(
            PositionEventRecord(
                event_id=f"account-0/{number}", group_id="", leg_id="", symbol=SYMBOL, quantity=1,
                kind=PositionKind.MANUAL, evidence="", activity_id=f"a{number}", price=0, ts_ns=1,
            )
        )  # fmt: skip
    (letter,) = [one for one in allocate([moved(1)], library) if not one.group_id]
    assert letter.after == after
    journaled(library, letter)
    (following,) = [one for one in allocate([moved(1)], library) if not one.group_id]
    assert following.letter_id != letter.letter_id
