"""A halt lasts until the next start: its kill switch does not go off under it, however late that was asked (R25)."""

from __future__ import annotations

from pathlib import Path

import pytest
from roots import Root, root
from syncs import Syncs
from thespian.actors import ChildActorExited

from actors.machine import Machine
from config.paths import kill_switch_path, paper_dir
from domain.rollout import Realm
from messages.operator import KillSwitch
from messages.records import Severity
from messages.supervision import ChildFailed
from supervisors.root import AskDirectory, Directory
from supervisors.tree import CELLS, GATEWAY, NOTIFIER, PAPER_CELLS, PAPER_GATEWAY, RECONCILER

ON = KillSwitch(on=True)


def fails(made: Root, name: str) -> None:
    """A supervisor of cells has given up."""
    made.on_failed(ChildFailed(name, "a cell is dead", permanent=True), made.children[name].address)


def directory(made: Root) -> Directory:
    """What the main program would be told."""
    made.on_ask_directory(AskDirectory(), "program")
    found = made.sent.pop()[1]
    assert isinstance(found, Directory)
    return found


def test_R25_a_halt_tells_the_gateway_and_syncs_the_file(tmp_path: Path, syncs: Syncs) -> None:
    with root(tmp_path) as made:
        fails(made, CELLS)
        assert made.asked_of(GATEWAY) == [ON]
        assert syncs.since() == [tmp_path / "KILL", tmp_path]


def test_R25_gateways_and_a_person_hear_of_a_halt_before_a_disk_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with root(tmp_path, "rollout") as made:

        def stalls(_: Realm) -> None:
            assert made.asked_of(GATEWAY) == made.asked_of(PAPER_GATEWAY) == [ON]
            assert [alert.kind for alert in made.raised()] == ["SYSTEM_HALTED"]
            raise InterruptedError

        monkeypatch.setattr(made, "mark", stalls)
        with pytest.raises(InterruptedError):
            fails(made, CELLS)


def test_R25_a_kill_switch_that_goes_off_under_a_halt_goes_on_again_once(tmp_path: Path) -> None:
    file = kill_switch_path(tmp_path)
    with root(tmp_path) as made:
        made.beats(3)
        assert made.asked_of(GATEWAY) == [], "nothing is halted"
        fails(made, CELLS)
        made.asked_of(GATEWAY)
        made.beats(10)
        assert made.asked_of(GATEWAY) == [], "the file is there"
        file.unlink()
        made.beats(10)
        assert made.asked_of(GATEWAY) == [ON]
        assert file.exists()


def test_R25_a_halt_of_paper_is_one_of_paper_only(tmp_path: Path) -> None:
    paper = paper_dir(tmp_path)
    paper.mkdir()
    with root(tmp_path, "rollout") as made:
        fails(made, PAPER_CELLS)
        assert [alert.kind for alert in made.raised()] == ["PAPER_HALTED"]
        assert made.asked_of(PAPER_GATEWAY) == [ON]
        assert (directory(made).failure, directory(made).halts) == ("", {Realm.PAPER: "a cell is dead"})
        kill_switch_path(paper).unlink()
        made.beats(10)
        assert made.asked_of(PAPER_GATEWAY) == [ON]
        assert made.asked_of(GATEWAY) == []
        assert not kill_switch_path(tmp_path).exists()


def test_R25_a_halt_of_the_system_is_one_of_both_realms(tmp_path: Path) -> None:
    paper_dir(tmp_path).mkdir()
    with root(tmp_path, "rollout") as made:
        fails(made, CELLS)
        assert directory(made).failure == "a cell is dead"
        assert directory(made).halts == dict.fromkeys(Realm, "a cell is dead")


class NoDisk:
    """A kill switch's file of which the disk says nothing and takes nothing."""

    def __init__(self) -> None:
        self.fails = True
        self.touched = 0

    def exists(self) -> bool:
        if self.fails:
            raise OSError(5, "Input/output error")
        return self.touched > 0

    def touch(self) -> None:
        self.touched += 1
        if self.fails:
            raise OSError(5, "Input/output error")

    def unlink(self, missing_ok: bool = False) -> None:
        raise AssertionError("nobody turns it off")


@pytest.fixture
def no_disk(monkeypatch: pytest.MonkeyPatch) -> NoDisk:
    file = NoDisk()
    monkeypatch.setattr(Machine, "kill_switch", lambda _machine, _config: file)
    return file


def test_R25_a_disk_that_fails_under_a_halt_is_tried_again_and_the_gateway_hears_of_it_once(
    tmp_path: Path, no_disk: NoDisk
) -> None:
    with root(tmp_path) as made:
        fails(made, CELLS)
        made.beats(10)
        assert no_disk.touched == 11
        assert made.asked_of(GATEWAY) == [ON]
        no_disk.fails = False
        made.beats(10)
        assert no_disk.touched == 12
        assert made.asked_of(GATEWAY) == []


