"""The client of the control socket, against a real socket."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cli import control
from cli.problems import CommandFailed
from config.paths import control_path
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
