"""Plans as the operator writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from config.errors import PlanError
from config.plan import load_plan
from decisions.groups.validation import validate
from domain.execution import Side
from domain.groups import Plan, PlanGroupStop, PlanLeg, PlanStop, Policy, TriggerOn
from domain.instruments import Instrument, parse_osi

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "docs" / "plans").glob("*.toml"))
SYMBOL = "GOOG  160115P00700000"

HEAD = 'group_id = "g"\nquantity = 10\n'
LEG = f'[[legs]]\nsymbol = "{SYMBOL}"\nside = "sell"\n'


def read(tmp_path: Path, text: str, name: str = "plan.toml") -> Plan:
    path = tmp_path / name
    path.write_text(text)
    return load_plan(path)


def refusal(tmp_path: Path, text: str, name: str = "plan.toml") -> str:
    with pytest.raises(PlanError) as refused:
        read(tmp_path, text, name)
    message = str(refused.value)
    assert message.startswith(str(tmp_path / name))
    return message


FULL = Plan(
    group_id="spread-1",
    quantity=10,
    strategy="bull_put",
    policy=Policy.FLATTEN,
    allow_naked=True,
    legs=(
        PlanLeg(leg_id="short", symbol=SYMBOL, side=Side.SELL, ratio=2, limit_price=12_500),
        PlanLeg(leg_id="leg2", symbol="GOOG  160115P00690000", side=Side.BUY),
    ),
    stops=(PlanStop(leg_id="short", trigger_price=25_001),),
)


def test_a_toml_plan_with_every_key(tmp_path: Path) -> None:
    text = f"""
        group_id = "spread-1"
        strategy = "bull_put"
        quantity = 10
        policy = "flatten"
        allow_naked = true
        [[legs]]
        leg_id = "short"
        symbol = "{SYMBOL}"
        side = "sell"
        ratio = 2
        limit_price = 1.25
        [[legs]]
        symbol = "GOOG160115P00690000"
        side = "buy"
        [[stops]]
        leg_id = "short"
        trigger_price = "2.5001"
    """
    assert read(tmp_path, text) == FULL


def test_the_same_plan_in_json(tmp_path: Path) -> None:
    document = {
        "group_id": "spread-1",
        "strategy": "bull_put",
        "quantity": 10,
        "policy": "flatten",
        "allow_naked": True,
        "legs": [
            {"leg_id": "short", "symbol": SYMBOL, "side": "sell", "ratio": 2, "limit_price": 1.25},
            {"symbol": "GOOG160115P00690000", "side": "buy"},
        ],
        "stops": [{"leg_id": "short", "trigger_price": 2.5001}],
    }
    assert read(tmp_path, json.dumps(document), "plan.json") == FULL


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    plan = read(tmp_path, HEAD + LEG + LEG.replace("70000", "60000"))
    assert plan == Plan(
        group_id="g",
        quantity=10,
        legs=(
            PlanLeg(leg_id="leg1", symbol=SYMBOL, side=Side.SELL),
            PlanLeg(leg_id="leg2", symbol=SYMBOL.replace("70000", "60000"), side=Side.SELL),
        ),
    )


def test_a_price_is_read_exactly(tmp_path: Path) -> None:
    """4.35 has no binary float, and a float would swallow the far decimals of the last one."""
    assert read(tmp_path, HEAD + LEG + "limit_price = 4.35\n").legs[0].limit_price == 43_500
    assert read(tmp_path, HEAD + LEG + "limit_price = 7\n").legs[0].limit_price == 70_000
    assert "1.00000000000000000001 is not allowed" in refusal(
        tmp_path, HEAD + LEG + "limit_price = 1.00000000000000000001\n"
    )


A_COUNT = "is not allowed; it must be a whole number of at least 1"
A_PRICE = "is not allowed; it must be a price above 0 with at most four decimals"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("group_id = \n", ["not valid TOML", "line 1"]),
        ("", ["missing key group_id; missing key quantity; missing key legs"]),
        (HEAD, ["missing key legs"]),
        (HEAD + "legs = []\n", ["the plan has no legs"]),
        (HEAD + "legs = 3\n", ["legs = 3 is not allowed; it must be a list of tables"]),
        (HEAD + "legs = [1]\n", ["legs = [1] is not allowed; it must be a list of tables"]),
        (HEAD + "[legs]\nsymbol = 'x'\n", ["it must be a list of tables"]),
        (HEAD + "polcy = 'flatten'\n" + LEG, ["unknown key polcy; did you mean policy?"]),
        (HEAD + "zzz = 1\n" + LEG, ["unknown key zzz; allowed: group_id, quantity, legs"]),
        (HEAD + LEG + "limit = 1\n", ["unknown key legs[1].limit; did you mean limit_price?"]),
        (HEAD + LEG + "[[stops]]\nleg = 'leg1'\n", ["unknown key stops[1].leg", "missing key stops[1].leg_id"]),
        (HEAD + "[[legs]]\nside = 'buy'\n", ["missing key legs[1].symbol"]),
        (HEAD + LEG + f"[[legs]]\nsymbol = '{SYMBOL}'\n", ["missing key legs[2].side"]),
        (HEAD + LEG.replace("sell", "short"), ["legs[1].side = \"short\" is not allowed; it must be 'buy' or 'sell'"]),
        (HEAD + LEG.replace(SYMBOL, " "), ['legs[1].symbol = " " is not allowed; it must be text']),
        (HEAD + "policy = 'hold'\n" + LEG, ["it must be 'complete' or 'flatten'"]),
        (HEAD + "allow_naked = 1\n" + LEG, ["allow_naked = 1 is not allowed; it must be true or false"]),
        (HEAD.replace("10", "0") + LEG, [f"quantity = 0 {A_COUNT}"]),
        (HEAD.replace("10", "-5") + LEG, [f"quantity = -5 {A_COUNT}"]),
        (HEAD.replace("10", "1.5") + LEG, [f"quantity = 1.5 {A_COUNT}"]),
        (HEAD.replace("10", "nan") + LEG, [f"quantity = NaN {A_COUNT}"]),
        (HEAD.replace("10", "true") + LEG, [f"quantity = true {A_COUNT}"]),
        (HEAD.replace("10", "'10'") + LEG, [f'quantity = "10" {A_COUNT}']),
        (HEAD + LEG + "ratio = 0\n", [f"legs[1].ratio = 0 {A_COUNT}"]),
        (HEAD + LEG + "ratio = true\n", [f"legs[1].ratio = true {A_COUNT}"]),
        (HEAD + LEG + "limit_price = nan\n", [f"legs[1].limit_price = NaN {A_PRICE}"]),
        (HEAD + LEG + "limit_price = inf\n", [f"legs[1].limit_price = Infinity {A_PRICE}"]),
        (HEAD + LEG + "limit_price = 0\n", [f"legs[1].limit_price = 0 {A_PRICE}"]),
        (HEAD + LEG + "limit_price = -1.5\n", [f"legs[1].limit_price = -1.5 {A_PRICE}"]),
        (HEAD + LEG + "limit_price = 1.23456\n", [f"legs[1].limit_price = 1.23456 {A_PRICE}"]),
        (HEAD + LEG + "limit_price = true\n", [f"legs[1].limit_price = true {A_PRICE}"]),
        (HEAD + LEG + "limit_price = 'cheap'\n", [f'legs[1].limit_price = "cheap" {A_PRICE}']),
        (HEAD + LEG + LEG, [f"symbol '{SYMBOL}' stands in more than one leg"]),
        (HEAD + LEG + LEG.replace(SYMBOL, SYMBOL.replace(" ", "")), [f"symbol '{SYMBOL}' stands in more than one leg"]),
        (
            HEAD + LEG + "leg_id = 'leg2'\n" + LEG.replace("70000", "60000"),
            ["leg_id 'leg2' is used by more than one leg"],
        ),
        (HEAD.replace('"g"', '"a/b"') + LEG, ["group_id 'a/b' must be 1 to 64 letters, digits, '.', '_' or '-'"]),
        (HEAD.replace('"g"', f'"{"g" * 65}"') + LEG, ["must be 1 to 64 letters"]),
        (HEAD.replace('"g"', "7") + LEG, ["group_id = 7 is not allowed; it must be text"]),
        (HEAD + LEG + "[[stops]]\nleg_id = 'x'\ntrigger_price = 1\n", ["a stop names leg 'x', but the legs are leg1"]),
        (HEAD + LEG + "[[stops]]\nleg_id = 'leg1'\n", ["missing key stops[1].trigger_price"]),
        (
            "quantity = 0\npolicy = 1\n" + LEG.replace("sell", "x"),
            ["missing key group_id", "quantity = 0", "policy = 1", 'legs[1].side = "x"'],
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_what_is_allowed(tmp_path: Path, text: str, says: list[str]) -> None:
    message = refusal(tmp_path, text)
    for part in says:
        assert part in message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"group_id": "g",\n}', "not valid JSON: Expecting property name enclosed in double quotes: line 2"),
        ("[]", "a plan is a table with the keys group_id, quantity, legs"),
        ('{"quantity": 1, "quantity": 2}', "key 'quantity' stands there twice"),
        ('{"group_id": "g", "quantity": NaN, "legs": []}', f"quantity = NaN {A_COUNT}"),
        ('{"group_id": "g", "quantity": 1e1, "legs": []}', f"quantity = 1E+1 {A_COUNT}"),
    ],
)
def test_a_mistake_in_json_is_named_too(tmp_path: Path, text: str, says: str) -> None:
    assert says in refusal(tmp_path, text, "plan.json")


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    assert "must end in .toml or .json" in refusal(tmp_path, "", "plan.yaml")


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_bytes(b"\xef\xbb\xbf" + EXAMPLES[0].read_bytes())
    assert load_plan(path) == load_plan(EXAMPLES[0])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="cannot be read: no such file"):
        load_plan(tmp_path / "none.toml")


def instruments_of(plan: Plan) -> Mapping[str, Instrument]:
    """The contracts that the plan names, as a US exchange lists them."""

    def contract(symbol: str) -> Instrument:
        root, expiry, right, strike = parse_osi(symbol)
        return Instrument(
            symbol=symbol,
            underlying=root,
            right=right,
            strike=strike,
            expiry=expiry.isoformat(),
            multiplier=100,
            lot_size=1,
            tick_size=100,
            freeze_qty=1_000,
        )

    return {leg.symbol: contract(leg.symbol) for leg in plan.legs}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_a_plan_that_can_be_worked(path: Path) -> None:
    plan = load_plan(path)
    instruments = instruments_of(plan)
    last_day = min(date.fromisoformat(instrument.expiry) for instrument in instruments.values())
    assert validate(plan, instruments, last_day).legs


def test_there_is_an_example_of_every_shape() -> None:
    facts: dict[str, Any] = {path.stem: load_plan(path).strategy for path in EXAMPLES}
    assert facts == {
        "bear_call": "bear_call",
        "bull_put": "bull_put",
        "iron_condor": "iron_condor",
        "single_leg": "single_leg",
        "straddle_with_wings": "straddle_with_wings",
    }


def test_a_stop_says_what_it_is_compared_with_and_a_group_what_it_may_lose(tmp_path: Path) -> None:
    stops = '[[stops]]\nleg_id = "leg1"\ntrigger_price = 25\ntrigger_on = "mark"\n'
    plan = read(tmp_path, HEAD + LEG + stops + "[stop]\nmax_loss = 1250.5\n")
    assert plan.stops == (PlanStop(leg_id="leg1", trigger_price=250_000, trigger_on=TriggerOn.MARK),)
    assert plan.stop == PlanGroupStop(max_loss=12_505_000, judged_on=TriggerOn.MID)


@pytest.mark.parametrize(
    ("stop", "words"),
    [
        ("[stop]\n", "missing key stop.max_loss"),
        ("stop = 5\n", "stop = 5 is not allowed; it must be a table"),
        ("[stop]\nmax_loss = -5\n", "stop.max_loss = -5 is not allowed"),
        ('[stop]\nmax_loss = 5\njudged_on = "bid"\n', "'last' or 'mid' or 'mark'"),
        ('[stop]\nmax_loss = 5\njudged_on = "last"\n', "stop.judged_on must be 'mid' or 'mark'"),
        ("[stop]\nmax_los = 5\n", "unknown key stop.max_los"),
    ],
)
def test_a_wrong_group_stop_is_refused_with_what_is_allowed(tmp_path: Path, stop: str, words: str) -> None:
    text = HEAD + stop + LEG if stop.startswith("stop") else HEAD + LEG + stop
    assert words in refusal(tmp_path, text)
