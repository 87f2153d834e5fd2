"""S11: an alert that nobody acknowledges is repeated although the broker, whose clock counts else, says nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cell_post import Clock, PostedCell
from world import World

from actors.cell import RESEND_EVERY_MS
from actors.machine import machine, running_on
from config.schema import AlertsConfig, Config
from decisions.delivery import Outbox
from messages import wire
from messages.market import BrokerSilent, Tick
from messages.operator import Acknowledge
from messages.records import EscalationRecord, Severity
from messages.supervision import AlertBatch, AlertBatchTaken, AlertDelivered, EventBatch

REPEAT_MS = 30_000
RINGS = REPEAT_MS // RESEND_EVERY_MS
CONFIG = Config(alerts=AlertsConfig(repeat_ms=REPEAT_MS))


@pytest.fixture
def cell() -> Iterator[PostedCell]:
    """It keeps one CRITICAL alert, which has been delivered, and has just heard the broker's clock."""
    clock = Clock()
    with running_on(clock):
        world = World(config=CONFIG)
        world.take([BrokerSilent("no clock for 3 s")])
        cell = PostedCell(world, clock)
        takes(cell, *world.alerts)
        cell.sent.clear()
        yield cell


def takes(cell: PostedCell, *alerts: EscalationRecord) -> None:
    """The notifier has passed these on."""
    taken = wire.pack([AlertDelivered(alert.escalation_id, alert.repeats) for alert in alerts])
    cell.on_alerts_taken(AlertBatchTaken(taken), "notifier")


def passed(cell: PostedCell) -> list[EscalationRecord]:
    """What the notifier was handed since this was asked last."""
    return [alert for batch in cell.said(AlertBatch) for alert in wire.alerts(batch.alerts)]


def ticks(cell: PostedCell, number: int) -> None:
    """The broker's clock is heard, and stands where it stood."""
    events = wire.pack([Tick(cell.tree.clock_ns, ())])
    cell.on_events(EventBatch(machine().pid(), number, number, events), "gateway")


def test_it_is_repeated_as_often_as_if_the_clock_were_heard_and_the_journal_counts_nothing(cell: PostedCell) -> None:
    before = cell.journal.open_escalations()
    for repeats in (1, 2, 3):
        cell.rings(RINGS - 1)
        assert passed(cell) == []
        cell.rings(1)
        (alert,) = passed(cell)
        assert (alert.kind, alert.repeats) == ("BROKER_SILENT", repeats)
        takes(cell, alert)
    assert cell.journal.open_escalations() == before


def test_while_the_clock_is_heard_the_machines_repeats_nothing(cell: PostedCell) -> None:
    for number in range(1, 20):
        cell.rings(RINGS // 2)
        ticks(cell, number)
    assert passed(cell) == []
    cell.rings(RINGS)
    assert len(passed(cell)) == 1


def test_an_acknowledgement_ends_it(cell: PostedCell) -> None:
    cell.rings(RINGS)
    (alert,) = passed(cell)
    takes(cell, alert)
    cell.turn((Acknowledge(alert.escalation_id, "ada"),))
    cell.rings(3 * RINGS)
    assert passed(cell) == []


def test_each_repetition_is_another_one_for_a_notifier_that_still_owes_one_sink_the_first(cell: PostedCell) -> None:
    """Two silences with a clock that stood still between them: what was told in the first is no copy of the second."""
    outbox = Outbox([Severity.INFO, Severity.INFO], CONFIG.alerts)
    sent = 0
    for silence in (1, 2):
        cell.rings(2 * RINGS)
        for alert in passed(cell):
            outbox.put("cell-0", alert)
            outbox.filed()
            for attempt in outbox.due(0, lambda sink: sink == 0):
                outbox.answered(attempt.number, taken=True, now_ms=0)
                sent += 1
            takes(cell, alert)
        ticks(cell, silence)
    assert sent == 4
