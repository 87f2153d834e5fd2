"""``journal verify``, ``explain`` and ``export``, on real journals."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import told_journal

from config.paths import journal_path

Command = Callable[..., Any]


@pytest.fixture
def told(journal_dir: Path) -> Path:
    told_journal.write(journal_dir)
    return journal_dir


def test_intact_journals_verify(command: Command, told: Path) -> None:
    result = command("journal", "verify")
    assert result.status == 0
    assert result.out.count(": intact (") == 2
    assert [report["ok"] for report in command("journal", "verify", "--json").json] == [True, True]


def test_a_journal_that_was_changed_is_status_1_and_named(command: Command, told: Path) -> None:
    with sqlite3.connect(journal_path(told, 1)) as connection:
        connection.execute("UPDATE order_groups SET strategy = 'other'")
    connection.close()
    result = command("journal", "verify", "--json")
    assert result.status == 1
    assert [report["ok"] for report in result.json] == [True, False]
    assert result.err.startswith(f"error: not intact: {journal_path(told, 1)}")


def test_a_journal_that_cannot_be_read_or_has_vanished_does_not_hide_the_others(command: Command, told: Path) -> None:
    (told / "cell-2.db.lock").touch()  # a third cell ran here once
    journal_path(told, 1).write_bytes(b"x" * 4096)
    result = command("journal", "verify", "--json")
    assert result.status == 1
    assert [report["ok"] for report in result.json] == [True, False, False]
    assert "cannot be read as a journal" in result.json[1]["problems"][0]
    assert "cell-2.db: the file is missing, but it was there before" in result.json[2]["problems"][0]
    assert result.err.count("\n") == 1
    status = command("status", "--json")
    assert status.status == 1
    assert [bool(cell["problem"]) for cell in status.json["journals"]] == [False, True, True]


def test_explain_tells_the_story_of_one_group(command: Command, told: Path) -> None:
    story = command("journal", "explain", "bull-put-1")
    assert story.status == 0
    assert "the plan was accepted" in story.out
    assert "done-1" not in story.out
    chapters = command("journal", "explain", "bull-put-1", "--json").json
    assert {chapter["subject"] for chapter in chapters} == {"group", "order", "hedge", "stop", "escalation"}


def test_explaining_an_unknown_group_is_wrong_input(command: Command, told: Path) -> None:
    assert command("journal", "explain", "nobody").status == 2


def test_export_writes_every_record_of_every_journal(command: Command, told: Path, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in command("journal", "export").out.splitlines()]
    assert [(line["journal"], line["turn"]) for line in lines] == [("cell-0.db", 1)] * 10 + [("cell-1.db", 1)] * 5
    assert {line["table"] for line in lines} >= {"order_groups", "order_intents", "executions", "escalations"}
    assert command("journal", "export", "--json").json == lines
    output = tmp_path / "audit.jsonl"
    assert command("journal", "export", "-o", output) == (0, "", "")
    assert [json.loads(line) for line in output.read_text().splitlines()] == lines


def test_an_export_never_overwrites_a_file(command: Command, told: Path, tmp_path: Path) -> None:
    output = tmp_path / "audit.jsonl"
    output.write_text("precious")
    result = command("journal", "export", "--output", output)
    assert result.status == 1
    assert "exists and is left alone; name another file" in result.err
    assert output.read_text() == "precious"
    assert "cannot be written" in command("journal", "export", "-o", tmp_path / "no" / "file").err


def test_what_is_over_is_archived_and_said_to_be_there(command: Command, told: Path) -> None:
    assert command("journal", "archive").out == "nothing is over for so long; the journals stay as they are\n"
    told_journal.pass_time(told, days=30)
    (done,) = command("journal", "archive", "--json").json
    assert (done["groups"], Path(done["file"]).name) == (1, "cell-0.db")
    assert command("journal", "verify").status == 0
    gone = command("journal", "explain", told_journal.OVER)
    assert gone.status != 0 and f"was archived to {done['file']}" in gone.err
    assert told_journal.OVER not in command("groups").out


def test_a_time_to_keep_that_no_clock_reaches_is_wrong_input(command: Command, told: Path) -> None:
    refused = command("journal", "archive", "--keep-days", 10**23)
    assert (refused.status, refused.out) == (2, "")
    assert "--keep-days" in refused.err
