"""``python -m venue.audit``: what it reads, what it prints, and how it exits."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgpack
import pytest
from audit_story import UNEVENTFUL, UNSHOWN, Story, enter, eventful

from domain.groups import GroupOutcome
from venue.audit import CHECKS, EvidenceError, audit, passed, report
from venue.audit.__main__ import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    told = Story(tmp_path)
    yield told
    told.journal.close()


def arguments(story: Story, *more: str) -> list[str]:
    story.write_truth()
    return ["--truth", str(story.truth), "--journal", str(story.directory), *more]


def python(*words: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, check=False
    )


def test_a_clean_run_prints_a_line_per_check_and_exits_with_0(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    eventful(story)
    assert main(arguments(story)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines if not line.startswith(" ")][:-1] == [
        [name, "not" if name in UNSHOWN else "ok"] for name in CHECKS
    ]
    assert lines[-1].startswith(f"PASS ({len(CHECKS)} checks, ")


def test_a_violation_prints_who_and_what_was_expected_and_exits_with_1(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    eventful(story)
    story.outcome(GroupOutcome.FLAT, "g2")
    assert main(arguments(story)) == 1
    out = capsys.readouterr().out
    assert "g2: flat, but long holds 10, expected 0; short holds 10, expected 0" in out
    assert "look further: run_system.py journal explain g2" in out
    assert out.splitlines()[-1].startswith("FAIL: OUTCOME ")


def test_a_violation_of_an_order_names_its_group_and_one_of_no_group_the_journal(story: Story) -> None:
    eventful(story)
    story.wire = []
    found = {finding.name: finding for finding in story.findings().values()}
    assert found["I1"].groups == ["g1", "g2", "g3", "g4"]
    lines = report(list(found.values()))
    assert "    look further: run_system.py journal explain g1" in lines
    story.reconciled()
    story.taken("report/1")
    story.taken("report/1")
    assert "    look further: run_system.py journal verify" in report([story.findings()["I23"]])


def test_no_case_is_a_failure_until_it_is_allowed_by_name(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    story.plan()
    enter(story)
    assert main(arguments(story)) == 1
    assert (
        capsys.readouterr()
        .out.splitlines()[-1]
        .startswith(f"FAIL: {', '.join(name for name in CHECKS if name in UNEVENTFUL)} ")
    )
    assert main(arguments(story, "--allow-empty", ",".join(UNEVENTFUL))) == 0
    assert "I5      empty (allowed)" in capsys.readouterr().out


def test_a_check_that_is_allowed_to_be_empty_may_still_fail(story: Story) -> None:
    story.plan()
    enter(story)
    story.trade("C", "long", 11)
    story.alert()
    story.outcome(GroupOutcome.HALTED)
    assert main(arguments(story, "--allow-empty", ",".join(UNEVENTFUL))) == 1


def test_json_holds_the_same(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    story.plan()
    enter(story)
    assert main(arguments(story, "--json", "--running")) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["passed"] is False
    assert {one["name"]: one["status"] for one in answer["findings"]} == {
        name: "EMPTY" if name in UNEVENTFUL else "not shown" if name in UNSHOWN else "ok" for name in CHECKS
    }


def test_many_offenders_are_counted_and_not_all_printed(story: Story) -> None:
    story.plan()
    enter(story)
    for quantity in range(1, 9):
        story.hear(next(iter(story.intents)), f"E99{quantity}", "trade_cancel", 0, 0)
    found = list(story.findings().values())
    lines = report(found, most=2)
    assert "    … and 6 more" in lines
    assert not passed(found)


@pytest.mark.parametrize("bounds", [["--bound-uncovered-s", "5"], ["--bound-uncovered-qty", "9"]])
def test_the_bounds_of_exposure_are_options(story: Story, bounds: list[str]) -> None:
    story.plan()
    enter(story)
    story.trade("C", "long", 10)
    story.wait(10)
    story.trade("C", "short", 10)
    story.outcome(GroupOutcome.FLAT)
    allowed = arguments(story, "--allow-empty", ",".join(UNEVENTFUL))
    assert main(allowed) == 0
    assert main([*allowed, *bounds]) == 1


def test_a_killed_system_is_read_from_its_write_ahead_log_and_nothing_is_written(tmp_path: Path) -> None:
    died = python(str(ROOT / "tests" / "venue" / "audit_child.py"), str(tmp_path))
    assert died.returncode == -signal.SIGKILL, died.stderr
    files = [tmp_path / "journal" / "cell-0.db", tmp_path / "journal" / "cell-0.db-wal"]
    before = [path.read_bytes() for path in files]
    assert all(before)
    lone = tmp_path / "lone.db"
    lone.write_bytes(before[0])
    conn = sqlite3.connect(lone)
    assert conn.execute("SELECT count(*) FROM order_intents").fetchone() == (0,), (
        "the file alone holds no order yet: they are in the write-ahead log"
    )
    conn.close()
    assert passed(audit(tmp_path / "truth.jsonl", tmp_path / "journal"))
    assert [path.read_bytes() for path in files] == before


def test_a_torn_last_line_of_the_record_is_left_out(story: Story) -> None:
    eventful(story)
    story.write_truth()
    with story.truth.open("ab") as file:
        file.write(b'{"kind":"order_recei')
    assert passed(audit(story.truth, story.directory))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda story: story.truth.unlink(), "truth.jsonl: cannot be read"),
        (lambda story: story.truth.write_bytes(b"{}\n"), "line 1: not a truth event"),
        (lambda story: (story.directory / "cell-0.db").unlink(), "no journal there (cell-0.db"),
        (lambda story: (story.directory / "cell-0.db").write_bytes(b"x" * 9000), "cannot be read as a journal"),
        (lambda story: (story.directory / "cell-1.db").touch(), "not a legkeeper journal"),
    ],
)
def test_evidence_that_cannot_be_read_is_one_clear_error(
    story: Story, spoil: object, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    story.plan()
    story.journal.close()
    words = arguments(story)
    assert callable(spoil)
    spoil(story)
    with pytest.raises(EvidenceError):
        audit(story.truth, story.directory)
    assert main(words) == 2
    assert said in capsys.readouterr().err


def test_a_name_that_is_no_check_is_refused(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(story, "--allow-empty", "I99")) == 2
    assert "no check is called I99" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ([1, [["IntentRecord", "LK0"]]], "IntentRecord has 1 fields, this audit knows 28"),
        ([2, []], "a payload of version 2; this audit reads version 1"),
        (b"\xc1", "a payload is not MessagePack"),
    ],
)
def test_a_log_that_this_audit_does_not_understand_is_refused_and_not_guessed_at(
    story: Story, payload: object, said: str
) -> None:
    story.plan()
    story.journal.close()
    data = payload if isinstance(payload, bytes) else msgpack.packb(payload)
    conn = sqlite3.connect(story.directory / "cell-0.db")
    conn.execute(
        "INSERT INTO turns SELECT max(turn) + 1, max(epoch), 0, ?, zeroblob(32), zeroblob(32) FROM turns", (data,)
    )
    conn.commit()
    conn.close()
    with pytest.raises(EvidenceError, match=said):
        story.findings()


def test_the_audit_runs_as_a_module_and_loads_nothing_of_the_system_that_it_audits() -> None:
    helped = python("-m", "venue.audit", "--help")
    assert helped.returncode == 0
    assert "--bound-uncovered-s" in helped.stdout
    rooms = {"actors", "decisions", "supervisors", "storage", "messages", "brokers", "config", "cli"}
    loaded = python("-c", "import sys, venue.audit.__main__; print(*sorted({n.split('.')[0] for n in sys.modules}))")
    assert loaded.returncode == 0, loaded.stderr
    assert not rooms & set(loaded.stdout.split())
    assert {"venue", "domain"} <= set(loaded.stdout.split())
