"""What is stopped, of which nobody is known to keep an alert: a fold of the gateway's records, as all that stands."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from decisions.gateway.standing import LOSS, TOLD, Standing
from decisions.gateway.standing_alerts import alert_of, told
from domain.calendar import calendar
from messages.records import ControlAction, ControlRecord

DAYS = calendar("always")
NOW = 1_609_770_600 * 10**9
SYMBOL = ControlRecord(
    subject="repeat/XYZ/buy", control="E8", action=ControlAction.DISABLED, symbol="XYZ", text="traded", at_ns=NOW
)
STRATEGY = replace(SYMBOL, subject="repeat/strategy/weekly", symbol="", text="applied")
LOST = ControlRecord(
    subject=LOSS, control="E11", action=ControlAction.REDUCING, text="lost", at_ns=NOW, until_ns=NOW + 10
)
ENABLED = replace(SYMBOL, action=ControlAction.ENABLED, at_ns=NOW + 1)
AGAIN = replace(SYMBOL, at_ns=NOW + 2)
STOPPED = (SYMBOL, STRATEGY, LOST)


def test_each_is_untold_until_its_own_record_is_told() -> None:
    for stopped in STOPPED:
        assert Standing([stopped]).untold(NOW) == [stopped]
        assert Standing([stopped, told(stopped)]).untold(NOW) == []
    assert Standing([SYMBOL, told(STRATEGY)]).untold(NOW) == [SYMBOL]


def test_what_is_stopped_again_is_told_again_and_what_is_over_never() -> None:
    assert Standing([SYMBOL, told(SYMBOL), ENABLED, AGAIN]).untold(NOW) == [AGAIN]
    assert Standing([SYMBOL, ENABLED]).untold(NOW) == []
    assert Standing([LOST]).untold(LOST.until_ns) == []


def test_that_it_was_told_is_one_record_a_subject_and_no_control_in_force() -> None:
    standing = Standing([SYMBOL, told(SYMBOL), ENABLED, AGAIN, told(AGAIN)])
    assert len(standing.beginning(TOLD)) == 1
    assert standing.all_disabled() == [AGAIN]


@given(st.permutations([*STOPPED, *map(told, STOPPED[:2])]))
def test_the_order_in_which_a_journal_gives_them_back_does_not_matter(records: list[ControlRecord]) -> None:
    assert Standing(records).untold(NOW) == [LOST]


def test_no_two_stops_have_one_alert() -> None:
    assert len({alert_of(stopped, DAYS) for stopped in (*STOPPED, AGAIN)}) == 4
