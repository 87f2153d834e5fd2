"""Which child answers for an order: read off its id, for every kind of parent."""

from __future__ import annotations

import pytest
from order_cases import GROUP, a_group

from decisions.effects import UnknownMessage
from decisions.groups.group_routes import child_of, hedge_name, leg_name, stop_name
from decisions.groups.hedge import ROUND
from domain.groups import client_order_id, parent_tag

PAIR = a_group()


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("slice_no", [0, 35, 36, 1_295])
@pytest.mark.parametrize("attempt", [1, 9, 35])
def test_entries_closes_and_stops_belong_to_their_leg(index: int, slice_no: int, attempt: int) -> None:
    leg_id = PAIR.legs[index].leg_id
    for kind, ordinal, name in (
        ("E", 0, leg_name(leg_id)),
        ("C", 0, leg_name(leg_id)),
        ("S", 0, stop_name(leg_id)),
        ("S", 1, stop_name(leg_id)),
    ):
        order_id = client_order_id(parent_tag(0, GROUP, kind, index, ordinal), slice_no, attempt)
        assert child_of(PAIR, order_id) == name


@pytest.mark.parametrize("number", [0, 1, 12, 100])
@pytest.mark.parametrize("level", [1, 2, 3, 9])
def test_the_orders_of_every_level_of_a_hedge_belong_to_its_root(number: int, level: int) -> None:
    root = parent_tag(0, GROUP, "H", 1, number * ROUND + 1)
    order_id = client_order_id(parent_tag(0, GROUP, "H", 1, number * ROUND + level), 0, 1)
    assert child_of(PAIR, order_id) == hedge_name(root)


@pytest.mark.parametrize(("kind", "index"), [("E", 2), ("X", 0)])
def test_an_id_that_nobody_could_have_made_is_an_error(kind: str, index: int) -> None:
    with pytest.raises(UnknownMessage, match="no child of group g answers for"):
        child_of(PAIR, client_order_id(parent_tag(0, GROUP, kind, index, 0), 0, 1))
