"""A process that SIGKILL does not end, because it waits for a disk: a person hears of it, and what stands still."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from roots import Numbers, Root, root
from thespian.actors import ChildActorExited

from actors.machine import running_on
from config.schema import Config, SystemConfig
from domain.rollout import Realm
from messages.records import Severity
from messages.supervision import ChildReady, Pong, StartChild, Trouble
from supervisors.cells import CellDirectory, CellSupervisor
from supervisors.root import AskDirectory, Directory
from supervisors.tree import CELLS, GATEWAY, METRICS, NOTIFIER, cells_spec, meanwhile, root_spec

TIMEOUT_BEATS = 11  # of 500 ms; a child may be silent for 5 s


def states(made: Root) -> dict[str, str]:
    """What the status page says."""
    return {status.name: status.state for status in made.statuses()}


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Root]:
    with root(tmp_path) as found:
        yield found


def hangs(made: Root, name: str) -> int:
    """A child stops answering, until it has been killed for it."""
    made.silent.add(name)
    pid = made.children[name].born_pid
    made.beats(TIMEOUT_BEATS)
    assert made.machine.killed[-1] == pid
    return pid


def test_a_gateway_that_does_not_end_is_told_of_once_and_never_called_running(made: Root) -> None:
    pid = hangs(made, GATEWAY)
    assert states(made)[GATEWAY] == "hangs", "from the first kill on"
    assert made.raised() == []
    made.beats(1_200)  # ten minutes
    (alert,) = made.raised()
    assert (alert.kind, alert.severity) == ("PROCESS_STUCK", Severity.CRITICAL)
    assert alert.text.startswith(f"gateway (process {pid}) hangs and does not end although it was killed")
    assert "no order and no stop leaves" in alert.text and "disk" in alert.text
    assert made.machine.killed == [pid]
    assert states(made) == {name: "hangs" if name == GATEWAY else "running" for name in made.children}


def test_what_it_said_before_it_was_killed_does_not_make_it_run_again(made: Root) -> None:
    hangs(made, GATEWAY)
    made.says(GATEWAY)
    made.is_ready(GATEWAY)
    assert states(made)[GATEWAY] == "hangs"
    made.beats(TIMEOUT_BEATS)
    assert [alert.kind for alert in made.raised()] == ["PROCESS_STUCK"]


@pytest.mark.parametrize("told", [True, False], ids=["its end is told", "its end is found out"])
def test_when_it_ends_at_last_it_is_started_again_and_the_next_one_has_an_alert_of_its_own(
    made: Root, told: bool
) -> None:
    pid = hangs(made, GATEWAY)
    made.beats(100)
    made.silent.clear()
    made.machine.gone.add(pid)
    if told:
        made.on_exited(ChildActorExited(made.children[GATEWAY].address), made.myAddress)
    else:
        made.heartbeat()
    assert (made.children[GATEWAY].born_pid, states(made)[GATEWAY]) == (made.machine.born_last, "starting")
    made.is_ready(GATEWAY)
    made.beats(100)
    assert states(made)[GATEWAY] == "running"
    hangs(made, GATEWAY)
    made.beats(100)
    assert [alert.kind for alert in made.raised()] == ["PROCESS_STUCK", "PROCESS_RESTARTED", "PROCESS_STUCK"]


def test_one_that_ends_when_it_is_killed_calls_nobody(made: Root) -> None:
    pid = hangs(made, GATEWAY)
    made.machine.gone.add(pid)
    made.silent.clear()
    made.beats()
    made.is_ready(GATEWAY)
    made.beats(100)
    assert [alert.kind for alert in made.raised()] == ["PROCESS_RESTARTED"]


def test_nobody_is_sent_to_a_gateway_that_hangs_and_it_does_not_count_as_up(made: Root) -> None:
    hangs(made, GATEWAY)
    made.on_ask_directory(AskDirectory(), "program")
    found = made.sent[-1][1]
    assert isinstance(found, Directory) and found.gateways == {}
    up = {s.labels[0]: s.value for s in made.measures.report().samples if s.name == "process_up"}
    assert up == {name: float(name != GATEWAY) for name in made.children}


def test_when_the_notifier_does_not_end_the_alert_takes_another_way_out(made: Root) -> None:
    hangs(made, NOTIFIER)
    made.beats(100)
    (complaint,) = made.machine.complaints
    assert "notifier" in complaint and "no alert leaves" in complaint


def test_it_is_said_of_every_process_what_does_not_happen_without_it() -> None:
    told = {child.name: meanwhile(child.name) for child in root_spec(Config()).children}
    assert told.keys() == {NOTIFIER, GATEWAY, CELLS, "reconciler", METRICS}
    assert len(set(told.values())) == len(told)
    (cell, *_) = cells_spec(Config(), Realm.LIVE).children
    assert meanwhile(cell.name) not in told.values()


class Cells(CellSupervisor):
    """One cell supervisor whose post and timers are in the test's hands."""

    def __init__(self, machine: Numbers, journal_dir: Path) -> None:
        super().__init__()
        self.machine = machine
        self.sent: list[tuple[str, Any]] = []
        config = Config(system=SystemConfig(journal_dir=str(journal_dir), cells=2))
        self.on_start(StartChild(CELLS, 2, msgspec.msgpack.encode(config), {}), "root")
        for child in list(self.children.values()):
            self.on_ready(ChildReady(child.spec.name, child.born_pid), child.address)

    def createActor(self, actor: str, *rest: Any) -> str:
        return f"{actor}/{self.machine.born_last}"

    def send(self, target: str, message: Any) -> None:
        self.sent.append((target, message))

    def wakeupAfter(self, *_: Any) -> None:
        """The test's hand is the timer."""


def test_of_a_cell_that_does_not_end_its_supervisor_tells_the_root_once(tmp_path: Path) -> None:
    machine = Numbers()
    with running_on(machine):
        made = Cells(machine, tmp_path)
        stuck = made.children["cell-0"].born_pid
        for _ in range(1_200):
            machine.ns += 500 * 10**6
            made.on_pong(Pong(1, "cell-1", "open"), made.children["cell-1"].address)
            made.heartbeat()
        assert machine.killed == [stuck]
        (trouble,) = [message for _, message in made.sent if isinstance(message, Trouble)]
        assert (trouble.kind, trouble.severity) == ("PROCESS_STUCK", "CRITICAL")
        assert f"cell-0 (process {stuck})" in trouble.text and "its groups are not worked" in trouble.text
        made.report()
        told = made.sent[-1][1]
        assert isinstance(told, CellDirectory)
        assert [status.state for status in told.statuses] == ["hangs", "open"]
        assert told.addresses.keys() == {1}
