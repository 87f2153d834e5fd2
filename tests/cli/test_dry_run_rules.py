"""``submit --dry-run`` by the rules of a market: NSE's symbols and slices, restrictions, closed sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from venue.child import VenueChild

Command = Callable[..., Any]
PLAN = """
group_id = "nifty"
quantity = 1950
[[legs]]
leg_id = "wing"
symbol = "NIFTY26JAN25500PE"
side = "buy"
[[legs]]
leg_id = "short"
symbol = "NIFTY 260127P25800000"
side = "sell"
"""


@pytest.fixture(scope="module")
def exchange() -> Iterator[VenueChild]:
    with VenueChild("--chain", "nse", "--seed", "3", "--offset-s", "60", "--hold") as child:
        yield child


@pytest.fixture
def plan(exchange: VenueChild, journal_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LEGKEEPER_BROKER_PORT", str(exchange.port))
    monkeypatch.setenv("LEGKEEPER_BROKER_CALENDAR", "nse")
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    return path


def test_either_spelling_is_understood_and_orders_are_cut_at_27_lots(command: Command, plan: Path) -> None:
    shown = command("submit", plan, "--dry-run", "--json").json
    assert [leg["symbol"] for leg in shown["legs"]] == ["NIFTY26JAN25500PE", "NIFTY26JAN25800PE"]
    assert [[order["quantity"] for order in leg["orders"]] for leg in shown["legs"]] == [[1755, 195], [1755, 195]]
    assert shown["premium"] > 0


def test_what_is_restricted_is_refused_beforehand(
    command: Command, plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEGKEEPER_CONTROLS_RESTRICTED", "NIFTY")
    result = command("submit", plan, "--dry-run")
    assert result.status != 0
    assert "wing: NIFTY is restricted (controls.restricted): it may be reduced, not opened" in result.err


def test_a_closed_session_is_told_beforehand(command: Command, plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEGKEEPER_BROKER_CALENDAR", "us_options")  # 09:16 in Mumbai, Sunday evening in New York
    result = command("submit", plan, "--dry-run")
    assert result.status != 0
    assert "the us_options session is closed; it opens 2026-01-05 09:30 EST" in result.err
