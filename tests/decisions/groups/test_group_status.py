"""The eleven states and the three ends of a group (S1, R4, R13, R16)."""

from __future__ import annotations

from itertools import product

import pytest
from order_cases import a_group, a_leg
from test_group_levels import MODES, PAIR, held_by, record

from decisions.groups.group_levels import levels
from decisions.groups.group_status import ORDER, RANK, advance, outcome_of
from domain.execution import Side
from domain.groups import GroupOutcome, GroupStatus, Mode

S, END = GroupStatus, GroupOutcome


def test_all_eleven_states_are_ranked() -> None:
    assert set(ORDER) == set(GroupStatus)
    assert len(ORDER) == len(RANK) == 11


@pytest.mark.parametrize(
    ("long", "short", "expected"),
    [
        ({}, {}, S.VALIDATED),
        ({"entry_live": 10}, {}, S.HEDGE_SUBMITTED),
        ({"entry_filled": 3, "entry_live": 7}, {}, S.HEDGE_PARTIAL),
        ({"entry_filled": 10}, {}, S.HEDGE_FILLED),
        ({"entry_filled": 10}, {"entry_live": 10}, S.RISK_SUBMITTED),
        ({"entry_filled": 3, "entry_live": 7}, {"entry_live": 3}, S.RISK_SUBMITTED),
        ({"entry_filled": 10}, {"entry_filled": 4, "entry_live": 6}, S.RISK_PARTIAL),
        ({"entry_filled": 10}, {"entry_filled": 10}, S.RISK_FILLED),
    ],
)
def test_the_state_is_the_furthest_that_the_fills_show(
    long: dict[str, int], short: dict[str, int], expected: GroupStatus
) -> None:
    held = held_by(PAIR, {"buy0": long, "sell1": short})
    assert advance(S.VALIDATED, PAIR, held) is expected


@pytest.mark.parametrize("status", GroupStatus)
@pytest.mark.parametrize("filled", [0, 3, 10])
def test_it_never_moves_back(status: GroupStatus, filled: int) -> None:
    held = held_by(PAIR, {"buy0": {"entry_filled": filled}, "sell1": {"entry_filled": filled}})
    assert RANK[advance(status, PAIR, held)] >= RANK[status]


def test_a_group_without_shorts_knows_only_its_own_half() -> None:
    single = a_group(a_leg(0, Side.BUY))
    assert advance(S.VALIDATED, single, held_by(single, {"buy0": {"entry_filled": 10}})) is S.HEDGE_FILLED


FULL = {"buy0": {"entry_filled": 10}, "sell1": {"entry_filled": 10}}
CLOSED = {
    name: {"entry_filled": 10, "close_filled": 10, "close_authorized": 10, "entry_authorized": 0} for name in FULL
}
NOTHING: dict[str, dict[str, int]] = {}


@pytest.mark.parametrize(
    ("mode", "legs", "expected"),
    [
        (Mode.ENTERING, FULL, END.HEDGED),
        (Mode.ENTERING, NOTHING, END.OPEN),
        (Mode.ENTERING, {"buy0": {"entry_filled": 10}}, END.OPEN),
        (Mode.ENTERING, {**FULL, "sell1": {"entry_filled": 11}}, END.OPEN),
        (Mode.FLATTENING, CLOSED, END.FLAT),
        (Mode.FLATTENING, NOTHING, END.FLAT),
        (Mode.FLATTENING, FULL, END.OPEN),
        (Mode.REDUCING, FULL, END.HALTED),
        (Mode.REDUCING, NOTHING, END.FLAT),
        (Mode.REDUCING, {"sell1": {"entry_filled": 10}}, END.OPEN),  # the close has not been tried yet
        (
            Mode.REDUCING,
            {"sell1": {"entry_filled": 10, "close_authorized": 10, "close_filled": 6, "close_abandoned": 4}},
            END.HALTED,
        ),
    ],
)
def test_the_ends(mode: Mode, legs: dict[str, dict[str, int]], expected: GroupOutcome) -> None:
    row, held = record(PAIR, mode), held_by(PAIR, legs)
    assert outcome_of(row, PAIR, held, levels(PAIR, row, held), hedging=False) is expected


@pytest.mark.parametrize(("mode", "what"), list(product(MODES, ["entry_live", "close_live", "unresolved", "hedging"])))
def test_nothing_has_ended_while_anything_may_still_trade_or_is_unknown(mode: Mode, what: str) -> None:
    base = CLOSED if mode is Mode.FLATTENING else FULL
    legs = {**base, "buy0": {**base["buy0"], what: 1}} if what != "hedging" else base
    row, held = record(PAIR, mode), held_by(PAIR, legs)
    assert outcome_of(row, PAIR, held, levels(PAIR, row, held), hedging=what == "hedging") is END.OPEN
