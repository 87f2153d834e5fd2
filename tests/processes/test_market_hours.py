"""Halts and closed sessions, from the exchange's word and the calendar to what the operator is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from system import Bench, bench, id_in_cell, plan, wait_for

from cli import control
from cli.problems import CommandFailed
from domain.groups import GroupOutcome
from venue.child import VenueChild

DAY_S = 23_400  # the made-up chain's session


def test_a_halt_holds_orders_up_and_a_person_is_told_until_the_exchange_resumes(tmp_path: Path) -> None:
    with bench(tmp_path) as site, site.steering() as exchange:
        system = site.start()
        system.wait_until_open()
        group = id_in_cell(0, "halted")
        system.submit(plan(group, quantity=2))
        assert site.wait_until_certified(group) == {group: GroupOutcome.HEDGED}
        exchange.halt("circuit breaker")
        wait_for(lambda: "TRADING_HALTED" in site.alert_kinds(), "the alert")
        wait_for(lambda: "halted" in str(system.processes().get("cell-0")), "the cell to know")
        sent = len(site.received(group))
        with pytest.raises(CommandFailed, match="the exchange has halted trading: circuit breaker"):
            system.submit(plan(id_in_cell(0, "more"), quantity=1))
        answer = control.ask(site.journal_dir, control.cancel(group), 10.0)
        assert "once orders may leave: the exchange has halted trading" in str(answer)
        pid = system.kill("gateway")  # its successor has to hear of the halt from the exchange again
        system.wait_until_replaced("gateway", pid)
        wait_for(lambda: "halted" in str(system.processes().get("cell-0")), "the status to say so")
        assert len(site.received(group)) == sent
        exchange.halt("")
        assert wait_for(lambda: site.certified(group).get(group) is GroupOutcome.FLAT, "the group to be closed")
        system.stop()


def test_outside_of_the_calendars_session_new_risk_is_refused_with_the_next_opening(tmp_path: Path) -> None:
    truth = str(tmp_path / "truth.jsonl")
    after = ("--offset-s", str(DAY_S + 60), "--hold", "--rules", '{"calendar": "us_options"}')
    with VenueChild("--port", "0", "--truth", truth, *after) as venue:
        site = Bench(tmp_path, venue)
        try:
            system = site.start(LEGKEEPER_BROKER_CALENDAR="us_options")
            wait_for(lambda: "it opens 2026-01-06 09:30 EST" in str(system.status()), "the status to say why")
            with pytest.raises(CommandFailed, match="the us_options session is closed; it opens 2026-01-06 09:30 EST"):
                system.submit(plan(id_in_cell(0, "late")))
            assert "order_received" not in {event.kind for event in site.truth()}
            system.stop()
        finally:
            site.close()
