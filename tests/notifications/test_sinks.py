"""Sinks: Apprise against a real webhook, the twin, and the threads that wait for them."""

from __future__ import annotations

import gc
import os
from select import select
from threading import Thread

import pytest
from webhook import Webhook

from messages.records import EscalationRecord, Severity
from notifications.apprise_sink import open_sinks, parse
from notifications.courier import MOST_THREADS, Answer, Courier
from notifications.memory import MemorySink
from notifications.port import Note, SinkFailed, SinkRefused, note_of

pytestmark = pytest.mark.filterwarnings(
    "ignore:'imghdr' is deprecated:DeprecationWarning"
)  # Apprise still looks for it

DEADLINE_S = 10.0
NOTE = Note(Severity.CRITICAL, "title", "body")


def alert(name: str, severity: Severity = Severity.WARNING, repeats: int = 0) -> EscalationRecord:
    return EscalationRecord(
        escalation_id=name,
        group_id="",
        severity=severity,
        kind="KIND",
        symbol="",
        quantity=0,
        text=f"text of {name}",
        raised_ns=1,
        repeats=repeats,
        delivered_ns=0,
        acknowledged_ns=0,
        acknowledged_by="",
    )


def answers(courier: Courier, count: int) -> list[Answer]:
    """So many answers, by attempt; the courier's descriptor says each time that there are some."""
    found: list[Answer] = []
    while len(found) < count:
        ready, _, _ = select([courier.fileno()], [], [], DEADLINE_S)
        assert ready, "no answer came"
        found += courier.answers()
    return sorted(found, key=lambda answer: answer.attempt)


def test_a_webhook_is_sent_severity_title_and_text() -> None:
    with Webhook() as hook:
        (sink,) = open_sinks([hook.url], 5_000)
        sink.send(note_of((alert("a", Severity.CRITICAL), alert("b"))))
    (note,) = hook.notes
    assert note["type"] == "failure"
    assert note["title"] == "legkeeper CRITICAL: KIND and 1 more"
    assert "text of a" in note["message"]
    assert "WARNING KIND: text of b [b]" in note["message"]


@pytest.mark.parametrize("status", [400, 429, 500, 503])
def test_a_webhook_that_refuses_has_not_taken_the_note(status: int) -> None:
    with Webhook(status) as hook:
        (sink,) = open_sinks([hook.url], 5_000)
        with pytest.raises(SinkFailed):
            sink.send(NOTE)


def test_a_webhook_that_hangs_ends_by_its_timeout() -> None:
    with Webhook(hangs=True) as hook:
        (sink,) = open_sinks([hook.url], 250)
        with pytest.raises(SinkFailed):
            sink.send(NOTE)


def test_a_webhook_that_is_not_there_has_not_taken_the_note() -> None:
    with Webhook() as hook:
        url = hook.url
    (sink,) = open_sinks([url], 1_000)
    with pytest.raises(SinkFailed):
        sink.send(NOTE)


def test_mail_and_chat_services_are_known_by_their_urls() -> None:
    urls = ["mailtos://me:secret@example.org", "CRITICAL:slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#desk"]
    sinks = open_sinks(urls, 1_000)
    assert [(sink.name, sink.least) for sink in sinks] == [
        ("mailtos-1", Severity.INFO),
        ("slack-2", Severity.CRITICAL),
    ]


@pytest.mark.parametrize(
    "url", ["nonsense", "pigeon://me:s3cret@roof", "json://", "CRITICAL:", "LOUD:json://127.0.0.1"]
)
def test_what_names_no_sink_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(SinkRefused, match=r"alerts\.urls: item 2 ") as refused:
        open_sinks(["json://127.0.0.1/", url], 1_000)
    assert "s3cret" not in str(refused.value)


def test_a_severity_before_a_url_is_the_least_that_goes_there() -> None:
    assert parse("WARNING:json://host/a:b") == (Severity.WARNING, "json://host/a:b")
    assert parse("json://host") == (Severity.INFO, "json://host")


def test_a_repetition_says_so() -> None:
    assert "KIND (repeated, 3): text" in note_of((alert("a", repeats=3),)).body


def test_answers_come_out_of_the_courier_and_its_descriptor_says_when() -> None:
    good, bad = MemorySink("good-1"), MemorySink("bad-2")
    bad.failure = "no"
    courier = Courier([good, bad])
    assert courier.answers() == []
    courier.send(1, 0, NOTE)
    courier.send(2, 1, NOTE)
    assert answers(courier, 2) == [Answer(1, ""), Answer(2, "no")]
    assert good.notes == [NOTE]
    courier.close()


def test_a_sink_that_hangs_holds_up_no_other_and_is_not_tried_without_end() -> None:
    stuck, good = MemorySink("stuck-1"), MemorySink("good-2")
    stuck.hang()
    courier = Courier([stuck, good])
    for attempt in range(MOST_THREADS):
        assert courier.free(0)
        courier.send(attempt, 0, NOTE)
    assert not courier.free(0)
    courier.send(99, 1, NOTE)
    assert answers(courier, 1) == [Answer(99, "")]
    assert good.notes
    assert courier.free(1)
    stuck.let_go()
    assert answers(courier, MOST_THREADS) == [Answer(attempt, "") for attempt in range(MOST_THREADS)]
    assert len(stuck.notes) == MOST_THREADS
    assert courier.free(0)
    assert courier.answers() == []
    courier.close()


def test_a_thread_that_cannot_be_started_is_a_failed_answer_and_the_sink_stays_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_room(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    good = MemorySink()
    courier = Courier([good])
    with monkeypatch.context() as patch:
        patch.setattr(Thread, "start", no_room)
        for attempt in range(1, MOST_THREADS + 2):
            courier.send(attempt, 0, NOTE)
    assert answers(courier, MOST_THREADS + 1)[0] == Answer(1, "can't start new thread")
    assert courier.free(0)
    courier.send(9, 0, NOTE)
    assert answers(courier, 1) == [Answer(9, "")]
    assert good.notes == [NOTE]


def test_a_courier_that_is_dropped_lets_go_of_its_descriptor() -> None:
    """A simulated process vanishes without closing anything; after twenty thousand seeds none was left to open."""
    courier = Courier(())
    descriptor = courier.fileno()
    del courier
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
