"""The client of the control socket, against a real socket."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from syncs import Syncs

from cli import control, kill_files
from cli.problems import CommandFailed
from config.paths import control_path, kill_switch_path, paper_dir
from config.plan import load_plan
from domain.groups import Plan

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "plans" / "bull_put.toml"
Command = Callable[..., Any]


@pytest.mark.parametrize(
    ("arguments", "request_"),
    [
        (["cancel", "g-1"], {"command": "cancel", "group_id": "g-1"}),
        (["kill-switch", "on"], {"command": "kill_switch", "on": True}),
        (["kill-switch", "off"], {"command": "kill_switch", "on": False}),
        (
            ["ack", "E:1", "--by", " maria "],
            {"command": "acknowledge", "escalation_id": "E:1", "by": "maria"},
        ),
    ],
)
def test_each_command_asks_what_it_says(
    command: Command, system: Any, arguments: list[str], request_: dict[str, Any]
) -> None:
    assert command(*arguments).status == 0
    assert system.asked == [request_]


def seen_by(system: Any, directory: Path, answer: bytes) -> list[bool]:
    """Whether the kill switch's file is there at each request, which is answered so."""
    seen: list[bool] = []

    def answered(_: Any) -> bytes:
        seen.append(kill_switch_path(directory).exists())
        return answer

    system.answer = answered
    return seen


def test_e9_the_kill_switch_is_on_for_who_looks_at_its_file_before_the_system_is_asked(
    command: Command, system: Any, journal_dir: Path, syncs: Syncs
) -> None:
    seen = seen_by(system, journal_dir, b'{"ok": true}\n')
    assert command("kill-switch", "on").status == 0
    assert seen == [True]
    assert syncs.since() == [kill_switch_path(journal_dir), journal_dir], "a power cut does not turn it off"
    kill_switch_path(journal_dir).unlink()
    assert command("kill-switch", "off").status == 0
    assert seen == [True, False]


def test_e9_a_system_that_does_not_answer_leaves_the_file_and_the_operator_knows(
    command: Command, system: Any, journal_dir: Path
) -> None:
    system.answer = b""
    path = kill_switch_path(journal_dir)
    assert f"{path} is made and holds: a gateway that runs sees it at once" in command("kill-switch", "on").err
    assert path.exists()
    assert "KILL" not in command("kill-switch", "off").err


def test_e9_a_kill_switch_without_a_system_is_found_by_the_next_one(command: Command, journal_dir: Path) -> None:
    said = command("kill-switch", "on")
    assert said.status == 1
    assert "no system is running" in said.err and "is made and holds" in said.err
    assert kill_switch_path(journal_dir).exists()


@pytest.mark.parametrize(
    ("answer", "status", "says"), [(b'{"ok": true}\n', 0, ""), (b"", 1, "KILL cannot be written (Input/output error)")]
)
def test_e9_a_disk_that_fails_keeps_nobody_from_asking(
    command: Command, system: Any, journal_dir: Path, syncs: Syncs, answer: bytes, status: int, says: str
) -> None:
    syncs.failing = {journal_dir}
    system.answer = answer
    said = command("kill-switch", "on")
    assert said.status == status and says in said.err
    assert len(system.asked) == 1


