"""What each phase of a session lets through, and what is restricted."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from gateway_cases import INSTRUMENT, QUOTE, an_order
from msgspec.structs import replace

from config.load import CHOICES
from config.schema import ControlsConfig
from decisions.gateway.controls import Controls
from decisions.gateway.ledger import Ledger
from decisions.gateway.session import MarketHours, entry_refusal, repair_refusal, restriction
from domain.calendar import CALENDARS, Phase
from domain.groups import Role
from messages.market import MarketStatus


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


OPEN, BEFORE = at("2026-11-20T15:00:00"), at("2026-11-20T14:00:00")
AFTER, BEYOND = at("2026-11-20T21:00:00"), at("2031-03-03T15:00:00")


@pytest.mark.parametrize(
    ("now_ns", "phase", "entries", "repairs"),
    [
        (OPEN, Phase.OPEN, True, True),
        (BEFORE, Phase.PRE_OPEN, False, False),
        (AFTER, Phase.CLOSED, False, False),
        (BEYOND, Phase.UNKNOWN, False, True),
    ],
)
def test_each_phase_lets_through_what_can_trade_in_it(now_ns: int, phase: Phase, entries: bool, repairs: bool) -> None:
    standing = MarketHours("us_options").at(now_ns)
    assert standing.phase is phase
    assert (entry_refusal(standing) == "") is entries
    assert (repair_refusal(standing) == "") is repairs


def test_a_halt_by_the_exchanges_word_goes_before_the_table_until_it_resumes() -> None:
    hours = MarketHours("us_options")
    assert hours.at(OPEN).phase is Phase.OPEN
    hours.status = MarketStatus(halted=True, reason="level 1 circuit breaker")
    assert hours.at(OPEN + 1).phase is Phase.HALTED
    assert "the exchange has halted trading: level 1 circuit breaker" in hours.at(OPEN).text
    assert hours.at(AFTER).phase is Phase.CLOSED
    hours.status = MarketStatus(halted=False)
    assert hours.at(OPEN).phase is Phase.OPEN


def test_the_answer_that_is_kept_ends_with_its_phase() -> None:
    hours = MarketHours("us_options")
    assert [hours.at(now).phase for now in (BEFORE, OPEN - 30 * 60 * 10**9, OPEN, AFTER - 1, AFTER)] == [
        Phase.PRE_OPEN, Phase.OPEN, Phase.OPEN, Phase.OPEN, Phase.CLOSED,
    ]  # fmt: skip


@pytest.mark.parametrize("now_ns", [OPEN, BEFORE, AFTER, BEYOND])
@pytest.mark.parametrize("role", [Role.RISK, Role.HEDGE, Role.CLOSE])
def test_the_gateway_applies_the_same_controls_in_every_phase(now_ns: int, role: Role) -> None:
    """E4: a phase only adds a reason to refuse; an order that is wrong is refused in all of them."""
    controls = Controls(ControlsConfig(), "us_options")
    controls.learn([replace(INSTRUMENT, expiry="")])
    quotes = {INSTRUMENT.symbol: replace(QUOTE, ts_ns=now_ns)}
    wrong = an_order(role=role, quantity=0)
    assert not controls.judge(wrong, quotes, Ledger(), now_ns=now_ns, killed=False).allowed


@pytest.mark.parametrize(
    ("now_ns", "role", "refused"),
    [
        (OPEN, Role.RISK, ""),
        (AFTER, Role.RISK, "E4: the us_options session is closed; it opens 2026-11-23 09:30 EST"),
        (AFTER, Role.HEDGE, "E4: the us_options session is closed; it opens 2026-11-23 09:30 EST"),
        (BEFORE, Role.CLOSE, "E4: the us_options session has not begun; it opens 2026-11-20 09:30 EST"),
        (BEYOND, Role.PROTECTION, "E4: the us_options calendar covers 2015 to 2027"),
        (BEYOND, Role.HEDGE, ""),
    ],
)
def test_the_gateway_refuses_what_the_session_does_not_let_through_and_says_when_it_will(
    now_ns: int, role: Role, refused: str
) -> None:
    controls = Controls(ControlsConfig(), "us_options")
    controls.learn([replace(INSTRUMENT, expiry="")])
    quotes = {INSTRUMENT.symbol: replace(QUOTE, ts_ns=now_ns)}
    judged = controls.judge(an_order(role=role), quotes, Ledger(), now_ns=now_ns, killed=False)
    assert judged.allowed == (refused == "")
    assert judged.reason.startswith(refused)
    assert "E4" in judged.checks


def test_an_expired_contract_is_refused_from_the_close_of_its_last_session() -> None:
    controls = Controls(ControlsConfig(), "us_options")
    controls.learn([replace(INSTRUMENT, expiry="2026-11-27")])
    last, over = at("2026-11-27T17:59:59"), at("2026-11-30T15:00:00")
    for now_ns, allowed in ((last, True), (over, False)):
        quotes = {INSTRUMENT.symbol: replace(QUOTE, ts_ns=now_ns)}
        judged = controls.judge(an_order(role=Role.HEDGE), quotes, Ledger(), now_ns=now_ns, killed=False)
        assert judged.allowed == allowed, judged.reason
        assert allowed or judged.reason.endswith("expired on 2026-11-27")


def test_what_is_restricted_may_be_reduced_and_not_opened() -> None:
    controls = Controls(ControlsConfig(restricted=(INSTRUMENT.underlying.lower(),)))
    controls.learn([INSTRUMENT])
    quotes = {INSTRUMENT.symbol: replace(QUOTE, ts_ns=1)}
    refused = controls.judge(an_order(role=Role.PROTECTION), quotes, Ledger(), now_ns=1, killed=False)
    why = "is restricted (controls.restricted): it may be reduced, not opened"
    assert refused.reason == f"E17: {INSTRUMENT.underlying} {why}"
    assert controls.judge(an_order(role=Role.CLOSE), quotes, Ledger(), now_ns=1, killed=False).allowed


def test_the_configuration_offers_the_calendars_that_there_are() -> None:
    assert set(CHOICES["broker", "calendar"]) == set(CALENDARS)


def test_a_symbol_is_restricted_whatever_its_blanks() -> None:
    osi = replace(INSTRUMENT, symbol="GOOG  160115C00750000", underlying="GOOG")
    assert restriction(osi, ["GOOG 160115C00750000"])
    assert restriction(osi, ["goog"])
    assert not restriction(osi, ["GOO"])
