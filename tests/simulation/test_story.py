"""A run is told so that a person can read it: who said what to whom, line by line, and what was left out."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from simulation.__main__ import app
from simulation.run import run_tape
from simulation.schedule import MS
from simulation.story import Story, excerpt, tell
from simulation.tape import Tape
from simulation.world import World

PLAN = "plan=(group_id=g0 quantity=2 legs=[(leg_id=buyP90 symbol=XYZ210115P00090000 side=buy ratio=1"


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def told(act: Callable[[World], object] = lambda _world: None) -> Story:
    """The story of a spread that is entered, and what ``act`` does half a second later."""
    stories: list[Story] = []

    def look(world: World) -> None:
        stories.append(Story(world))
        world.schedule.at(world.schedule.now_ns + 500 * MS, act, world)

    assert not run_tape(Tape(), look=look, scenario="vertical_entry").violation
    return stories[0]


def words(story: Story) -> list[str]:
    """Its lines without their times, and with one space between columns."""
    return [" ".join(line.split()[2:]) for line in story.lines]


@pytest.mark.parametrize(
    "line",
    [
        "main program → RootSupervisor (1001) StartRoot",
        f"operator → cell-0 (1006) SubmitGroup {PLAN}",
        "cell-0 (1006) → operator GroupAccepted group_id=g0",
        "cell-0 (1006) → gateway (1003) SubmitOrder client_order_id=LK",
        "gateway (1003) → broker submit client_order_id=LK",
        "exchange order_received buy 2 XYZ210115P00090000 LK",
        "gateway (1003) → cell-0 (1006) ExecutionReport client_order_id=LK",
        "journal cell-0 intent LK",
    ],
)
def test_a_line_says_who_said_what_to_whom_or_where_it_happened(line: str) -> None:
    assert any(one.startswith(line) for one in words(told()))


def test_the_dead_keep_their_names_and_whoever_is_told_of_them_is_told_which() -> None:
    lines = words(told(lambda world: world.strikes.kill_newest("Cell")))
    assert "DIES cell-0 (1006)" in lines
    assert "actor system → cells (1004) ChildActorExited cell-0 (1006)" in lines
    assert any(line.startswith("cells (1004) → cell (1007) StartChild name=cell-0") for line in lines)


def test_what_is_not_for_a_screen_has_a_line_for_each_event_and_symbols_are_words() -> None:
    story = told()
    story.lines.append("x" * 500)
    piped = io.StringIO()
    tell(Console(file=piped), story, 0)
    assert piped.getvalue().splitlines() == story.lines
    assert not any("XYZ  " in line for line in story.lines)


def test_on_a_screen_a_line_goes_on_below_what_happened_and_no_word_is_torn() -> None:
    story, screen = told(), io.StringIO()
    tell(Console(file=screen, width=80, force_terminal=True, color_system=None), story, 0)
    lines = screen.getvalue().splitlines()
    assert " ".join(screen.getvalue().split()) == " ".join(" ".join(story.lines).split())
    assert {line[:13].strip() for line in lines if " s  " not in line[:13]} == {""}


def test_lines_that_are_left_out_are_counted_and_it_is_said_how_to_see_them() -> None:
    lines = [str(number) for number in range(1_200)]
    assert excerpt(lines, 0) == excerpt(lines, 1_200) == lines
    assert excerpt(lines, 2) == ["… 1,198 earlier lines are left out; --last 0 tells them all", "1198", "1199"]
    said = CliRunner().invoke(app, ["replay", "3", "--explain", "--last", "1"]).stdout.splitlines()
    assert (len(said), said[0].endswith("--last 0 tells them all"), said[-1]) == (3, True, "no violation")
