"""The names of a strategy's groups."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.plans import GROUP_ID, home_cell
from domain.rollout import FIRST_PAPER_CELL, MAX_CELLS
from domain.strategies import STRATEGY_NAME, strategy_group_id, strategy_of

names = st.from_regex(STRATEGY_NAME, fullmatch=True)
live_cells = st.integers(1, FIRST_PAPER_CELL)
paper_cells = st.integers(1, MAX_CELLS - FIRST_PAPER_CELL)


@given(names, st.integers(1, 9_999), live_cells, paper_cells)
def test_a_group_of_a_strategy_has_the_strategys_home_in_either_realm(
    name: str, number: int, live: int, paper: int
) -> None:
    group_id = strategy_group_id(name, number, (live, paper))
    assert home_cell(group_id, live) == home_cell(name, live)
    assert home_cell(group_id, paper) == home_cell(name, paper)
    assert GROUP_ID.fullmatch(group_id)
    assert group_id == strategy_group_id(name, number, (paper, live))
    assert strategy_of(group_id) == name


def test_other_groups_are_of_no_strategy() -> None:
    assert [strategy_of(group_id) for group_id in ("weekly", "weekly.", "weekly.x1", "a.b.1", "weekly.1.2.3")] == [
        ""
    ] * 5


@given(names, st.sets(st.integers(1, 500), min_size=2, max_size=20))
def test_no_two_groups_of_a_strategy_share_a_name(name: str, groups: set[int]) -> None:
    assert len({strategy_group_id(name, number, (3, 2)) for number in groups}) == len(groups)
