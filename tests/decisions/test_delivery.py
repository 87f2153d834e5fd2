"""Every alert is filed, sent, sent again and confirmed; nothing that hangs holds up anything else."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from config.schema import AlertsConfig
from decisions.delivery import BATCH, Attempt, Outbox
from messages.records import EscalationRecord, Severity

CONFIG = AlertsConfig(sink_timeout_ms=1_000, retry_ms=100, retry_max_ms=400, queue=50)
INFO, WARNING, CRITICAL = Severity


def alert(name: str, severity: Severity = WARNING, repeats: int = 0) -> EscalationRecord:
    blank: dict[str, Any] = dict.fromkeys(("group_id", "kind", "symbol", "text", "acknowledged_by"), "")
    blank |= dict.fromkeys(("quantity", "raised_ns", "delivered_ns", "acknowledged_ns"), 0)
    return EscalationRecord(escalation_id=name, severity=severity, repeats=repeats, **blank)


def free(_sink: int) -> bool:
    return True


def confirmed(outbox: Outbox) -> list[tuple[str, str, int]]:
    return [(sender, told.escalation_id, told.repeats) for sender, told in outbox.confirmations()]


def names(attempts: list[Attempt]) -> list[list[str]]:
    return [[alert.escalation_id for alert in attempt.alerts] for attempt in attempts]


def test_without_sinks_the_alert_log_is_enough() -> None:
    outbox = Outbox([], CONFIG)
    outbox.put("cell-0", alert("a"))
    assert confirmed(outbox) == []
    assert outbox.unfiled() == (alert("a"),)
    outbox.filed()
    assert confirmed(outbox) == [("cell-0", "a", 0)]
    assert confirmed(outbox) == []
    assert len(outbox) == 0


def test_an_alert_is_confirmed_when_it_is_filed_and_one_sink_has_taken_it() -> None:
    for file_first in (True, False):
        outbox = Outbox([INFO, INFO], CONFIG)
        outbox.put("cell-0", alert("a"))
        first, second = outbox.due(0, free)
        if file_first:
            outbox.filed()
        assert confirmed(outbox) == []
        outbox.answered(first.number, taken=True, now_ms=1)
        outbox.filed()
        assert confirmed(outbox) == [("cell-0", "a", 0)]
        assert len(outbox) == 1  # the other sink still gets it
        outbox.answered(second.number, taken=True, now_ms=2)
        assert confirmed(outbox) == []
        assert len(outbox) == 0


def test_a_sink_gets_what_is_loud_enough_for_it() -> None:
    outbox = Outbox([WARNING, CRITICAL], CONFIG)
    for severity in Severity:
        outbox.put("root", alert(severity.value, severity))
    outbox.filed()
    assert confirmed(outbox) == [("root", "INFO", 0)]  # nobody wants it: the log is enough
    assert names(outbox.due(0, free)) == [["CRITICAL", "WARNING"], ["CRITICAL"]]


def test_a_sink_that_fails_is_tried_again_later_each_time_and_at_last_at_the_longest_interval() -> None:
    outbox = Outbox([INFO], CONFIG)
    outbox.put("cell-0", alert("a"))
    outbox.filed()
    now = 0
    for wait in (100, 200, 400, 400):
        (attempt,) = outbox.due(now, free)
        assert outbox.due(now, free) == []  # one at a time
        assert outbox.answered(attempt.number, taken=False, now_ms=now) == 0
        assert outbox.due(now + wait - 1, free) == []
        now += wait
    (attempt,) = outbox.due(now, free)
    outbox.answered(attempt.number, taken=True, now_ms=now)
    assert confirmed(outbox) == [("cell-0", "a", 0)]
    assert outbox.failures(0) == 0


def test_a_sink_that_hangs_is_given_up_after_its_time_while_the_other_goes_on() -> None:
    outbox = Outbox([INFO, INFO], CONFIG)
    outbox.put("cell-0", alert("a"))
    outbox.filed()
    hanging, good = outbox.due(0, free)
    outbox.answered(good.number, taken=True, now_ms=5)
    assert confirmed(outbox) == [("cell-0", "a", 0)]
    outbox.put("cell-0", alert("b"))
    (again,) = outbox.due(6, free)
    assert again.sink == 1
    assert outbox.overdue(999) == []
    assert outbox.overdue(1_000) == [0]
    assert outbox.overdue(1_006) == [1]
    assert outbox.answered(hanging.number, taken=False, now_ms=1_500) is None  # was counted when it was given up
    assert outbox.due(1_500, lambda sink: sink != 0)[0].sink == 1


def test_a_late_answer_counts() -> None:
    outbox = Outbox([INFO], CONFIG)
    outbox.put("cell-0", alert("a"))
    outbox.filed()
    (hanging,) = outbox.due(0, free)
    assert outbox.overdue(1_000) == [0]
    assert outbox.answered(hanging.number, taken=True, now_ms=1_050) == 0
    assert confirmed(outbox) == [("cell-0", "a", 0)]
    assert outbox.due(5_000, free) == []


def test_the_same_alert_again_is_the_same_and_a_repetition_takes_its_place() -> None:
    outbox = Outbox([INFO], CONFIG)
    outbox.put("cell-0", alert("a", CRITICAL))
    outbox.filed()
    (old,) = outbox.due(0, free)
    outbox.put("cell-0", alert("a", CRITICAL))
    assert outbox.unfiled() == ()
    outbox.put("cell-0", alert("a", CRITICAL, repeats=1))
    assert outbox.unfiled() == (alert("a", CRITICAL, repeats=1),)
    outbox.filed()
    outbox.answered(old.number, taken=True, now_ms=1)
    assert confirmed(outbox) == []  # what the sink took is out of date
    (new,) = outbox.due(1, free)
    outbox.answered(new.number, taken=True, now_ms=2)
    assert confirmed(outbox) == [("cell-0", "a", 1)]


def test_who_asks_again_after_the_confirmation_was_lost_is_told_again() -> None:
    outbox = Outbox([INFO, INFO], CONFIG)
    outbox.put("cell-0", alert("a"))
    outbox.filed()
    outbox.answered(outbox.due(0, free)[0].number, taken=True, now_ms=1)
    assert confirmed(outbox) == [("cell-0", "a", 0)]
    outbox.put("cell-0", alert("a"))
    assert confirmed(outbox) == [("cell-0", "a", 0)]


def test_alerts_of_one_name_from_two_senders_are_two() -> None:
    outbox = Outbox([], CONFIG)
    outbox.put("cell-0", alert("BROKER_SILENT:1"))
    outbox.put("cell-1", alert("BROKER_SILENT:1"))
    outbox.filed()
    assert confirmed(outbox) == [("cell-0", "BROKER_SILENT:1", 0), ("cell-1", "BROKER_SILENT:1", 0)]


def test_beyond_the_queue_the_oldest_that_is_not_critical_goes_and_is_counted() -> None:
    outbox = Outbox([INFO], AlertsConfig(queue=3))
    for name, severity in (("c1", CRITICAL), ("w1", WARNING), ("i1", INFO), ("c2", CRITICAL), ("c3", CRITICAL)):
        outbox.put("cell-0", alert(name, severity))
    assert [alert.escalation_id for alert in outbox.unfiled()] == ["c1", "c2", "c3"]
    assert outbox.dropped == Counter({WARNING: 1, INFO: 1})
    outbox.put("cell-0", alert("c4", CRITICAL))
    assert [alert.escalation_id for alert in outbox.unfiled()] == ["c2", "c3", "c4"]


def test_one_alert_that_a_sink_cannot_stomach_ends_up_alone_and_the_others_get_through() -> None:
    outbox = Outbox([INFO], CONFIG)
    for number in range(BATCH):
        outbox.put("cell-0", alert(f"a{number}"))
    outbox.filed()
    taken: set[str] = set()
    for now in range(0, 40_000, 400):
        for attempt in outbox.due(now, free):
            batch = {alert.escalation_id for alert in attempt.alerts}
            outbox.answered(attempt.number, taken="a7" not in batch, now_ms=now)
            taken |= batch if "a7" not in batch else set()
    assert taken == {f"a{number}" for number in range(BATCH)} - {"a7"}
    assert len(outbox) == 1


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["put", "file", "take", "fail", "wait"]), st.integers(0, 5), st.integers(1, 2_000)),
        max_size=60,
    )
)
def test_whatever_happens_every_alert_is_confirmed_once_it_can_be_and_never_before(
    story: list[tuple[str, int, int]],
) -> None:
    outbox, now, running = Outbox([INFO, CRITICAL], CONFIG), 0, list[Attempt]()
    wanted: dict[str, int] = {}
    got: dict[str, int] = {}

    def confirm() -> None:
        for _, name, repeats in confirmed(outbox):
            assert repeats <= wanted[name]
            got[name] = max(repeats, got.get(name, 0))

    for what, number, ms in story:
        now += ms
        outbox.overdue(now)
        if what == "put":
            name = f"a{number}"
            wanted[name] = wanted.get(name, -1) + 1
            outbox.put("cell-0", alert(name, list(Severity)[number % 3], wanted[name]))
        elif what == "file":
            outbox.filed()
        elif what in ("take", "fail") and running:
            outbox.answered(running.pop(number % len(running)).number, taken=what == "take", now_ms=now)
        else:
            running += outbox.due(now, free)
        confirm()
    for _ in range(2 * (len(wanted) + 1)):
        now += 1_000
        outbox.overdue(now)
        outbox.filed()
        for attempt in [*running, *outbox.due(now, free)]:
            outbox.answered(attempt.number, taken=True, now_ms=now)
        running.clear()
        confirm()
    assert got == wanted
    assert len(outbox) == 0
