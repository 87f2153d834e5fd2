"""R21, S3, S4, E14, E19 in real processes: what happens to positions is seen, classified, journaled, and answered."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from system import ROOT, Bench, System, bench, id_in_cell, plan, wait_for

from cli import control
from cli.problems import CommandFailed
from config.paths import positions_path
from domain.groups import GroupOutcome
from messages.orders import ActivityKind
from messages.records import PositionEventRecord, PositionKind

SHORT, WING, STOCK = "LEGK  260220P00485000", "LEGK  260220P00470000", "LEGK"
OTHER = "LEGK  260220C00515000"


def changes(made: Bench) -> dict[str, PositionEventRecord]:
    """The journaled changes without orders, by symbol."""
    found: list[PositionEventRecord] = made._read(lambda reader: reader.position_events())
    return {event.symbol: event for event in found}


def seen(made: Bench) -> dict[str, Any]:
    """What the reconciler wrote down last."""
    path = positions_path(made.journal_dir)
    return json.loads(path.read_text()) if path.exists() else {}


def position(made: Bench, symbol: str) -> int:
    with made.steering() as hand:
        return sum(held.quantity for held in hand.snapshot().positions if held.symbol == symbol)


def hedged(made: Bench) -> tuple[System, str]:
    system = made.start()
    system.wait_until_open()
    name = id_in_cell(0, "put-spread")
    system.submit(plan(name, 30))
    assert made.wait_until_certified(name)[name] is GroupOutcome.HEDGED
    wait_for(lambda: seen(made).get("balanced") and seen(made).get("groups"), "a balanced comparison")
    return system, name


def test_r21_an_assignment_on_the_exchange_is_classified_journaled_alerted_and_survives_a_kill(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        system, name = hedged(made)
        with made.steering() as hand:
            hand.assign(SHORT, 12)
        system.kill("reconciler")
        found = wait_for(lambda: changes(made) if len(changes(made)) == 2 else {}, "the assignment in the journal")
        assert {event.kind for event in found.values()} == {PositionKind.ASSIGNMENT}
        assert (found[SHORT].quantity, found[SHORT].group_id) == (12, name)
        assert found[STOCK].quantity == 1200
        wait_for(
            lambda: {"POSITION_ASSIGNMENT", "UNDERLYING_POSITION"} <= made.alert_kinds(),
            "the alerts to leave the system",
        )
        wait_for(lambda: made.certified(name).get(name) is GroupOutcome.HEDGED, "the group to stand as it is")
        system.stop()
        again = made.start()
        again.wait_until_open()
        wait_for(lambda: again.processes()["reconciler"]["state"] == "differences", "the reconciler to look again")
        assert len(changes(made)) == 2
        assert position(made, SHORT) == -18
        again.stop()


def test_r21_protection_sold_by_another_hand_is_bought_again(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        system, name = hedged(made)
        with made.steering() as hand:
            hand.intervene(ActivityKind.MANUAL, WING, -10)
        wait_for(lambda: position(made, WING) == 30, "the protection to be bought again")
        assert made.wait_until_certified(name)[name] is GroupOutcome.HEDGED
        assert changes(made)[WING].kind is PositionKind.MANUAL
        wait_for(lambda: seen(made).get("balanced"), "both sides to agree again")
        system.stop()


def run(made: Bench, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One command line, as a person types it."""
    return subprocess.run(
        [sys.executable, str(ROOT / "run_system.py"), *arguments, "--config", str(made.config_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_r23_the_difference_is_readable_while_the_system_is_down_and_is_resolved_when_it_is_back(
    tmp_path: Path,
) -> None:
    with bench(tmp_path) as made:
        system, _ = hedged(made)
        balanced = run(made, "reconcile")
        assert balanced.returncode == 0 and "journals and broker agree" in balanced.stdout
        system.stop()
        with made.steering() as hand:
            hand.intervene(ActivityKind.LIQUIDATION, SHORT, 7)
        told = run(made, "reconcile")
        assert told.returncode == 1
        assert f"{SHORT.strip()}: the journals say -30, the broker says -23" in told.stderr
        reports = sorted((made.journal_dir / "reports").iterdir())
        assert [json.loads(path.read_text())["balanced"] for path in reports][-1] is False
        again = made.start()
        again.wait_until_open()
        found = wait_for(lambda: changes(made), "the change in the journal")
        assert (found[SHORT].quantity, found[SHORT].kind) == (7, PositionKind.LIQUIDATION)
        wait_for(lambda: "liquidation" in run(made, "positions").stdout, "the command to show it")
        again.stop()


def test_what_changed_while_nobody_looked_holds_new_risk_back_until_a_person_accepts_it(tmp_path: Path) -> None:
    word = ("my own", "maria")
    with bench(tmp_path) as made:
        system, _ = hedged(made)
        system.stop()
        with made.steering() as hand:
            hand.intervene(ActivityKind.MANUAL, OTHER, 5)  # what belongs to no group
            hand.intervene(ActivityKind.MANUAL, WING, -10)  # protection of a group
        again = made.start()
        wait_for(lambda: position(made, WING) == 30, "the repair, which does not wait")
        wait_for(lambda: "START_DIFFERENCE" in made.alert_kinds(), "the alert")
        again.wait_for_state("cell-0", "reduce-only")
        with pytest.raises(CommandFailed, match=r"differ on .*'differences accept' ends that"):
            again.submit(plan(id_in_cell(0, "refused")))
        rows = {one["symbol"]: (one["journal"], one["broker"], one["quantity"]) for one in seen(made)["held"]}
        assert rows[OTHER] == ("+0", "+5", 5)
        assert rows[WING][2] == -10
        assert "the broker and the journals differ" in run(made, "status").stdout
        one = control.ask(made.journal_dir, control.accept(OTHER, *word))
        assert WING in one["text"], "one of two is not enough"
        assert run(made, "differences", "accept", "--all", "--reason", word[0], "--by", word[1]).returncode == 0
        again.wait_until_open()
        wait_for(lambda: not seen(made)["held"], "the report to say so")
        again.stop()
        assert OTHER in again.process.communicate()[0]
        third = made.start()
        third.wait_until_open()
        third.stop()
        assert "differ" not in third.process.communicate()[0]


def test_e19_the_day_ends_with_a_report_and_an_alert(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        system = made.start(LEGKEEPER_RECONCILIATION_END_OF_DAY="00:01")
        system.wait_until_open()
        wait_for(lambda: "END_OF_DAY" in made.alert_kinds(), "the day's end")
        (report,) = (made.journal_dir / "reports").glob("end-of-day-*.json")
        assert json.loads(report.read_text())["balanced"] is True
        (alert,) = [alert for alert in made.alerts() if alert["kind"] == "END_OF_DAY"]
        assert (alert["severity"], "balanced" in alert["text"]) == ("INFO", True)
        system.stop()
