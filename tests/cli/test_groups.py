"""``status``, ``groups``, ``show`` and ``alerts``, from real journals, with the system up and down."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import left_journals
import pytest
import told_journal

from config.paths import journal_path
from storage.sqlite import open_journal

Command = Callable[..., Any]


@pytest.fixture
def told(journal_dir: Path) -> Path:
    told_journal.write(journal_dir)
    return journal_dir


def test_groups_lists_the_groups_of_every_cell_oldest_first(command: Command, told: Path) -> None:
    assert [group["group_id"] for group in command("groups", "--json").json] == ["bull-put-1", "done-1"]
    assert [group["group_id"] for group in command("groups", "--open", "--json").json] == ["bull-put-1"]
    lines = [line for line in command("groups").out.splitlines() if "-1" in line]
    assert [("bull-put-1" in line, "RISK_SUBMITTED" in line, "open" in line) for line in lines] == [
        (True, True, True),
        (False, False, False),
    ]


def test_r4_a_group_with_an_order_of_unknown_fate_says_so(command: Command, told: Path) -> None:
    """R4, R5, R25: UNRESOLVED is a state of its own, of the order, of its group, and of the cell."""
    assert [group["unresolved_orders"] for group in command("groups", "--json").json] == [1, 0]
    (line,) = (line for line in command("groups").out.splitlines() if "UNRESOLVED" in line)
    assert "bull-put-1" in line
    assert sum(cell["unresolved_orders"] for cell in command("status", "--json").json["journals"]) == 1


def test_show_tells_what_is_filled_and_what_works(command: Command, told: Path) -> None:
    shown = command("show", "bull-put-1").out
    head, *_ = shown.splitlines()
    assert head == "bull-put-1 (bull_put, complete): RISK_SUBMITTED, open, 1 UNRESOLVED, entering"
    legs = [line.split("│")[1:-1] for line in shown.splitlines() if line.startswith(("│ wing ", "│ short "))]
    assert [[row[index].strip() for index in (0, 1, 2, 3, 6, 8)] for row in legs] == [
        ["wing", "PROTECTION", "50", "buy", "10", "4"],
        ["short", "RISK", "-50", "sell", "10", "4"],
    ]
    for part in ("protection fell short", "ARMED", "25.00", "buy 6 by hand", "UNRESOLVED", "the plan was accepted"):
        assert part in shown


def test_show_as_json_holds_every_record_of_the_group(command: Command, told: Path) -> None:
    shown = command("show", "bull-put-1", "--json").json
    assert shown["group"]["status"] == "RISK_SUBMITTED"
    assert [leg["leg_id"] for leg in shown["group"]["group"]["legs"]] == ["wing", "short"]
    sizes = {name: len(shown[name]) for name in ("intents", "execution_states", "executions", "hedges", "stops")}
    assert sizes == {"intents": 2, "execution_states": 2, "executions": 2, "hedges": 1, "stops": 1}
    assert [alert["quantity"] for alert in shown["escalations"]] == [6]


def test_a_group_that_no_journal_knows_is_wrong_input_with_the_nearest_names(command: Command, told: Path) -> None:
    result = command("show", "bul-put-1")
    assert (result.status, result.out) == (2, "")
    assert "knows the group 'bul-put-1'; did you mean bull-put-1?" in result.err
    assert "'groups' lists those that there are" in command("show", "?").err


def test_alerts_lists_what_needs_a_person(command: Command, told: Path) -> None:
    assert [alert["group_id"] for alert in command("alerts", "--json").json] == ["bull-put-1"]
    both = command("alerts", "--all", "--json").json
    assert [alert["acknowledged_by"] for alert in both] == ["", "maria"]
    assert "HEDGE:bull-put-1:CRITICAL" in command("alerts").out


def test_no_alert_and_no_group_are_said_in_words(command: Command, journal_dir: Path) -> None:
    open_journal(journal_path(journal_dir, 0)).close()
    assert command("alerts").out == "no alert needs anyone; --all lists the past ones\n"
    assert command("groups").out == "no groups\n"
    assert command("groups", "--json").json == []


def test_status_while_the_system_is_down(command: Command, told: Path) -> None:
    result = command("status", "--json")
    assert result.status == 0
    assert result.json["running"] is False
    assert result.json["remark"].startswith(f"not running: no system is running on {told}")
    first, second = result.json["journals"]
    assert first == {
        "journal": "cell-0.db", "problem": "", "epoch": 1, "groups": 1, "open_groups": 1, "quarantined_groups": 0,
        "outcomes": {"open": 1}, "working_orders": 2, "unresolved_orders": 1, "alerts": 1, "critical_alerts": 1,
    }  # fmt: skip
    assert (second["open_groups"], second["working_orders"], second["alerts"]) == (0, 0, 0)
    assert command("status").out.startswith("not running: ")


def test_status_while_the_system_is_up(command: Command, told: Path, system: Any) -> None:
    answer = {"ok": True, "halted": "kill switch", "processes": [{"name": "gateway", "pid": 7, "state": "up"}]}
    system.answer = json.dumps(answer).encode() + b"\n"
    shown = command("status", "--json").json
    assert shown["running"] is True
    assert shown["system"] == {"halted": "kill switch", "processes": answer["processes"]}
    text = command("status").out
    assert text.startswith("running, but no new risk is taken: kill switch\n")
    assert "gateway" in text
    assert system.asked == [{"command": "status"}] * 2


def test_status_of_a_system_whose_gateway_hangs_does_not_just_say_that_it_runs(command: Command, system: Any) -> None:
    gateway = {"name": "gateway", "pid": 7, "state": "hangs", "restarts": 0, "detail": ""}
    system.answer = json.dumps({"ok": True, "halted": "", "processes": [gateway]}).encode() + b"\n"
    text = command("status").out
    assert text.startswith("running, but no new risk is taken: the gateway hangs, and no order leaves\n")


def test_status_of_a_system_that_answers_nonsense_is_not_called_down(command: Command, told: Path, system: Any) -> None:
    system.answer = b"?\n"
    assert command("status", "--json").json["remark"].startswith("not answering: ")


def test_status_of_a_new_system_needs_no_journal(command: Command, system: Any) -> None:
    assert command("status").out == "running\nno journal yet\n"


def test_a_damaged_journal_does_not_hide_the_others(command: Command, told: Path) -> None:
    journal_path(told, 1).write_bytes(b"x" * 4096)
    result = command("status", "--json")
    assert result.status == 1
    assert [bool(cell["problem"]) for cell in result.json["journals"]] == [False, True]
    assert "cell-1.db" in result.err
    assert result.err.count("\n") == 1


READ_ONLY = (
    ["groups"], ["alerts"], ["show", "nobody"], ["status"], ["strategies"], ["rollout"], ["journal", "verify"],
    ["journal", "explain", "nobody"], ["journal", "export"],
)  # fmt: skip


@pytest.mark.parametrize("words", READ_ONLY, ids=" ".join)
def test_every_command_says_what_to_do_about_a_journal_that_it_cannot_read(
    command: Command, told: Path, words: list[str]
) -> None:
    whole = journal_path(told, 1).read_bytes()
    for spoil, says in (
        (left_journals.make_older, "start its system once, which migrates it"),
        (left_journals.make_newer, "use the newer legkeeper"),
        (left_journals.make_file_only, "the next start of its system does"),
        (left_journals.make_header_only, "the next start of its system does"),
        (left_journals.damage, "restore the latest copy"),
    ):
        path = journal_path(told, 1)
        path.unlink()
        if spoil not in left_journals.HALF_MADE:
            path.write_bytes(whole)
        journal_path(told, 1).with_name("cell-1.db.lock").unlink(missing_ok=True)
        spoil(path)
        told_of_it = command(*words)
        assert told_of_it.status == 1
        assert str(path) in told_of_it.err
        assert says in told_of_it.out + told_of_it.err


@pytest.mark.parametrize("words", [["groups"], ["alerts"], ["show", "g"], ["status"], ["journal", "verify"]])
def test_without_a_journal_the_error_says_what_to_do(command: Command, journal_dir: Path, words: list[str]) -> None:
    result = command(*words)
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith(f"error: there is no journal in {journal_dir}; start the system once")


def test_a_group_can_be_read_while_its_owner_writes(command: Command, told: Path) -> None:
    journal = open_journal(journal_path(told, 0))
    try:
        assert command("show", "bull-put-1").status == 0
        assert command("groups").status == 0
    finally:
        journal.close()
