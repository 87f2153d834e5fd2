"""E14: the reconciler's actor compares journal files with the broker by itself: no cell and no gateway is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from second_look import hedged_world
from world import LONG, SHORT, UNDERLYING, World

from actors.reconciler import PositionReconciler
from config.paths import day_report_path, journal_path, positions_path
from config.schema import Config, ReconciliationConfig, SystemConfig
from domain.quotes import Quote
from messages import wire
from messages.orders import ActivityKind
from messages.positions import Attend, BrokerSeen, BrokerView, Finding, Findings, PositionIssue, PositionsMoved
from messages.records import PositionKind, Severity
from messages.supervision import PeersChanged
from storage.port import Turn
from storage.sqlite import open_journal

HOUR_MS = 3_600_000


def write_down(world: World, directory: Path) -> None:
    """The cell's journal as a file, as its owner leaves it behind when it dies."""
    journal = open_journal(journal_path(directory, 0))
    for turn in world.journal.turns():
        if turn.records():
            journal.commit(Turn(epoch=journal.epoch, at_ns=turn.at_ns, records=turn.records()))
    journal.close()


class Reconciler(PositionReconciler):
    """The actor with its post and its timer in the test's hands."""

    def __init__(self, directory: Path, end_of_day: str = "") -> None:
        super().__init__()
        self.posted: list[tuple[Any, Any]] = []
        self.config = Config(
            system=SystemConfig(journal_dir=str(directory), cells=1),
            reconciliation=ReconciliationConfig(end_of_day=end_of_day),
        )
        self.peers = {"gateway": "the gateway"}
        self.on_start()
        self.begun = True

    def send(self, target: Any, message: Any) -> None:
        self.posted.append((target, message))

    def wakeup(self, ms: int, payload: Any) -> None:
        """The test's hand is the timer."""

    def sees(self, world: World, times: int = 3) -> list[Finding]:
        """What it tells the gateway, for the cells, after so many snapshots."""
        self.posted.clear()
        for _ in range(times):
            world.advance(2_000)
            spot = Quote(UNDERLYING, world.now_ns, 999_900, 1, 1_000_100, 1)
            view = BrokerView(world.snapshot_message(), (spot,))
            self.receiveMessage(BrokerSeen(wire.pack(view)), "the gateway")
        told = [message for target, message in self.posted if target == "the gateway"]
        return [finding for each in told if isinstance(each, Findings) for finding in wire.findings(each.findings)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A hedged bull put, and its journal as a file; its cell hears nothing of what follows."""
    made = hedged_world()
    write_down(made, tmp_path)
    return made


def test_e14_what_no_order_explains_is_found_in_journal_files_alone(tmp_path: Path, world: World) -> None:
    eyes = Reconciler(tmp_path)
    assert eyes.sees(world) == []
    assert eyes.state() == "balanced"
    world.exchange.intervene(ActivityKind.MANUAL, LONG, -4, 0, world.now_ns)
    found = eyes.sees(world)
    assert eyes.state() == "differences"
    moved = next(one for one in found if isinstance(one, PositionsMoved))
    assert (moved.group_id, moved.cell) == ("bp", 0)
    assert [(c.symbol, c.quantity, c.kind) for c in moved.changes] == [(LONG, -4, PositionKind.MANUAL)]
    issue = next(one for one in found if isinstance(one, PositionIssue))
    assert (issue.severity, issue.quantity) == (Severity.CRITICAL, 4)
    told = msgspec.json.decode(positions_path(tmp_path).read_bytes())
    assert not told["balanced"]


def test_e14_it_shares_no_state_with_the_cell_whose_books_are_wrong(tmp_path: Path, world: World) -> None:
    """A cell that lost its own fill from its books would not notice; the broker and the journal together do."""
    eyes = Reconciler(tmp_path)
    world.exchange.intervene(ActivityKind.LIQUIDATION, SHORT, 10, 0, world.now_ns)
    assert world.cell.uncovered_qty == 0
    assert world.group().position_events == ()
    found = eyes.sees(world)
    assert {c.kind for one in found if isinstance(one, PositionsMoved) for c in one.changes} == {
        PositionKind.LIQUIDATION
    }
    assert world.group().position_events == (), "the cells alone write, once they are told"


def test_e14_a_journal_that_cannot_be_read_is_told_and_nothing_is_concluded(tmp_path: Path, world: World) -> None:
    eyes, journal = Reconciler(tmp_path), journal_path(tmp_path, 0)
    whole = journal.read_bytes()
    journal.write_bytes(b"this is not a journal" * 100)
    world.exchange.intervene(ActivityKind.MANUAL, LONG, -4, 0, world.now_ns)
    assert eyes.sees(world) == []
    assert eyes.state() == "waiting"
    assert eyes.detail().startswith("no comparison: ")
    journal.write_bytes(whole)
    assert eyes.sees(world) != []


def day_end(found: list[Finding]) -> list[PositionIssue]:
    """What was told of the day's end."""
    return [one for one in found if isinstance(one, PositionIssue) and one.kind == "END_OF_DAY"]


def test_e14_a_gateway_that_has_shown_nothing_is_told_of_us_again_at_once(tmp_path: Path, world: World) -> None:
    """The letter may get lost, and until it comes a gateway that has just started lets no new risk through."""
    eyes = Reconciler(tmp_path)
    assert eyes.sees(world) == []

    def greeted(gateway: str) -> int:
        eyes.posted.clear()
        eyes.on_wakeup("ask")
        return sum(target == gateway and isinstance(message, Attend) for target, message in eyes.posted)

    assert greeted("the gateway") == 0, "it shows its snapshots: it knows of us"
    eyes.receiveMessage(PeersChanged({"gateway": "the next gateway"}), "the supervisor")
    assert [greeted("the next gateway") for _ in range(3)] == [1, 1, 1]
    eyes.sees(world, times=1)
    assert greeted("the next gateway") == 0


def test_e19_a_day_ends_critical_when_the_two_sides_differ_then_and_not_before_that_is_sure(
    tmp_path: Path, world: World
) -> None:
    world.exchange.intervene(ActivityKind.MANUAL, SHORT, 3, 0, world.now_ns)
    eyes = Reconciler(tmp_path, end_of_day="14:30")
    assert day_end(eyes.sees(world, 1)) == [], "a difference that was seen once may be news that is on its way"
    found = day_end(eyes.sees(world, 2))
    assert {issue.severity for issue in found} == {Severity.CRITICAL}
    assert "does not balance" in found[0].text
    assert f"{SHORT.strip()}: the journals say -10, the broker says -7" in found[0].text
    kept = msgspec.json.decode(day_report_path(tmp_path, "2021-01-04").read_bytes())
    assert (kept["balanced"], kept["confirmed"]) == (False, ["group/bp", f"position/{SHORT}"])
    assert f"{day_report_path(tmp_path, '2021-01-04')}" in found[0].text


def test_e19_a_day_that_balances_ends_so_and_its_alert_in_the_journal_ends_the_telling(
    tmp_path: Path, world: World
) -> None:
    eyes = Reconciler(tmp_path, end_of_day="14:30")
    (told,) = day_end(eyes.sees(world, 1))
    assert told.severity is Severity.INFO
    world.take([told])
    later = tmp_path / "later"
    later.mkdir()
    write_down(world, later)
    assert day_end(Reconciler(later, end_of_day="14:30").sees(world, 2)) == []


@pytest.mark.parametrize("balanced", [True, False])
def test_e19_a_day_that_nobody_compared_on_its_evening_is_closed_on_the_next_and_a_person_is_told(
    tmp_path: Path, world: World, balanced: bool
) -> None:
    """The machine was off, or the broker silent, from the close to midnight: that day was never heard of again."""
    world.advance(20 * HOUR_MS)
    if not balanced:
        world.exchange.intervene(ActivityKind.MANUAL, SHORT, 3, 0, world.now_ns)
    found = day_end(Reconciler(tmp_path, end_of_day="14:45").sees(world))
    issue = found[-1]
    assert issue.issue_id == "END_OF_DAY/2021-01-04"
    assert issue.severity is (Severity.WARNING if balanced else Severity.CRITICAL)
    assert "nothing was compared after" in issue.text
    kept = msgspec.json.decode(day_report_path(tmp_path, "2021-01-04").read_bytes())
    assert kept["balanced"] is balanced


def test_e19_a_day_before_anything_of_ours_is_not_closed_late(tmp_path: Path, world: World) -> None:
    world.advance(HOUR_MS)
    assert day_end(Reconciler(tmp_path, end_of_day="23:00").sees(world)) == [], "2021-01-03 was before the first group"
