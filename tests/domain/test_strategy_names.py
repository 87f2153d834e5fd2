"""The names of a strategy's groups."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.plans import GROUP_ID, home_cell
from domain.rollout import Realm
from domain.strategies import STRATEGY_NAME, strategy_group_id, strategy_of

names = st.from_regex(STRATEGY_NAME, fullmatch=True)


@given(names, st.integers(1, 9_999), st.sampled_from(Realm), st.integers(1, 36))
def test_a_strategy_and_its_groups_have_one_home(name: str, number: int, realm: Realm, cells: int) -> None:
    group_id = strategy_group_id(name, number, realm, cells)
    assert home_cell(group_id, cells) == home_cell(name, cells)
    assert GROUP_ID.fullmatch(group_id)
    assert group_id == strategy_group_id(name, number, realm, cells)
    assert strategy_of(group_id) == name


def test_other_groups_are_of_no_strategy() -> None:
    assert [strategy_of(group_id) for group_id in ("weekly", "weekly.", "weekly.x1", "a.b.1", "weekly.1.2.3")] == [
        ""
    ] * 5


@given(names, st.sets(st.tuples(st.integers(1, 500), st.sampled_from(Realm)), min_size=2, max_size=20))
def test_no_two_groups_of_a_strategy_share_a_name(name: str, groups: set[tuple[int, Realm]]) -> None:
    assert len({strategy_group_id(name, number, realm, 3) for number, realm in groups}) == len(groups)
