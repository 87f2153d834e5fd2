"""What a snapshot says again: news until it cannot lag any more, and then no news, whatever was said in between."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.execution import ExecType, ExecutionReport, OrdStatus
from domain.listings import Listings
from domain.orders import OrderState, merge

LAG_NS = 10


def status(ts_ns: int, cum_qty: int = 0, order_id: str = "X") -> ExecutionReport:
    return ExecutionReport(
        client_order_id=order_id,
        exec_type=ExecType.ORDER_STATUS,
        ord_status=OrdStatus.PARTIALLY_FILLED if cum_qty else OrdStatus.NEW,
        exec_id="",
        ts_ns=ts_ns,
        order_qty=100,
        cum_qty=cum_qty,
        leaves_qty=100 - cum_qty,
    )


def fill(ts_ns: int, cum_qty: int) -> ExecutionReport:
    return replace(
        status(ts_ns, cum_qty), exec_type=ExecType.TRADE, exec_id=f"e{cum_qty}", last_qty=1, last_px=100, avg_px=100
    )


def told(listings: Listings, as_of_ns: int, *reports: ExecutionReport) -> set[str]:
    return set(listings.news(reports, as_of_ns))


def test_a_status_is_news_until_a_snapshot_has_said_it_that_cannot_lag_behind_what_was_told_before() -> None:
    listings = Listings(LAG_NS)
    assert [told(listings, at, status(at)) for at in (0, 5, 10, 11, 30)] == [{"X"}, {"X"}, {"X"}, set(), set()]
    assert "X" in listings, "what is no news is listed all the same: its order is not absent"


def test_other_news_of_an_order_makes_the_next_snapshots_news_of_it_again() -> None:
    listings = Listings(LAG_NS)
    for at in (0, 10):
        told(listings, at, status(at), status(at, order_id="Y"))
    listings.heard("X")
    for at, news in ((20, {"X"}), (25, {"X"}), (30, {"X"}), (31, set())):
        assert told(listings, at, status(at), status(at, order_id="Y")) == news


def test_whatever_differs_is_news_and_so_is_what_comes_back() -> None:
    listings = Listings(LAG_NS)
    for at in (0, 10):
        told(listings, at, status(at))
    assert told(listings, 20, status(20, cum_qty=1)) == {"X"}
    assert told(listings, 21, fill(3, 1), status(21, cum_qty=1)) == {"X"}, "a trade that was not listed before"
    for at in (30, 40):
        told(listings, at, fill(3, 1), status(at, cum_qty=1))
    assert not told(listings, 50, fill(3, 1), status(50, cum_qty=1))
    assert told(listings, 51, status(51, cum_qty=1)) == {"X"}, "a trade that is not listed any more"
    assert not told(listings, 52)
    assert "X" not in listings
    assert told(listings, 53, status(53, cum_qty=1)) == {"X"}


def test_after_a_new_session_or_a_crash_all_is_news_once_more() -> None:
    listings = Listings(0)
    for at in (0, 1):
        told(listings, at, status(at))
    assert not told(listings, 2, status(2))
    listings.forget()
    assert told(listings, 3, status(3)) == {"X"}


EVENTS = st.lists(st.sampled_from(["fill", "fill unheard", "fill told late", "snapshot", "snapshot", "snapshot"]))


@given(EVENTS, st.integers(0, 3))
def test_whoever_hears_only_the_news_knows_the_same_as_who_hears_all(events: list[str], lag: int) -> None:
    listings, everything, news_only = Listings(lag), OrderState.new("X", 100), OrderState.new("X", 100)
    fills: list[ExecutionReport] = []
    late: list[ExecutionReport] = []
    for at, event in enumerate([*events, "snapshot"], start=1):
        if event != "snapshot":
            fills.append(fill(at, len(fills) + 1))
        heard = fills[-1:] if event == "fill" else []
        if event == "fill told late":
            late.append(fills[-1])
        if event == "snapshot":
            now = [*fills, status(at, len(fills))]
            for report in now:
                everything = merge(everything, report).state
            for report in listings.news(now, at).get("X", []):
                news_only = merge(news_only, report).state
            heard, late = late, []
        for report in heard:
            listings.heard("X")
            everything, news_only = merge(everything, report).state, merge(news_only, report).state
        if event == "snapshot":
            assert news_only.executions == everything.executions
            assert news_only.ord_status is everything.ord_status
            assert news_only.leaves_qty == everything.leaves_qty
            assert news_only.reported_cum_qty == everything.reported_cum_qty