def test_R25_a_disk_that_begins_to_fail_after_a_halt_does_not_end_the_root(tmp_path: Path, no_disk: NoDisk) -> None:
    no_disk.fails = False
    with root(tmp_path) as made:
        fails(made, CELLS)
        made.asked_of(GATEWAY)
        no_disk.fails = True
        made.beats(10)
        assert made.asked_of(GATEWAY) == [ON], "nobody can know that it is still on"


def test_R25_a_gateway_that_comes_back_under_a_halt_of_which_no_file_tells_is_told(
    tmp_path: Path, no_disk: NoDisk
) -> None:
    with root(tmp_path) as made:
        fails(made, CELLS)
        made.asked_of(GATEWAY)
        del made.children[GATEWAY]
        made.restart((GATEWAY,))
        made.is_ready(GATEWAY)
        assert made.asked_of(GATEWAY) == [ON]
        no_disk.fails = False
        made.beats()
        del made.children[GATEWAY]
        made.restart((GATEWAY,))
        made.is_ready(GATEWAY)
        assert made.asked_of(GATEWAY) == [], "it finds the file"


def dies(made: Root, name: str) -> None:
    """A child ends, and comes back as far as its budget goes; the test's hand is the timer of the delays."""
    made.on_exited(ChildActorExited(made.children[name].address), "thespian")
    if name not in made.children and name not in made.given_up:
        made.restart((name,))
    if name in made.children:
        made.is_ready(name)


def spends_its_budget(made: Root, name: str) -> None:
    """It dies until it is not started again at once."""
    while name in made.children:
        dies(made, name)


def test_a_notifier_that_is_given_up_comes_back_and_tells_of_the_halt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the halt's own alert, and every later one, would reach nobody."""
    timers: list[tuple[int, object]] = []
    with root(tmp_path) as made:
        monkeypatch.setattr(made, "wakeup", lambda ms, payload: timers.append((ms, payload)))
        spends_its_budget(made, NOTIFIER)
        assert made.asked_of(GATEWAY) == [ON]
        assert timers[-1] == (made.spec.period_ms, ("restart", (NOTIFIER,)))
        made.sent.clear()
        made.restart((NOTIFIER,))
        made.is_ready(NOTIFIER)
        assert "SYSTEM_HALTED" in [alert.kind for alert in made.raised()]
        assert made.halted and kill_switch_path(tmp_path).exists(), "that it is back ends nothing"


def test_a_notifier_that_is_given_up_over_and_over_halts_and_tells_once(tmp_path: Path) -> None:
    with root(tmp_path) as made:
        for _ in range(5):
            spends_its_budget(made, NOTIFIER)
            made.restart((NOTIFIER,))
            made.is_ready(NOTIFIER)
        assert [alert.kind for alert in made.undelivered.values()].count("SYSTEM_HALTED") == 1


def test_an_alert_takes_another_way_out_while_there_is_no_notifier(tmp_path: Path) -> None:
    with root(tmp_path) as made:
        spends_its_budget(made, NOTIFIER)
        made.machine.complaints.clear()
        made.alert(Severity.CRITICAL, "PROCESS_STUCK", "the gateway hangs")
        assert made.machine.complaints == ["PROCESS_STUCK: the gateway hangs"]


def test_another_vital_child_that_is_given_up_is_not_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timers: list[object] = []
    with root(tmp_path) as made:
        spends_its_budget(made, NOTIFIER)
        monkeypatch.setattr(made, "wakeup", lambda _, payload: timers.append(payload))
        while GATEWAY in made.children:
            timers.clear()
            dies(made, GATEWAY)
        assert timers == []
        told = [alert.text for alert in made.undelivered.values() if alert.kind == "SYSTEM_HALTED"]
        assert [GATEWAY in text for text in told] == [False, True], "each is a halt of its own"


def test_e14_a_reconciler_that_cannot_be_kept_running_is_told_of_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing halts for it; but nobody knew that no position was compared any more."""
    timers: list[tuple[int, object]] = []
    with root(tmp_path) as made:
        monkeypatch.setattr(made, "wakeup", lambda ms, payload: timers.append((ms, payload)))
        for _ in range(made.spec.intensity):
            dies(made, RECONCILER)
        made.on_exited(ChildActorExited(made.children[RECONCILER].address), "thespian")
        (alert,) = [one for one in made.undelivered.values() if one.kind == "PROCESS_DOWN"]
        assert alert.severity is Severity.WARNING
        assert "nobody compares the positions" in alert.text
        assert (made.halted, timers[-1]) == ("", (made.spec.period_ms, ("restart", (RECONCILER,))))
