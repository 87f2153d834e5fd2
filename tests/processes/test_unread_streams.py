"""A system whose words nobody reads goes on: ``start | tee`` where ``tee`` has died, or a terminal that is gone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from system import System, bench, id_in_cell, plan, wait_for
from webhook import Webhook

from cli import control
from config.paths import alert_log_path, positions_path
from domain.groups import GroupOutcome
from messages.orders import ActivityKind

STRANGE = "LEGK  260220C00515000"


def hang_up(system: System, when: str) -> None:
    """Whoever read what the program says has gone."""
    assert system.process.stdout is not None and system.process.stderr is not None
    if when == "while it runs":
        assert "legkeeper runs on" in system.process.stdout.readline()
    system.process.stdout.close()
    system.process.stderr.close()


@pytest.mark.parametrize("when", ["before it starts", "while it runs"])
def test_a_program_that_nobody_listens_to_keeps_its_groups_and_its_alerts(tmp_path: Path, when: str) -> None:
    """It has a table to print, of what the start found; and its notifier a complaint, that it cannot write a file."""
    group, after = id_in_cell(0, "held"), id_in_cell(1, "after")
    with bench(tmp_path) as where, Webhook() as sink:
        alert_log_path(where.journal_dir).mkdir(parents=True)
        with where.steering() as hand:
            hand.intervene(ActivityKind.MANUAL, STRANGE, 5)  # what no journal explains
        system = where.launch(LEGKEEPER_ALERTS_URLS=sink.url)
        hang_up(system, when)
        wait_for(lambda: "START_DIFFERENCE" in str(sink.notes), "the alert, which the notifier could not file")
        report = positions_path(where.journal_dir)

        def held() -> list[object]:
            found: list[object] = json.loads(report.read_text())["held"]
            return found

        wait_for(held, "the report")
        system.status(), system.status()  # between two commands the terminal is told what is new
        notifier = system.processes()["notifier"]
        assert notifier["restarts"] == 0
        control.ask(where.journal_dir, control.accept("", "my own", "maria"))
        wait_for(lambda: not held(), "the report to say so")
        system.status(), system.status()
        system.wait_until_open()
        system.submit(plan(group), plan(after))
        assert set(where.wait_until_certified(group, after).values()) == {GroupOutcome.HEDGED}
        assert system.processes()["notifier"]["pid"] == notifier["pid"]
        system.stop()
