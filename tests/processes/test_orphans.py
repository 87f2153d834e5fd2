"""Nothing outlives its parent, nothing hangs for ever, and nothing is left behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from crash import BEGIN_EPOCH, BORN, COMMITTED, INSERTED, Rule
from evidence import finish
from system import STOP_DEADLINE_S, Bench, bench, id_in_cell, is_alive, plan, stop, wait_for

from config.paths import control_path
from messages.records import IntentStatus

GROUPS = (id_in_cell(0, "first"), id_in_cell(1, "second"))
PARTS = ("notifier", "gateway", "cells", "cell-0", "cell-1")
IMPATIENT = {"heartbeat_ms": 50, "heartbeat_timeout_ms": 1_000}


def nothing_is_left(where: Bench) -> None:
    wait_for(lambda: not where.left(), "every process of the system to end", STOP_DEADLINE_S)


@pytest.mark.parametrize("victim", ["program", "admin", "root"])
def test_nothing_outlives_the_top_of_the_tree_and_a_new_system_carries_on(tmp_path: Path, victim: str) -> None:
    with bench(tmp_path) as where:
        system = where.start()
        system.wait_until_open()
        system.submit(*map(plan, GROUPS))
        system.kill(victim)
        status = system.wait_until_ended()
        nothing_is_left(where)
        told = system.process.communicate()[1]
        if victim == "program":
            assert status == -signal.SIGKILL
        else:
            assert status == 1
            assert "the root supervisor" in told
            assert "start again" in told
            assert not control_path(where.journal_dir).exists()
        where.start()
        finish(where, *GROUPS)


def test_a_program_that_is_killed_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    with bench(tmp_path) as where:
        for grown_to in (2, 4, 6, 8):
            system = where.launch()
            wait_for(lambda grown_to=grown_to: len(where.left()) >= grown_to, f"{grown_to} processes")  # type: ignore[misc]
            system.process.kill()
            system.wait_until_ended()
            nothing_is_left(where)


def test_the_cells_and_their_supervisor_are_replaced_together(tmp_path: Path) -> None:
    with bench(tmp_path) as where:
        system = where.start()
        system.wait_until_open()
        before = system.pids(*PARTS)
        system.submit(*map(plan, GROUPS))
        system.kill("cells")
        after = {name: system.wait_until_replaced(name, before[name]) for name in ("cells", "cell-0", "cell-1")}
        assert not any(is_alive(before[name]) for name in after)
        assert system.pid_of("gateway") == before["gateway"]
        assert system.pid_of("notifier") == before["notifier"]
        finish(where, *GROUPS)


@pytest.mark.parametrize("victim", ["cell-0", "cells", "gateway"])
def test_a_part_that_hangs_is_killed_and_replaced_and_what_was_under_way_happens_once(
    tmp_path: Path, victim: str
) -> None:
    warm = id_in_cell(0, "warm")
    with bench(tmp_path, IMPATIENT) as where:
        system = where.start()
        system.wait_until_open()
        system.submit(plan(warm, 2))
        where.wait_until_certified(warm)
        pid = system.pid_of(victim)
        if victim == "gateway":  # its order is in its mailbox when it is killed: a zombie must not send it
            stop(pid)
            system.submit(plan(GROUPS[0]))
            assert {i.status for i in where.intents(GROUPS[0])} == {IntentStatus.INTENT_PERSISTED}
        else:
            system.submit(plan(GROUPS[0]))
            stop(pid)
        system.wait_until_replaced(victim, pid)
        assert not is_alive(pid)
        finish(where, warm, GROUPS[0])
        assert any(victim in alert["text"] for alert in where.alerts() if alert["kind"] == "PROCESS_RESTARTED")


@pytest.mark.parametrize(("moment", "word"), [(INSERTED, BEGIN_EPOCH), (BORN, "actors.gateway.BrokerGateway")])
def test_a_part_that_hangs_before_it_has_said_a_word_is_killed_and_replaced(
    tmp_path: Path, moment: str, word: str
) -> None:
    """Nobody has been told its process id then; its parent knows it."""
    rule = Rule(notes=str(tmp_path / "hung"), moment=moment, word=word, signal=signal.SIGSTOP)
    with bench(tmp_path, IMPATIENT | {"start_timeout_ms": 2_000}) as where:
        system = where.start(**rule.environment(tmp_path))
        system.wait_until_open()
        assert rule.deaths() == 1
        hung = int(Path(rule.notes).read_text())
        assert not is_alive(hung)
        system.stop()


def test_an_alert_that_a_dead_notifier_did_not_write_is_written_by_the_next_one(tmp_path: Path) -> None:
    with bench(tmp_path) as where, where.steering() as hand:
        system = where.start()
        system.wait_until_open()
        stop(system.pid_of("notifier"))
        hand.cut_links()
        wait_for(lambda: len(where.open_alerts("BROKER_SILENT")) == 2, "both cells to raise an alert")
        assert not where.alerts()
        system.kill("notifier")
        wait_for(lambda: where.delivered("BROKER_SILENT") == 2, "the alerts of both cells")
        wait_for(lambda: "PROCESS_RESTARTED" in where.alert_kinds(), "the alert of the root")
        system.stop()


def test_an_alert_that_a_cell_recorded_and_did_not_send_is_sent_by_its_next_incarnation(tmp_path: Path) -> None:
    rule = Rule(notes=str(tmp_path / "deaths"), moment=COMMITTED, word="BROKER_SILENT")
    with bench(tmp_path) as where, where.steering() as hand:
        system = where.start(**rule.environment(tmp_path))
        system.wait_until_open()
        hand.cut_links()
        wait_for(lambda: where.delivered("BROKER_SILENT") == 2, "the alerts of both cells")
        assert rule.deaths() == 1
        system.stop()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_ends_everything_and_takes_the_control_socket_away(tmp_path: Path, how: signal.Signals) -> None:
    with bench(tmp_path) as where:
        system = where.start()
        system.wait_until_open()
        system.submit(*map(plan, GROUPS))
        if how is signal.SIGINT:
            os.killpg(system.pid, how)  # Ctrl-C goes to everybody in the foreground
        else:
            os.kill(system.pid, how)
        assert system.wait_until_ended() == 0
        nothing_is_left(where)
        assert not control_path(where.journal_dir).exists()
        assert system.process.communicate()[0].endswith("stopped\n")
        where.start()
        finish(where, *GROUPS)
