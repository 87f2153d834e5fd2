"""The bucket of a group depends on its id alone, and a higher share only ever adds live groups."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.groups import client_order_id, parent_tag
from domain.rollout import (
    BUCKETS,
    FIRST_PAPER_CELL,
    MAX_CELLS,
    Realm,
    bucket,
    cell_for,
    is_first_cell,
    realm_for,
    realm_of_cell,
    realm_of_order,
)

IDS = st.text(st.characters(min_codepoint=45, max_codepoint=122), min_size=1, max_size=64)
SHARES = st.integers(0, 100)


@given(IDS, SHARES, SHARES)
def test_what_is_live_at_a_share_is_live_at_every_higher_one(group_id: str, one: int, other: int) -> None:
    low, high = sorted((one, other))
    if realm_for(group_id, low) is Realm.LIVE:
        assert realm_for(group_id, high) is Realm.LIVE


@given(IDS)
def test_nothing_is_live_at_0_and_everything_at_100(group_id: str) -> None:
    assert realm_for(group_id, 0) is Realm.PAPER
    assert realm_for(group_id, 100) is Realm.LIVE


@given(SHARES)
def test_the_share_of_the_ids_is_about_the_share(share: int) -> None:
    names = [f"iron-condor-{n}" for n in range(2_000)]
    live = sum(realm_for(name, share) is Realm.LIVE for name in names)
    assert abs(live / len(names) - share / 100) < 0.05


def test_the_bucket_of_an_id_never_changes() -> None:
    """Another hash would move groups between the realms of systems that are in use."""
    names = ("bull-put-1", "iron-condor-1", "a", "A", "group-0", "x" * 64)
    assert [bucket(name) for name in names] == [90, 20, 6, 20, 9, 94]


def test_every_bucket_is_met_in_every_cell() -> None:
    """The bucket must not follow from the cell, or a share of 10 would use a tenth of one cell."""
    for cell in range(4):
        names = [name for n in range(8_000) if cell_for(name := f"g{n}", Realm.LIVE, 4) == cell]
        assert {bucket(name) for name in names} == set(range(BUCKETS))


@given(IDS, st.sampled_from(Realm), st.integers(1, 11))
def test_a_group_and_its_orders_lie_in_the_realm_that_was_chosen(group_id: str, realm: Realm, cells: int) -> None:
    cell = cell_for(group_id, realm, cells)
    assert cell < MAX_CELLS
    assert realm_of_cell(cell) is realm
    order = client_order_id(parent_tag(cell, group_id, "E", 0, 0), 0, 1)
    assert realm_of_order(order) is realm
    assert (order[2] >= "P") is (realm is Realm.PAPER)


def test_what_is_not_ours_has_no_realm_and_each_realm_one_first_cell() -> None:
    assert realm_of_order("somebody-elses") is None
    assert [cell for cell in range(MAX_CELLS) if is_first_cell(cell)] == [0, FIRST_PAPER_CELL]
