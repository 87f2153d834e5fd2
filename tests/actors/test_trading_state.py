"""The trading state, the kill switch and the gateway's own journal, judged by what the broker sees."""

from __future__ import annotations

import json
from errno import ENOSPC
from io import StringIO
from pathlib import Path

from gateway_door import LONG, SHORT, door, order

from domain.execution import Side
from domain.groups import Role
from domain.trading import TradingState
from messages.controls import AskControls, OverrideControl, SetTradingState
from messages.operator import CommandDone, CommandRefused, KillSwitch
from messages.records import ControlAction
from storage.explain import explain, render
from storage.export import export
from storage.verify import verify

REDUCING = SetTradingState(TradingState.REDUCING, "odd quotes", "maria")
ACTIVE = SetTradingState(TradingState.ACTIVE, "quotes are fine", "maria")
ENTRY = order(LONG, Side.BUY)
HEDGE = order(LONG, Side.BUY, role=Role.HEDGE, ordinal=1)


def test_reducing_cancels_working_entries_lets_repairs_out_and_refuses_new_risk(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        working = order(SHORT, Side.SELL)
        gateway.hear(working)
        gateway.works(working)
        answer = gateway.told(REDUCING)
        assert isinstance(answer, CommandDone) and "1 working entries" in answer.text
        assert gateway.canceled == [working.client_order_id]
        assert gateway.refusals(ENTRY) == ["trading-state: odd quotes (maria)"]
        gateway.hear(HEDGE)
        assert gateway.sent == [working, HEDGE]
        assert gateway.states[-1].state is TradingState.REDUCING


def test_the_trading_state_survives_the_gateway(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        gateway.told(REDUCING)
    with door(tmp_path) as gateway:
        assert gateway.state().startswith("reducing")
        assert "odd quotes" in gateway.detail()
        assert gateway.refusals(ENTRY) == ["trading-state: odd quotes (maria)"]
        gateway.told(ACTIVE)
    with door(tmp_path) as gateway:
        gateway.hear(ENTRY)
        assert gateway.sent == [ENTRY]
        assert gateway.told(AskControls()).state is TradingState.ACTIVE


class FullDisk:
    """A kill switch's file that there is no room for."""

    def exists(self) -> bool:
        return False

    def touch(self) -> None:
        raise OSError(ENOSPC, "No space left on device")

    def unlink(self, missing_ok: bool = False) -> None:
        assert missing_ok


def test_E9_a_kill_switch_whose_file_cannot_be_written_stays_on_over_looks_and_restarts(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        file, gateway.trading.kill_file = gateway.trading.kill_file, FullDisk()
        gateway.told(KillSwitch(on=True))
        gateway.trading.look()
        assert gateway.refusals(ENTRY) == ["E9: the kill switch is on"]
    assert not file.exists()
    with door(tmp_path) as gateway:
        assert gateway.refusals(ENTRY) == ["E9: the kill switch is on"]
        gateway.trading.look()  # the disk has room again
        assert file.exists()
        file.unlink()  # a person may still do it this way
        gateway.trading.look()
        other = order(SHORT, Side.SELL)
        gateway.hear(other)
        assert gateway.sent == [other]


def test_E9_a_kill_switch_that_was_never_written_can_be_turned_off(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        gateway.trading.kill_file = FullDisk()
        gateway.told(KillSwitch(on=True))
        gateway.told(KillSwitch(on=False))
        gateway.trading.look()
        gateway.hear(ENTRY)
        assert gateway.sent == [ENTRY]


def test_E9_a_kill_switch_that_the_disk_takes_no_word_of_is_said_to_last_no_longer_than_its_gateway(
    tmp_path: Path,
) -> None:
    journal = tmp_path / "gateway.db"
    journal.write_bytes(b"this is not a journal" * 100)
    with door(tmp_path) as gateway:
        file, gateway.trading.kill_file = gateway.trading.kill_file, FullDisk()
        told = gateway.told(KillSwitch(on=True)).text
        assert "will not survive a restart" in told and "turn it on again" in told
        journal.unlink()
        Path(f"{journal}.lock").unlink()
        gateway.memory._again_ms = 0
        gateway.memory.look()
        gateway.trading.look()
        assert "will not survive" not in gateway.told(KillSwitch(on=True)).text, "its journal knows of it by now"
    assert not file.exists()
    lines = [json.loads(line) for line in (tmp_path / "wire.jsonl").read_text().splitlines()]
    kills = [(line.get("unwritten"), line.get("unsaved")) for line in lines if line["kind"] == "kill"]
    assert kills == [(True, True), (True, False), (True, False)]
    with door(tmp_path) as gateway:
        assert gateway.refusals(ENTRY) == ["E9: the kill switch is on"]


def test_an_operator_cannot_talk_the_kill_switch_away(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        gateway.told(KillSwitch(on=True))
        answer = gateway.told(ACTIVE)
        assert isinstance(answer, CommandDone) and "still reducing: E9" in answer.text
        assert gateway.refusals(ENTRY) == ["E9: the kill switch is on"]


def test_e15_every_refusal_is_in_a_journal_that_verifies_and_exports(tmp_path: Path) -> None:
    with door(tmp_path) as gateway:
        gateway.told(KillSwitch(on=True))
        gateway.hear(ENTRY)
        refused = [r for r in gateway.journaled() if r.action is ControlAction.REFUSED]
        assert [(r.subject, r.control, r.group_id) for r in refused] == [(f"order/{ENTRY.client_order_id}", "E9", "g")]
        assert verify(gateway.memory.path).ok
    journal = tmp_path / "gateway.db"
    assert verify(journal).ok
    told = "\n".join(render(explain(journal, "g")))
    assert f"order/{ENTRY.client_order_id}" in told and "E9: the kill switch is on" in told
    lines = StringIO()
    export(journal, lines)
    assert [line["data"]["action"] for line in map(json.loads, lines.getvalue().splitlines())][-1] == "refused"


def test_e15_a_broken_audit_disk_freezes_new_risk_and_stops_neither_hedges_nor_the_kill_switch(tmp_path: Path) -> None:
    (tmp_path / "gateway.db").write_bytes(b"this is not a journal" * 100)
    with door(tmp_path) as gateway:
        assert gateway.refusals(ENTRY)[0].startswith("E15: the gateway's journal")
        gateway.hear(HEDGE)
        assert gateway.sent == [HEDGE]
        assert "kill switch on" in gateway.told(KillSwitch(on=True)).text
        assert (tmp_path / "KILL").exists()
        (tmp_path / "gateway.db").unlink()
        (tmp_path / "gateway.db.lock").unlink()
        gateway.told(KillSwitch(on=False))
        gateway.memory._again_ms = 0
        gateway.passes(100)
        again = order(LONG, Side.BUY, attempt=2)
        gateway.hear(again)
        assert gateway.sent == [HEDGE, again], "the disk works again, and so does the gateway"
        assert [r.control for r in gateway.journaled() if r.action is ControlAction.REFUSED] == ["E15"]


def test_what_loosens_a_control_is_refused_while_it_cannot_be_written_down(tmp_path: Path) -> None:
    (tmp_path / "gateway.db").write_bytes(b"this is not a journal" * 100)
    with door(tmp_path, authorized=("maria",)) as gateway:
        answer = gateway.told(OverrideControl("E2", "", "wide market", "maria", 60_000))
        assert isinstance(answer, CommandRefused) and "cannot be written down" in answer.problems[0]
