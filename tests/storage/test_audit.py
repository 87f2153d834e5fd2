"""Explaining a group and exporting the log, on a journal made by hand."""

from __future__ import annotations

import io
import json
from base64 import b64decode
from contextlib import closing
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from journal_data import (
    T0,
    commit,
    escalation_record,
    event_record,
    execution_record,
    group_record,
    hedge_record,
    intent_record,
    leg_record,
    one_of_each,
    rejected_record,
    replaced,
    state_record,
    stop_record,
)

import messages.records
from domain.groups import GroupOutcome, GroupStatus
from messages.records import HedgeStatus, IntentStatus, StopStatus
from storage.explain import Chapter, explain, render
from storage.export import export
from storage.reader import JournalReader
from storage.sqlite import open_journal

MS = 10**6
ORDER = intent_record().client_order_id


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """One group that was accepted, sent, filled in two parts, corrected, hedged, stopped and alerted about."""
    found = tmp_path / "cell.db"
    intent = replaced(intent_record(), cause="plan-1")
    sent = replaced(intent, status=IntentStatus.SENT, sent_ns=T0 + 2 * MS, checks="E1 E2 E17")
    live = replaced(sent, status=IntentStatus.LIVE, acknowledged_ns=T0 + 3 * MS, broker_order_id="B-77")
    canceling = replaced(live, cancel_requested_ns=T0 + 6 * MS, cancel_requests=1)
    ended = replaced(canceling, status=IntentStatus.CANCELED, terminal_ns=T0 + 7 * MS)
    first = replaced(execution_record(), ts_ns=T0 + 4 * MS)
    second = replaced(first, exec_id="x2", last_qty=2, last_px=12_475, ts_ns=T0 + 5 * MS)
    bust = replaced(second, exec_id="x3", exec_type="trade_cancel", exec_ref_id="x2", ts_ns=T0 + 8 * MS)
    hedge = replaced(hedge_record(), opened_ns=T0 + 8 * MS)
    stop = replaced(stop_record(), armed_ns=T0 + 4 * MS)
    alert = replaced(escalation_record(), raised_ns=T0 + 9 * MS)
    with closing(open_journal(found)) as journal:
        for at_ms, records in (
            (1, (event_record("plan-1"), group_record(), leg_record(), intent)),
            (3, (sent, group_record("g12"), replaced(intent_record("g12"), reason="for another group"))),
            (4, (live, state_record())),
            (5, (first, second, first, stop, rejected_record())),
            (7, (canceling, ended)),
            (8, (bust, hedge)),
            (9, (replaced(hedge, status=HedgeStatus.ESCALATED, closed_ns=T0 + 9 * MS), alert)),
            (10, (replaced(stop, status=StopStatus.TRIGGERED, triggered_ns=T0 + 10 * MS),)),
            (11, (replaced(alert, delivered_ns=T0 + 11 * MS, acknowledged_ns=T0 + 12 * MS, acknowledged_by="jo"),)),
            (
                12,
                (
                    replaced(
                        group_record(), status=GroupStatus.FAILED, outcome=GroupOutcome.HALTED, updated_ns=T0 + 12 * MS
                    ),
                ),
            ),
            (13, ()),
        ):
            commit(journal, *records, at_ns=T0 + at_ms * MS)
    return found


def chapter(chapters: list[Chapter], subject: str) -> Chapter:
    return next(found for found in chapters if found.subject == subject)


def test_an_order_is_explained_from_decision_to_end_in_time_order(path: Path) -> None:
    order = chapter(explain(path, "g1"), "order")
    assert order.id == ORDER
    assert order.title == "PROTECTION buy 10 GOOG  160115C00750000 limit at 1.255 day"
    assert [step.stage for step in order.steps] == [
        "decision",
        "intent",
        "checks",
        "sent",
        "acknowledged",
        "fill",
        "fill",
        "cancel requested",
        "terminal",
        "bust",
    ]
    assert [step.at_ns for step in order.steps] == sorted(step.at_ns for step in order.steps)
    decision, intent, checks, _, acknowledged, fill, other, *_, terminal, bust = order.steps
    assert (decision.facts["cause"], decision.facts["cause_kind"], decision.facts["cause_ns"]) == (
        "plan-1",
        "trade",
        T0,
    )
    assert decision.text.startswith("the plan was accepted (cause: plan-1)")
    assert (intent.turn, intent.at_ns) == (1, T0 + 1 * MS)
    assert checks.text == "E1 E2 E17"
    assert acknowledged.facts == {"broker_order_id": "B-77"}
    assert fill.facts == {"exec_id": "x1", "last_qty": 4, "last_px": 1.25}
    assert other.text == "2 at 1.2475 (exec x2)"
    assert terminal.text == "CANCELED"
    assert bust.text == "2 at 1.2475 (exec x3, changes x2)"
    assert order.missing == ()


