"""A part that cannot be kept alive ends in a safe halt, and what still lives goes on protecting."""

from __future__ import annotations

from pathlib import Path

import pytest
from evidence import finish, positions
from system import System, bench, id_in_cell, is_alive, plan, stop, wait_for

from cli import control
from cli.problems import CommandFailed
from config.paths import kill_switch_path
from domain.groups import PlanStop

SHORT = "LEGK  260220C00515000"
FRAIL = {"intensity": 2, "period_ms": 120_000, "backoff_ms": 10}


def exhaust(system: System, name: str) -> None:
    """Kill a part as often as it is restarted, and once more."""
    for _ in range(FRAIL["intensity"]):
        system.wait_until_replaced(name, system.kill(name))
    system.kill(name)


def test_r25_a_cell_beyond_its_budget_halts_new_risk_and_the_other_cell_still_protects(tmp_path: Path) -> None:
    guarded = id_in_cell(1, "guarded")
    refused = id_in_cell(1, "refused")
    stops = (PlanStop(leg_id="short", trigger_price=30_0000),)
    with bench(tmp_path, FRAIL) as where, where.steering() as hand:
        system = where.start()
        system.wait_until_open()
        system.submit(plan(guarded, stops=stops))
        wait_for(lambda: positions(where, guarded).get(SHORT) == -30, "the short leg to be filled")
        exhaust(system, "cell-0")
        halted = wait_for(lambda: str(system.status()["halted"]), "the system to be halted")
        assert "cell-0 was restarted 2 times" in halted
        assert kill_switch_path(where.journal_dir).exists()
        wait_for(lambda: "SYSTEM_HALTED" in where.alert_kinds(), "the alert")
        system.wait_for_state("gateway", "killed, verified: no entry works")
        system.wait_for_state("cell-0", "down")
        system.wait_for_state("cell-1", "reduce-only")
        with pytest.raises(CommandFailed, match="the system is halted"):
            control.ask(where.journal_dir, control.kill_switch(on=False))
        assert kill_switch_path(where.journal_dir).exists()
        with pytest.raises(CommandFailed, match="new risk is not allowed"):
            control.ask(where.journal_dir, control.submit(plan(refused)))
        hand.pin(SHORT, 32_0000, 32_1000)
        wait_for(lambda: positions(where, guarded)[SHORT] == 0, "the stop-loss to buy the short leg back")
        finish(where, guarded, outcome=None)
        assert not where.received(refused)


def test_r25_a_gateway_beyond_its_budget_halts_the_system_and_the_cells_live_on(tmp_path: Path) -> None:
    with bench(tmp_path, FRAIL) as where:
        system = where.start()
        system.wait_until_open()
        cells = [system.pid_of("cell-0"), system.pid_of("cell-1")]
        exhaust(system, "gateway")
        halted = wait_for(lambda: str(system.status()["halted"]), "the system to be halted")
        assert "gateway was restarted 2 times" in halted
        assert kill_switch_path(where.journal_dir).exists()
        wait_for(lambda: "SYSTEM_HALTED" in where.alert_kinds(), "the alert")
        assert all(map(is_alive, cells))
        system.stop()


def test_the_alert_of_a_halt_survives_the_death_of_the_notifier(tmp_path: Path) -> None:
    with bench(tmp_path, FRAIL) as where:
        system = where.start()
        system.wait_until_open()
        stop(system.pid_of("notifier"))
        exhaust(system, "cell-1")
        wait_for(lambda: system.status()["halted"], "the system to be halted")
        assert "SYSTEM_HALTED" not in where.alert_kinds()
        system.kill("notifier")
        wait_for(lambda: "SYSTEM_HALTED" in where.alert_kinds(), "the alert")
        system.stop()


def test_the_kill_switch_works_every_time(tmp_path: Path) -> None:
    with bench(tmp_path) as where:
        system = where.start()
        system.wait_until_open()
        for on in (True, False, True, False):
            control.ask(where.journal_dir, control.kill_switch(on=on))
            system.wait_for_state("cell-0", "reduce-only" if on else "open")
            system.wait_for_state("cell-1", "reduce-only" if on else "open")
            assert kill_switch_path(where.journal_dir).exists() is on
        system.stop()
