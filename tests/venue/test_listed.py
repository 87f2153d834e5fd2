"""The record says by which lot, tick and freeze quantity an order was to be judged, and what its session was told."""

from __future__ import annotations

from itertools import count

from house import CALL, House, option
from msgspec.structs import replace

from domain.instruments import Instrument
from venue.audit.listings import Listings
from venue.exchange import Exchange
from venue.truth import TruthEvent

ONE = option(100)
BY_TENS = replace(ONE, lot_size=10, freeze_qty=25)
DEARER = replace(ONE, tick_size=1_000)


def noted(events: list[TruthEvent]) -> list[tuple[int | None, float | None, int | None]]:
    return [(e.lot_size, e.tick_size, e.largest_qty) for e in events if e.kind == "listing"]


def test_a_contract_is_noted_before_its_first_order_and_when_it_is_listed_otherwise() -> None:
    house = House()
    house.exchange.relist([option(105)], house.now)
    assert house.listings == [], "a list that says the same is no news"
    house.submit("a")
    house.submit("b")
    assert noted(house.listings) == [(1, 0.05, 50)]
    house.exchange.relist([BY_TENS], house.now)
    house.submit("c", quantity=10)
    assert noted(house.listings) == [(1, 0.05, 50), (10, 0.05, 20)]
    assert {event.symbol for event in house.listings} == {CALL}


def test_what_was_not_traded_yet_is_noted_as_it_was_and_as_it_is_now() -> None:
    house = House()
    house.exchange.relist([replace(ONE, freeze_qty=None)], house.now)
    assert noted(house.listings) == [(1, 0.05, 50), (1, 0.05, 0)]


def test_a_house_that_comes_back_with_another_list_says_so_when_it_tells_it() -> None:
    house = House()
    house.submit("a")
    told: list[TruthEvent] = []
    again = Exchange([BY_TENS], house.rules, told.append)
    again.resume([*house.listings, *house.truth])
    assert again.tell_list(7, house.now) == (BY_TENS,)
    assert noted(told) == [(10, 0.05, 20)]
    assert (told[-1].kind, told[-1].session) == ("list_told", 7)
    later = Exchange([BY_TENS], house.rules, told.append)
    later.resume(told)
    assert later.last_session == 7, "the next connection is no other one's"


class Known:
    """The record of a contract and of what was told, line by line as it is called; times in seconds."""

    def __init__(self, plan: Instrument = ONE) -> None:
        self.plan, self.listings, self.lines = plan, Listings(), count()

    def listed(self, at_s: int, how: Instrument) -> None:
        self.listings.take(
            next(self.lines),
            TruthEvent(
                kind="listing", ts_ns=at_s * 10**9, symbol=CALL, lot_size=how.lot_size, tick_size=how.tick_size / 1e4,
                largest_qty=how.max_order_qty,
            ),
        )  # fmt: skip

    def told(self, at_s: int, session: int = 1) -> None:
        self.listings.take(next(self.lines), TruthEvent(kind="list_told", ts_ns=at_s * 10**9, session=session))

    def received(self, at_s: int, session: int = 1) -> tuple[int, TruthEvent]:
        return next(self.lines), TruthEvent(kind="order_received", ts_ns=at_s * 10**9, symbol=CALL, session=session)

    def by(self, order: tuple[int, TruthEvent], in_flight_s: int = 0) -> list[tuple[int, int, int]]:
        return [known[1:] for known in self.listings.known(self.plan, *order, in_flight_s * 10**9)]

    def at(self, at_s: int, session: int = 1, in_flight_s: int = 0) -> list[tuple[int, int, int]]:
        return self.by(self.received(at_s, session), in_flight_s)


OLD, TENS = (1, 500, 50), (10, 500, 20)


def test_what_changed_after_the_list_was_told_is_not_known_to_that_session() -> None:
    known = Known()
    known.told(1)
    known.listed(2, ONE)
    early = known.received(4)
    known.listed(5, BY_TENS)
    assert known.by(early) == [OLD]
    assert known.at(6) == [OLD, TENS], "the order may be right by what its sender was told, or by what holds now"


def test_what_changed_before_the_list_was_told_is_known_to_that_session() -> None:
    known = Known()
    known.told(1)
    known.listed(2, ONE)
    known.listed(5, BY_TENS)
    known.told(6, session=2)
    assert known.at(7, session=2) == [TENS]
    assert known.at(7, session=1) == [OLD, TENS], "of another session's list this one knows nothing"
    assert known.at(7, session=3) == [TENS], "a session that was told nothing has nothing to go by"


def test_what_changed_in_the_very_moment_in_which_the_list_was_told_is_known_if_it_changed_first() -> None:
    after = Known()
    after.told(1)
    after.listed(1, ONE)
    after.listed(1, BY_TENS)
    assert after.at(2) == [OLD, TENS], "the exchange's clock stood still, and yet the list was told before"
    before = Known()
    before.listed(1, ONE)
    before.listed(1, BY_TENS)
    before.told(1)
    assert before.at(2) == [TENS]


def test_what_changed_in_the_very_moment_in_which_an_order_came_is_its_measure_if_it_changed_first() -> None:
    known = Known()
    known.listed(1, ONE)
    known.told(1)
    order = known.received(2)
    known.listed(2, BY_TENS)
    assert known.by(order) == [OLD]
    assert known.at(2) == [OLD, TENS]


def test_a_list_that_is_told_again_may_cross_an_order_that_is_on_its_way() -> None:
    known = Known()
    known.told(1)
    known.listed(1, ONE)
    known.listed(5, BY_TENS)
    known.told(6)
    assert known.at(8, in_flight_s=3) == [OLD, TENS]
    assert known.at(9, in_flight_s=3) == [TENS]


def test_the_first_list_of_a_session_crosses_nothing() -> None:
    known = Known()
    known.listed(1, ONE)
    known.listed(5, BY_TENS)
    known.told(6)
    assert known.at(7, in_flight_s=3) == [TENS]


def test_a_record_without_listings_has_the_plans_own() -> None:
    assert Known(DEARER).at(3) == [(1, 1_000, 50)]
