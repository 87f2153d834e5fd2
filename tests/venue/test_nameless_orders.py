"""Orders without exec ids at the embedded exchange: told one way for good, recorded, and repeated under a new time."""

from __future__ import annotations

from house import House

from domain.execution import ExecType, Side
from venue.chain import US
from venue.exchange import Exchange
from venue.nasty import Mischief, Nasty
from venue.retelling import as_told, told_again
from venue.truth import TruthEvent


def test_no_report_of_a_nameless_order_has_an_id_and_every_line_of_the_record_says_so() -> None:
    house = House()
    house.quote(10_000, 10_500)
    reports = house.submit("a", nameless=True).reports
    fill = next(each for each in reports if each.exec_type is ExecType.TRADE)
    told = [as_told(each, house.exchange.nameless) for each in (*reports, *house.bust(fill.exec_id))]
    assert {(each.exec_id, each.exec_ref_id) for each in told} == {("", "")}
    assert told[-1].exec_type is ExecType.TRADE_CANCEL
    assert all(event.nameless and event.exec_id for event in house.truth if event.kind != "order_received")
    named = house.submit("b").reports
    assert all(as_told(each, house.exchange.nameless).exec_id for each in named)


def test_a_second_order_under_an_id_is_told_like_the_first_and_so_it_is_after_a_restart() -> None:
    house = House(deduplicate=False)
    house.submit("a", nameless=True)
    house.submit("b")
    house.submit("a")
    house.submit("b", side=Side.SELL, nameless=True)
    assert set(house.exchange.nameless) == {"a"}
    again: list[TruthEvent] = []
    resumed = Exchange(house.exchange.instruments.values(), house.rules, again.append)
    resumed.resume(house.truth)
    assert set(resumed.nameless) == {"a"}


def test_what_is_told_again_has_a_new_time_only_where_nothing_else_tells_it_from_news() -> None:
    house = House()
    house.quote(10_000, 10_500)
    named, *_ = house.submit("a").reports
    nameless = as_told(named, {"a"})
    later_ns = US.open_ns + 10**12
    assert told_again(named, later_ns) == named
    assert told_again(nameless, later_ns).ts_ns == later_ns
    assert told_again(nameless, 0).ts_ns == named.ts_ns


def test_a_report_is_told_again_seconds_later_or_not_at_all() -> None:
    assert 2.5 <= Mischief(Nasty(repeat_report=1.0), 1).again_s() <= 4.0
    assert Mischief(Nasty(), 1).again_s() == 0.0