def test_the_rest_of_the_group_is_explained_and_other_groups_are_left_out(path: Path) -> None:
    chapters = explain(path, "g1")
    assert [(found.subject, found.steps[0].turn) for found in chapters] == [
        ("group", 1),
        ("leg", 1),
        ("order", 1),
        ("rejected event", 4),
        ("stop", 4),
        ("hedge", 6),
        ("escalation", 7),
    ]
    assert [step.text for step in chapter(chapters, "hedge").steps][1:] == [
        "WORKING, 0 of 6 filled",
        "ESCALATED, 0 of 6 filled",
    ]
    assert [step.stage for step in chapter(chapters, "stop").steps] == ["armed", "stop", "triggered", "stop"]
    assert [step.stage for step in chapter(chapters, "escalation").steps] == ["raised", "delivered", "acknowledged"]
    assert chapter(chapters, "escalation").steps[-1].text == "by jo"
    assert chapter(chapters, "group").steps[-1].text == "FAILED entering halted"
    assert chapter(chapters, "rejected event").steps[0].text == "filled stays, partially_filled refused: a late partial"
    assert explain(path, "nobody") == []
    assert explain(path, "g") == []


def test_the_story_is_rendered_as_text_and_as_json(path: Path) -> None:
    chapters = explain(path, "g1")
    lines = render(chapters)
    assert f"order {ORDER}: PROTECTION buy 10 GOOG  160115C00750000 limit at 1.255 day" in lines
    assert "  2023-11-14T22:13:20.004000Z  fill              4 at 1.25 (exec x1)  [turn 4]" in lines
    assert msgspec.json.decode(msgspec.json.encode(chapters), type=list[Chapter]) == chapters


def test_links_that_the_journal_lacks_are_named(tmp_path: Path) -> None:
    path = tmp_path / "cell.db"
    hasty = replaced(intent_record(), status=IntentStatus.SENT, sent_ns=T0 + 1, cause="")
    orphan = replaced(execution_record(), client_order_id="LK0NOBODYxE000000")
    with closing(open_journal(path)) as journal:
        commit(journal, group_record(), hasty, execution_record(), orphan)
    chapters = {found.id: found for found in explain(path, "g1")}
    assert [what.split(":")[0] for what in chapters[ORDER].missing] == ["decision", "intent", "checks", "acknowledged"]
    assert chapters["LK0NOBODYxE000000"].missing == ("intent: executions of an order that this journal never intended",)
    assert any(line.startswith("  MISSING: intent") for line in render(list(chapters.values())))


def restored(data: Any, kind: Any) -> Any:
    """The value that :func:`storage.export.named` wrote, by the types of the struct that it is to be."""
    if get_origin(kind) is UnionType:
        return None if data is None else restored(data, next(arg for arg in get_args(kind) if arg is not type(None)))
    if get_origin(kind) is tuple:
        kinds = get_args(kind)
        kinds = (kinds[0],) * len(data) if kinds[-1] is ... else kinds
        return tuple(restored(item, of) for item, of in zip(data, kinds, strict=True))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(data)
    if isinstance(data, dict):
        hints = get_type_hints(kind)
        return kind(**{field: restored(item, hints[field]) for field, item in data.items()})
    return b64decode(data) if kind is bytes else data


def test_e15_the_export_holds_every_record_by_name_and_gives_the_log_back(path: Path) -> None:
    stream = io.StringIO()
    assert export(path, stream) == 11
    rows = [json.loads(line) for line in stream.getvalue().splitlines()]
    with JournalReader(path) as reader:
        turns = list(reader.turns())
    expected = [(turn, record) for turn in turns for record in turn.records() or (None,)]
    assert len(rows) == len(expected)
    for row, (turn, record) in zip(rows, expected, strict=True):
        assert (row["turn"], row["epoch"], row["at_ns"], row["hash"]) == (*turn[:3], turn.hash.hex())
        if record is None:
            assert (row["table"], row["record"], row["data"]) == (None, None, None)
        else:
            assert restored(row["data"], getattr(messages.records, row["record"])) == record
    assert rows[0]["table"] == "processed_events"
    assert rows[3]["data"]["price"] == 12_550


def test_an_export_goes_on_where_the_last_one_ended(path: Path) -> None:
    whole, parts = io.StringIO(), io.StringIO()
    export(path, whole)
    last = export(path, parts)
    with closing(open_journal(path)) as journal:
        commit(journal, *one_of_each("later"))
    export(path, whole, after=last)
    assert export(path, parts, after=last) == 12
    assert export(path, parts, after=12) == 12
    assert parts.getvalue() == whole.getvalue()
    assert len({json.loads(line)["turn"] for line in parts.getvalue().splitlines()}) == 12
