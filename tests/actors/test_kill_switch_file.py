"""The kill switch's file after a power cut (I26, E9): synced before anybody is told, and waited for by nothing else."""

from __future__ import annotations

from pathlib import Path

from gateway_door import LONG, SHORT, Door, door, order
from syncs import Syncs

from domain.execution import Side
from messages.operator import KillSwitch
from messages.records import ControlAction
from storage.durable import DurableMark

ENTRY = order(LONG, Side.BUY)


def cut_power(file: Path) -> None:
    """What was not synced is gone."""
    file.unlink()


def test_E9_whoever_is_told_that_the_kill_switch_is_on_or_off_finds_it_so_after_a_power_cut(
    tmp_path: Path, syncs: Syncs
) -> None:
    with door(tmp_path) as gateway:
        syncs.since()
        assert "kill switch on" in gateway.told(KillSwitch(on=True)).text
        assert syncs.since() == [tmp_path / "KILL", tmp_path]
        assert "kill switch off" in gateway.told(KillSwitch(on=False)).text
        assert syncs.since() == [tmp_path]


def test_E9_a_file_that_is_seen_and_whose_name_could_not_be_synced_is_in_the_journal_until_it_can_be(
    tmp_path: Path, syncs: Syncs
) -> None:
    file = tmp_path / "KILL"
    with door(tmp_path) as gateway:
        syncs.failing = {tmp_path}
        gateway.told(KillSwitch(on=True))
        gateway.trading.look()
        assert file.exists() and gateway.trading.is_unwritten and not gateway.trading.is_unsaved
    cut_power(file)
    with door(tmp_path) as gateway:
        assert gateway.refusals(ENTRY) == ["E9: the kill switch is on"]
        syncs.failing = set()
        syncs.since()
        gateway.trading.look()
        assert syncs.since() == [file, tmp_path]
        assert not gateway.trading.is_unwritten
        unwritten = [r.action for r in gateway.journaled() if r.subject == "kill-switch/unwritten"]
        assert unwritten == [ControlAction.REDUCING, ControlAction.ACTIVE]


def test_E9_a_gateway_that_finds_a_file_syncs_it_since_nobody_knows_who_made_it(tmp_path: Path, syncs: Syncs) -> None:
    file = tmp_path / "KILL"
    file.touch()
    with door(tmp_path) as gateway:
        assert gateway.trading.killed
        assert syncs.since()[-2:] == [file, tmp_path]


class Watched(DurableMark):
    """A kill switch's file that notes what the broker had been asked when it was to be written."""

    def __init__(self, path: Path, gateway: Door) -> None:
        super().__init__(path)
        self.gateway = gateway
        self.canceled: list[list[str]] = []

    def touch(self) -> None:
        self.canceled.append(list(self.gateway.canceled))
        super().touch()


def test_E9_the_cancels_of_the_kill_switch_leave_before_its_file_waits_for_the_disk(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        working = order(SHORT, Side.SELL)
        gateway.hear(working)
        gateway.works(working)
        file = gateway.trading.kill_file = Watched(tmp_path / "KILL", gateway)
        assert "1 working entries" in gateway.told(KillSwitch(on=True)).text
        assert file.canceled == [[working.client_order_id]]
