"""``submit --dry-run`` against the embedded exchange."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.groups import group_tag
from venue.child import VenueChild

PLANS = Path(__file__).resolve().parents[2] / "docs" / "plans"
Command = Callable[..., Any]


@pytest.fixture(scope="module")
def exchange() -> Iterator[VenueChild]:
    with VenueChild("--seed", "3", "--offset-s", "60", "--hold") as child:
        yield child


@pytest.fixture
def broker(exchange: VenueChild, journal_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEGKEEPER_BROKER_PORT", str(exchange.port))


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_example_has_a_dry_run(command: Command, broker: None, path: Path) -> None:
    result = command("submit", path, "--dry-run")
    assert (result.status, result.err) == (0, "")
    for part in ("Order of work", "Child orders", "Margin", "must be available", "premium at the touch: "):
        assert part in result.out


def test_a_dry_run_shows_the_order_of_work_the_ids_the_margin_and_the_premium(command: Command, broker: None) -> None:
    shown = command("submit", PLANS / "bull_put.toml", "--dry-run", "--json").json
    tag = group_tag("bull-put-1")
    wing, short = shown["legs"]
    assert (wing["leg_id"], wing["score"], wing["role"]) == ("wing", 50, "PROTECTION")
    assert (short["leg_id"], short["score"], short["role"]) == ("short", -50, "RISK")
    assert wing["orders"] == [{"client_order_id": f"LK{shown['cell']}{tag}E000001", "quantity": 10}]
    assert short["orders"] == [{"client_order_id": f"LK{shown['cell']}{tag}E100001", "quantity": 10}]
    assert shown["premium"] == pytest.approx((short["touch"] - wing["touch"]) * 10 * 100)
    assert shown["margin"]["covered"] == 15 * 10 * 100  # the distance of the strikes
    assert shown["margin"]["net"] == pytest.approx(15_000 - shown["premium"])


def test_a_dry_run_names_the_worst_scenario_and_prefix_and_says_whether_the_funds_suffice(
    command: Command, broker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = command("submit", PLANS / "bull_put.toml", "--dry-run", "--json").json
    for rule in ("shocks", "span"):
        worst = shown["worst_case"][rule]
        assert worst["loss"] > 0
        assert worst["prefix"].keys() == {"wing", "short"}
        assert worst["prefix"]["short"] <= worst["prefix"]["wing"]
        assert worst["scenario"]
    assert shown["worst_case"]["requirement"] >= max(shown["worst_case"][rule]["loss"] for rule in ("shocks", "span"))
    assert shown["judgement"]["allowed"] is True
    assert shown["judgement"]["available"] == 1_000_000_000
    text = command("submit", PLANS / "bull_put.toml", "--dry-run").out
    assert "Worst case over every partial fill" in text
    assert "allowed: margin: the group needs " in text.replace("\n", " ")
    monkeypatch.setenv("LEGKEEPER_MARGIN_MAX_USE_PCT", "0")
    refused = command("submit", PLANS / "bull_put.toml", "--dry-run", "--json").json["judgement"]
    assert (refused["allowed"], refused["max_use_pct"]) == (False, 0.0)
    assert refused["text"].startswith("insufficient margin: ")


def test_margin_is_reckoned_at_the_limit_and_premium_at_the_touch(command: Command, broker: None) -> None:
    shown = command("submit", PLANS / "single_leg.toml", "--dry-run", "--json").json
    (leg,) = shown["legs"]
    assert leg["touch"] != leg["limit_price"] == 12.5
    assert shown["margin"]["premium_paid"] == 12.5 * 150 * 100
    assert shown["premium"] == pytest.approx(-leg["touch"] * 150 * 100)


def test_a_leg_above_the_freeze_quantity_is_sliced(command: Command, broker: None) -> None:
    (leg,) = command("submit", PLANS / "single_leg.toml", "--dry-run", "--json").json["legs"]
    assert [order["quantity"] for order in leg["orders"]] == [100, 50]
    assert [order["client_order_id"][-3:] for order in leg["orders"]] == ["001", "011"]


def test_a_plan_that_the_broker_cannot_trade_is_refused_with_every_reason(
    command: Command, broker: None, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(
        'group_id = "g"\nquantity = 10\n'
        '[[legs]]\nsymbol = "LEGK  260220P00485500"\nside = "buy"\n'
        '[[legs]]\nsymbol = "LEGK  260220C00485000"\nside = "buy"\nlimit_price = 1.23\n'
    )
    result = command("submit", plan, "--dry-run")
    assert (result.status, result.out) == (1, "")
    assert "leg1: the broker does not know 'LEGK  260220P00485500'; nearest known: LEGK  260220P004" in result.err
    assert "leg2: limit_price 1.23 is no multiple" in result.err


def test_a_naked_short_needs_the_price_of_the_underlying(command: Command, broker: None, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(
        'group_id = "g"\nquantity = 1\nallow_naked = true\n[[legs]]\nsymbol = "LEGK  260220P00485000"\nside = "sell"\n'
    )
    shown = command("submit", plan, "--dry-run", "--json").json
    assert shown["legs"][0]["score"] == -100
    assert shown["margin"]["naked"] > 485 * 100 * 0.1  # at least a tenth of the strike


def test_without_a_broker_the_error_says_where_it_was_looked_for(
    command: Command, journal_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        monkeypatch.setenv("LEGKEEPER_BROKER_PORT", str(port))
        result = command("submit", PLANS / "bull_put.toml", "--dry-run")
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith(f"error: no broker at 127.0.0.1:{port}: ")
    assert "start one with 'python run_system.py venue', or set broker.host and broker.port" in result.err


def test_a_broker_that_says_nothing_is_given_up(
    command: Command, journal_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("LEGKEEPER_BROKER_PORT", str(silent.getsockname()[1]))
        monkeypatch.setenv("LEGKEEPER_BROKER_ANSWER_TIMEOUT_MS", "100")
        result = command("submit", PLANS / "bull_put.toml", "--dry-run")
    assert result.status == 1
    assert "did not log us in within 0.1 s" in result.err
