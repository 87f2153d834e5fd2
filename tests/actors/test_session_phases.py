"""E4: every control holds in every phase of the session, judged by what the broker sees."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from gateway_door import LONG, Door, door, order

from config.schema import ControlsConfig
from domain.execution import Side
from domain.groups import Role
from domain.trading import TradingState
from messages.controls import SetTradingState
from messages.market import MarketStatus

ENTRY = order(LONG, Side.BUY)
REPAIR = order(LONG, Side.BUY, role=Role.HEDGE, ordinal=1)
ABSURD = order(LONG, Side.BUY, price=50_0000, role=Role.HEDGE, ordinal=2)
NEW_YORK = "us_options"


def at(text: str) -> int:
    """Nanoseconds of a time in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def go_to(gateway: Door, text: str) -> None:
    """The broker's clock says this (UTC), and everything is quoted."""
    gateway.now_ns = at(text)
    gateway.passes(100)
    gateway.quotes()


@pytest.mark.parametrize(
    ("when", "why"),
    [
        ("2021-01-04T21:00", "E4: the us_options session is closed; it opens 2021-01-05 09:30 EST"),
        ("2021-01-05T13:00", "E4: the us_options session has not begun; it opens 2021-01-05 09:30 EST"),
        ("2021-01-09T16:00", "E4: the us_options session is closed; it opens 2021-01-11 09:30 EST"),
    ],
    ids=["after the close", "before the opening", "on a Saturday"],
)
def test_e4_nothing_leaves_while_the_session_is_closed(tmp_path: Path, when: str, why: str) -> None:
    with door(tmp_path, calendar=NEW_YORK) as gateway:
        go_to(gateway, when)
        assert gateway.refusals(ENTRY, REPAIR) == [why, why]
        assert gateway.sent == []
        assert gateway.refused_by("E4") == 2


def test_e4_nothing_leaves_while_the_exchange_has_halted_trading(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        gateway.hears(MarketStatus(halted=True, reason="circuit breaker"))
        assert [reason.startswith("E4: ") for reason in gateway.refusals(ENTRY, REPAIR)] == [True, True]
        gateway.hears(MarketStatus(halted=False))
        again = order(LONG, Side.BUY, attempt=2)
        assert gateway.refusals(again) == []
        assert gateway.sent == [again]


def test_e4_on_a_day_that_no_table_covers_repairs_leave_and_every_other_control_still_holds(tmp_path: Path) -> None:
    gateway = Door(tmp_path, ControlsConfig(), NEW_YORK)
    gateway.now_ns = at("2014-06-02T15:00")
    try:
        gateway.go_live()
        large = order(LONG, Side.BUY, 1_001, role=Role.HEDGE, ordinal=3)
        assert [reason.partition(":")[0] for reason in gateway.refusals(ABSURD, large)] == ["E2", "E17"]
        assert gateway.refusals(ENTRY)[0].startswith("E4: the us_options calendar covers 2015 to 2027")
        assert gateway.refusals(REPAIR) == []
        assert gateway.sent == [REPAIR]
    finally:
        gateway.on_exit()


@pytest.mark.parametrize("when", ["2021-01-04T14:30", "2021-01-04T18:00", "2021-01-04T20:59"])
def test_e4_the_controls_are_the_same_at_the_opening_at_noon_and_before_the_close(tmp_path: Path, when: str) -> None:
    with door(tmp_path, calendar=NEW_YORK, max_order_qty=10) as gateway:
        go_to(gateway, when)
        large = order(LONG, Side.BUY, 11, ordinal=3)
        assert [reason.partition(":")[0] for reason in gateway.refusals(ABSURD, large)] == ["E2", "E1"]
        assert gateway.refusals(REPAIR) == []
        assert gateway.sent == [REPAIR]
        gateway.told(SetTradingState(TradingState.REDUCING, "odd quotes", "maria"))
        assert gateway.refusals(ENTRY) == ["trading-state: odd quotes (maria)"]
