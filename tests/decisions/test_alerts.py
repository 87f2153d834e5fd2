"""When an alert is repeated and when it freezes new risk: to the nanosecond."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from order_cases import NOW

from config.schema import AlertsConfig
from decisions.alerts import freezes_ns, quiet_until_ns, repeat
from decisions.effects import MS
from domain.calendar import FOREVER_NS
from messages.records import EscalationRecord, Severity

CONFIG = AlertsConfig(repeat_ms=1_000, freeze_after_ms=5_000)
ALERT = EscalationRecord(
    escalation_id="KIND:g",
    group_id="g",
    severity=Severity.CRITICAL,
    kind="KIND",
    symbol="",
    quantity=0,
    text="",
    raised_ns=NOW,
    repeats=0,
    delivered_ns=NOW + 1,
    acknowledged_ns=0,
    acknowledged_by="",
)


@pytest.mark.parametrize(("late_ns", "due"), [(-1, False), (0, True), (1, True)])
def test_it_is_repeated_exactly_when_its_time_is_over(late_ns: int, due: bool) -> None:
    again = repeat(ALERT, NOW + 1_000 * MS + late_ns, CONFIG)
    assert (again is not None) == due
    if again is not None:
        assert (again.repeats, again.delivered_ns) == (1, 0)


def test_each_repeat_waits_for_its_own_time() -> None:
    once = repeat(ALERT, NOW + 1_000 * MS, CONFIG)
    assert once is not None
    assert repeat(once, NOW + 1_999 * MS, CONFIG) is None
    twice = repeat(once, NOW + 2_000 * MS, CONFIG)
    assert twice is not None
    assert twice.repeats == 2


def test_after_a_long_pause_it_is_repeated_once_and_not_many_times() -> None:
    again = repeat(ALERT, NOW + 7_500 * MS, CONFIG)
    assert again is not None
    assert again.repeats == 7
    assert repeat(again, NOW + 7_900 * MS, CONFIG) is None
    assert repeat(again, NOW + 8_000 * MS, CONFIG) is not None


@pytest.mark.parametrize("severity", [Severity.INFO, Severity.WARNING])
def test_what_is_not_critical_is_neither_repeated_nor_freezes(severity: Severity) -> None:
    alert = replace(ALERT, severity=severity)
    assert repeat(alert, NOW + 10**12, CONFIG) is None
    assert freezes_ns([alert], CONFIG) == FOREVER_NS


def test_an_acknowledged_alert_is_at_rest() -> None:
    alert = replace(ALERT, acknowledged_ns=NOW + 1, acknowledged_by="ada")
    assert repeat(alert, NOW + 10**12, CONFIG) is None
    assert freezes_ns([alert], CONFIG) == FOREVER_NS


def test_it_freezes_new_risk_exactly_at_its_deadline() -> None:
    young = replace(ALERT, raised_ns=NOW + 10_000 * MS)
    assert freezes_ns([young, ALERT], CONFIG) == NOW + 5_000 * MS
    assert freezes_ns([young], CONFIG) == NOW + 15_000 * MS
    assert freezes_ns([], CONFIG) == FOREVER_NS


def test_one_that_was_raised_before_any_clock_was_heard_has_no_deadline_yet() -> None:
    timeless = replace(ALERT, raised_ns=0)
    assert freezes_ns([timeless], CONFIG) == FOREVER_NS
    begun = repeat(timeless, NOW, CONFIG)
    assert begun is not None and freezes_ns([begun], CONFIG) == NOW + 5_000 * MS


@st.composite
def waiting(draw: st.DrawFn) -> list[EscalationRecord]:
    found = []
    for number in range(draw(st.integers(0, 4))):
        severity, raised_ms = draw(st.sampled_from(Severity)), draw(st.none() | st.integers(-9_000, 0))
        found.append(
            replace(
                ALERT,
                escalation_id=f"KIND:{number}",
                severity=severity,
                raised_ns=0 if raised_ms is None else NOW + raised_ms * MS,
                repeats=draw(st.integers(0, 9)),
                acknowledged_ns=draw(st.sampled_from([0, 0, NOW])),
            )
        )
    return found


@given(waiting(), st.integers(0, 9_000))
def test_until_the_next_look_nothing_is_due_and_then_something_is(
    alerts: list[EscalationRecord], later_ms: int
) -> None:
    told = [repeat(alert, NOW, CONFIG) or alert for alert in alerts]
    quiet_ns = quiet_until_ns(told, NOW, CONFIG)
    assert quiet_ns > NOW
    for now_ns in {min(NOW + later_ms * MS, quiet_ns - 1), quiet_ns - 1}:
        assert not [alert for alert in told if repeat(alert, now_ns, CONFIG)]
    if quiet_ns < FOREVER_NS:
        assert any(repeat(alert, quiet_ns, CONFIG) for alert in told)
