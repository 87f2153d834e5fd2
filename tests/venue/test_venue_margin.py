"""The risk desk's arithmetic, by hand and against published figures."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from house import EXPIRY, SHARES, STOCK, option

from domain.instruments import Instrument, Right, osi_symbol
from domain.money import PRICE_SCALE, parse_price
from venue.margin import Claim, funds_needed, requirement

SHARED = Path(os.environ.get("LEGKEEPER_SHARED", Path(__file__).parents[3] / "shared"))
VECTORS = SHARED / "vectors" / "margin_vectors.json"
CALLS = {k: option(k) for k in (95, 100, 105, 110)}
PUTS = {k: option(k, Right.PUT) for k in (90, 95, 100)}
LATER, LATER_105 = option(100, expiry="2026-02-20"), option(105, expiry="2026-02-20")
ALL = {i.symbol: i for i in (STOCK, LATER, LATER_105, *CALLS.values(), *PUTS.values())}
SPOT = 100 * PRICE_SCALE
NAKED_100 = 100 * 20 * PRICE_SCALE  # 20 % of spot per unit, at the money, premium 0


def _price(symbol: str) -> int:
    return SPOT if symbol == SHARES else 0


def _needs(*positions: tuple[Instrument, int]) -> int:
    return requirement({i.symbol: n for i, n in positions}, ALL, _price)


@pytest.mark.parametrize(
    ("positions", "amount"),
    [
        ([(CALLS[100], 3)], 0),
        ([(CALLS[100], -1), (CALLS[105], 1)], 500),
        ([(CALLS[100], 1), (CALLS[105], -1)], 0),
        ([(PUTS[100], -2), (PUTS[95], 2)], 1_000),
        ([(CALLS[105], -1), (CALLS[110], 1), (PUTS[95], -1), (PUTS[90], 1)], 500),
        ([(CALLS[100], -1)], 2_000),
        ([(CALLS[110], -1)], 1_000),
        ([(PUTS[90], -1)], 1_000),
        ([(CALLS[100], -2), (CALLS[105], 1)], 500 + 2_000),
        ([(CALLS[100], -1), (LATER, 1)], 0),
        ([(LATER, -1), (CALLS[95], 1)], 2_000),
        ([(LATER_105, 1), (CALLS[105], 1), (CALLS[100], -1), (LATER, -1)], 1_000),
        ([(CALLS[100], -1), (STOCK, 100)], 0),
        ([(CALLS[100], -1), (STOCK, 40)], 60 * 20),
        ([(STOCK, -100)], 15_000),
        ([(STOCK, 100)], 0),
    ],
    ids=[
        "longs", "bear call", "bull call", "two bull puts", "iron condor", "naked at the money", "naked call far out",
        "naked put far out", "one of two covered", "covered by a later long", "a long that expires first",
        "the late short first",
        "covered call", "partly covered by shares", "short shares", "long shares",
    ],
)  # fmt: skip
def test_a_position_requires(positions: list[tuple[Instrument, int]], amount: int) -> None:
    assert _needs(*positions) == amount * PRICE_SCALE


def test_a_european_contract_counts_as_a_broad_index() -> None:
    index = option(100, style="european")
    assert requirement({index.symbol: -1}, {index.symbol: index}, _price) == 1_500 * PRICE_SCALE


def test_without_a_price_of_the_underlying_the_strike_stands_in() -> None:
    assert requirement({CALLS[105].symbol: -1}, ALL, lambda _: 0) == 2_100 * PRICE_SCALE


def test_underlyings_are_summed_and_do_not_cover_each_other() -> None:
    other = option(105, symbol=osi_symbol("OTHER", EXPIRY, Right.CALL, 105 * PRICE_SCALE), underlying="OTHER")
    both = {CALLS[100].symbol: -1, other.symbol: 1}
    assert requirement(both, ALL | {other.symbol: other}, _price) == NAKED_100


def test_working_sells_count_as_filled_and_working_buys_with_what_they_cost_beyond_their_relief() -> None:
    short = Claim(CALLS[100], -1, 0)
    cover = Claim(CALLS[105], 1, 100 * PRICE_SCALE)
    assert funds_needed({}, [short], ALL, _price) == NAKED_100
    assert funds_needed({}, [cover], ALL, _price) == 100 * PRICE_SCALE
    assert funds_needed({}, [short, cover], ALL, _price) == NAKED_100, "the buy may not fill"
    assert funds_needed({CALLS[100].symbol: 1}, [short], ALL, _price) == 0, "it closes"
    dear = Claim(CALLS[105], 1, 1_600 * PRICE_SCALE)
    assert funds_needed({}, [short, dear], ALL, _price) == (1_600 + 500) * PRICE_SCALE


def _naked_vectors() -> list[dict[str, Any]]:
    if not VECTORS.is_file():
        return []
    vectors = json.loads(VECTORS.read_text())["vectors"]
    single = [v for v in vectors if len(v["legs"]) == 1 and v.get("rule", {}).get("leverage") == 1]
    return [v for v in single if v["legs"][0]["side"] == "short" and v["basis"].startswith("gross")]


@pytest.mark.skipif(not VECTORS.is_file(), reason=f"no margin vectors at {VECTORS}; set LEGKEEPER_SHARED")
def test_naked_shorts_need_what_the_published_examples_say() -> None:
    vectors = _naked_vectors()
    assert len(vectors) >= 7
    for vector in vectors:
        (leg,) = vector["legs"]
        right = Right.CALL if leg["type"] == "call" else Right.PUT
        style = "european" if vector["rule"]["pct"] == 0.15 else "american"
        strike = parse_price(leg["strike"])
        contract = msgspec.structs.replace(option(1, right, style=style), strike=strike)
        prices = {SHARES: parse_price(vector["underlying"]), contract.symbol: parse_price(leg["price"])}
        needs = requirement({contract.symbol: -leg["qty"]}, {contract.symbol: contract}, prices.__getitem__)
        assert needs / PRICE_SCALE == pytest.approx(vector["expected"], abs=vector["rounding"]), vector["id"]
