"""Exit statuses, one-line errors, and help that teaches."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.app import FAMILIES
from cli.problems import CommandFailed, exit_status
from config.errors import ConfigError, PlanError
from decisions.groups.validation import PlanRefused
from storage.port import JournalCorrupt

ROOT = Path(__file__).resolve().parents[2]
Command = Callable[..., Any]

COMMANDS = [
    ["submit"], ["cancel"], ["kill-switch"], ["ack"], ["status"], ["groups"], ["show"], ["alerts"], ["config"],
    ["journal", "verify"], ["journal", "explain"], ["journal", "export"],
]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nope"], "error: No such command 'nope'"),
        (["statsu"], "Did you mean 'status'"),
        (["submit"], "error: Missing argument"),
        (["status", "--bad"], "error: No such option: --bad"),
        (["kill-switch", "maybe"], "error: Invalid value for"),
        (["journal"], "error: Missing command"),
        (["ack", "id"], "error: Missing option '--by'"),
        (["ack", "id", "--by", " "], "error: --by needs the name of the person"),
        (["status", "--config", "missing.toml"], "error: missing.toml: cannot be read: no such file"),
        (["submit", "missing.toml"], "error: missing.toml: cannot be read: no such file"),
        (["submit", "plan.txt"], "error: plan.txt: a plan file must end in .toml or .json"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_status_2(
    command: Command, journal_dir: Path, arguments: list[str], says: str
) -> None:
    result = command(*arguments)
    assert (result.status, result.out) == (2, "")
    assert says in result.err
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1


def test_a_wrong_value_in_the_environment_is_status_2(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEGKEEPER_BROKER_PORT", "many")
    result = command("config")
    assert (result.status, result.out) == (2, "")
    assert "environment variable LEGKEEPER_BROKER_PORT" in result.err


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigError(""), 2),
        (PlanError(""), 2),
        (CommandFailed(""), 1),
        (PlanRefused([]), 1),
        (JournalCorrupt(""), 1),
        (KeyError(""), None),
    ],
)
def test_each_kind_of_error_has_its_status_and_a_bug_has_none(error: Exception, status: int | None) -> None:
    assert exit_status(error) == status


def test_without_a_command_the_help_is_shown(command: Command) -> None:
    result = command()
    assert result.status == 0
    assert "submit docs/plans/bull_put.toml --dry-run" in result.out


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_an_example_and_the_common_options(command: Command, words: list[str]) -> None:
    result = command(*words, "--help")
    assert result.status == 0
    assert f"python run_system.py {' '.join(words)}" in result.out
    assert "--json" in result.out
    assert "--config FILE" in result.out


def test_the_help_lists_every_command(command: Command) -> None:
    text = command("--help").out
    for words in COMMANDS:
        assert f"\n  {words[0]} " in text


def test_every_family_can_be_registered() -> None:
    assert all(callable(family.register) for family in FAMILIES)


def program(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "run_system.py", *arguments],
        cwd=ROOT,
        env={name: text for name, text in os.environ.items() if not name.startswith("LEGKEEPER_")} | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_program_itself_ends_with_the_status_and_the_line(tmp_path: Path) -> None:
    wrong = program("nope")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr == "error: No such command 'nope'; see --help\n"
    failed = program("groups", LEGKEEPER_SYSTEM_JOURNAL_DIR=str(tmp_path))
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.startswith(f"error: there is no journal in {tmp_path}; start the system once")


def test_a_reader_that_stops_early_is_no_traceback() -> None:
    """As in ``run_system.py config | head -1``."""
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; from cli.app import run; sys.exit(run(['config']))"],
        cwd=ROOT,
        env={name: text for name, text in os.environ.items() if not name.startswith("LEGKEEPER_")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 1
