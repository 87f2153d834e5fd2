"""A configured strategy in real processes: it enters, its cell is killed, and it takes its profit all the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
from system import ROOT, Bench, bench, wait_for

from cli import control
from domain.plans import home_cell

NAME = "weekly-puts"
TABLE = f"""
[[strategy]]
name = "{NAME}"
kind = "bull_put"
underlying = "LEGK"
quantity = 10
short_distance_pct = 3
width = 15
min_days = 10
max_days = 60
"""


def row(site: Bench) -> dict[str, Any]:
    """The strategy as the running system tells it."""
    (found,) = control.ask(site.journal_dir, control.strategies())["strategies"]
    return dict(found)


def told(site: Bench, *words: str) -> str:
    """What the command line prints."""
    command = [sys.executable, str(ROOT / "run_system.py"), "strategies", *words, "--config", str(site.config_path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def held(site: Bench) -> dict[str, int]:
    """The account's positions at the exchange."""
    with site.steering() as steering:
        return {p.symbol: p.quantity for p in steering.snapshot().positions if p.quantity}


def test_a_strategy_survives_the_death_of_its_cell_and_takes_its_profit(tmp_path: Path) -> None:
    with bench(tmp_path) as site:
        site.config_path.write_text(site.config_path.read_text() + TABLE)
        system = site.start()
        wait_for(lambda: row(site)["record"]["status"] == "open", "the strategy to hold its vertical")
        vertical = row(site)["vertical"]
        short, long = vertical["short_symbol"], vertical["long_symbol"]
        assert held(site) == {short: -10, long: 10}

        cell = f"cell-{home_cell(NAME, 2)}"
        system.wait_until_replaced(cell, system.kill(cell))
        system.wait_until_open()
        assert row(site)["record"]["group_id"] == vertical["group_id"]
        assert held(site) == {short: -10, long: 10}

        with site.steering() as steering:  # the spread is nearly worthless now
            steering.pin(short, 11_000, 11_500)
            steering.pin(long, 10_000, 10_500)
        wait_for(lambda: row(site)["record"]["verticals"] == 1, "the profit to be taken")
        record = row(site)["record"]
        assert (record["status"], record["standing"]) == ("flat", "ended")
        assert record["realised"] >= vertical["max_profit"] / 2 > 0
        assert held(site) == {}
        assert len({event.client_order_id[3:11] for event in site.truth() if event.kind == "order_received"}) == 1

        assert "profit target" in told(site, "show", NAME)
        assert "weekly-puts" in told(site)
        told(site, "start", NAME)
        wait_for(lambda: row(site)["record"]["number"] == 2, "the next vertical")
        told(site, "stop", NAME)
        wait_for(lambda: row(site)["record"]["status"] == "flat" and not held(site), "the stop to close it")
        system.stop()
        (down,) = msgspec.json.decode(told(site, "--json"))
        assert down["record"]["standing"] == "stopped"


def test_with_another_number_of_cells_a_strategy_is_not_begun_anew_elsewhere(tmp_path: Path) -> None:
    """It would forget what it holds, and that it was stopped."""
    with bench(tmp_path) as site:
        plain = site.config_path.read_text()
        site.config_path.write_text(plain + TABLE)
        system = site.start()
        wait_for(lambda: row(site)["record"]["status"] == "open", "the strategy to hold its vertical")
        told(site, "stop", NAME)
        wait_for(lambda: row(site)["record"]["status"] == "flat", "the stop to close it")
        system.stop()
        cells = next(n for n in (3, 4, 5, 6) if home_cell(NAME, n) != home_cell(NAME, 2))
        site.config_path.write_text(plain.replace("[system]\n", f"[system]\ncells = {cells}\n") + TABLE)
        refused = site.launch()
        assert refused.wait_until_ended() == 1
        said = refused.process.communicate()[1]
        assert NAME in said and f"system.cells = {cells}" in said