def test_e9_a_disk_that_stalls_keeps_nobody_from_asking(
    command: Command, system: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()
    fsync = os.fsync

    def stalling(descriptor: int) -> None:
        goes_on.wait()
        fsync(descriptor)

    before = set(threading.enumerate())
    monkeypatch.setattr(kill_files, "PATIENCE_S", 0.01)
    monkeypatch.setattr(os, "fsync", stalling)
    system.answer = b""
    try:
        assert "KILL is not made yet: the disk does not answer" in command("kill-switch", "on").err
    finally:
        goes_on.set()
        for thread in set(threading.enumerate()) - before:
            thread.join()
    assert len(system.asked) == 1


@pytest.mark.parametrize(
    ("mode", "realm", "made"),
    [
        ("rollout", None, [True, True]), ("rollout", "live", [True, False]), ("rollout", "paper", [False, True]),
        ("live", None, [True, False]), ("live", "paper", [False, False]), ("paper", None, [False, True]),
    ],
)  # fmt: skip
def test_e9_the_files_are_those_of_the_realms_that_are_meant(
    command: Command, system: Any, journal_dir: Path, monkeypatch: pytest.MonkeyPatch,
    mode: str, realm: str | None, made: list[bool],
) -> None:  # fmt: skip
    monkeypatch.setenv("LEGKEEPER_ROLLOUT_MODE", mode)
    paper_dir(journal_dir).mkdir()
    assert command("kill-switch", "on", *(["--realm", realm] if realm else [])).status == 0
    assert [kill_switch_path(where).exists() for where in (journal_dir, paper_dir(journal_dir))] == made
    assert len(system.asked) == 1


def test_submit_hands_over_the_plan_as_it_was_read(command: Command, system: Any) -> None:
    result = command("submit", EXAMPLE)
    assert (result.status, result.out) == (0, "group bull-put-1 is accepted; follow it with 'show bull-put-1'\n")
    (request,) = system.asked
    assert request["command"] == "submit"
    assert msgspec.convert(request["plan"], Plan) == load_plan(EXAMPLE)


def test_the_systems_own_words_are_shown(command: Command, system: Any) -> None:
    system.answer = b'{"ok": true, "text": "3 entries canceled"}\n'
    assert command("kill-switch", "on").out == "3 entries canceled\n"
    assert command("kill-switch", "on", "--json").json == {"ok": True, "text": "3 entries canceled"}


def test_a_refusal_is_status_1_and_the_systems_reason(command: Command, system: Any) -> None:
    system.answer = b'{"ok": false, "error": "no such\\ngroup; look with groups"}\n'
    assert command("cancel", "g-1") == (1, "", "error: no such group; look with groups\n")


@pytest.mark.parametrize(
    "answer", [b"", b"what?\n", b"[]\n", b"{}\n", b'{"ok": tru'], ids=["nothing", "words", "list", "no ok", "torn"]
)
def test_an_answer_that_is_none_leaves_the_outcome_open(command: Command, system: Any, answer: bytes) -> None:
    system.answer = answer
    result = command("cancel", "g-1")
    assert result.status == 1
    assert "may have been carried out: look with 'status' before you repeat it" in result.err


@pytest.mark.parametrize("answer", [b'{"ok": false}\n', b'{"ok": 1}\n', b'{"ok": "yes"}\n'])
def test_only_a_true_ok_is_a_success(command: Command, system: Any, answer: bytes) -> None:
    system.answer = answer
    assert command("cancel", "g-1").status == 1


def test_a_long_answer_arrives_whole(system: Any, journal_dir: Path) -> None:
    system.answer = msgspec.json.encode({"ok": True, "text": "x" * 500_000}) + b"\n"
    assert len(control.ask(journal_dir, control.status())["text"]) == 500_000


def test_a_silent_system_is_a_timeout_and_no_success(journal_dir: Path) -> None:
    """It listens, and never takes the connection up: the kernel accepts in its place."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(control_path(journal_dir)))
        server.listen()
        with pytest.raises(CommandFailed, match=r"did not answer within 0\.05 s; the command may still be carried out"):
            control.ask(journal_dir, control.status(), timeout_s=0.05)


def test_without_a_system_the_error_says_how_to_start_one(command: Command, journal_dir: Path) -> None:
    expected = f"error: no system is running on {journal_dir}; start one with 'python run_system.py start'"
    result = command("cancel", "g-1")
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith(expected)


def test_a_socket_that_nobody_listens_on_is_no_system(command: Command, journal_dir: Path) -> None:
    """What a system that was killed leaves behind."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(control_path(journal_dir)))
    assert "no system is running" in command("cancel", "g-1").err


def test_a_directory_with_a_long_name_works_too(
    tmp_path: Path, command: Command, start_system: Callable[[Path], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / ("d" * 150)
    directory.mkdir()
    monkeypatch.setenv("LEGKEEPER_SYSTEM_JOURNAL_DIR", str(directory))
    server = start_system(directory)
    assert server.path.parent != directory
    assert command("cancel", "g-1").status == 0
    assert server.asked == [{"command": "cancel", "group_id": "g-1"}]
