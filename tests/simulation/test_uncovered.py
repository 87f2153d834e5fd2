"""L3: what stands bare is hedged or flattened in time, however the group ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from domain.calendar import calendar
from domain.execution import Side
from domain.groups import GroupOutcome, Mode, group_tag
from messages.records import GroupRecord, PositionEventRecord, PositionKind
from simulation.oracles import Violation
from simulation.schedule import SECOND_NS
from simulation.settings import EDGES, draw_config
from simulation.tape import Tape
from simulation.uncovered import in_time_ns
from simulation.world import HEAL_NS, World
from storage.port import Turn


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """One at rest, whose spread is hedged."""
    monkeypatch.chdir(tmp_path)
    world = World(Tape(), {})
    world.run()
    world.uncovered.all_is_well()
    return world


def only_group(world: World) -> GroupRecord:
    (record,) = world.oracles.groups.values()
    return record


def gone(record: GroupRecord, quantity: int, number: int = 0) -> Turn:
    """A turn in which so many units of the group's protection have gone; fewer than 0: they came back."""
    leg = next(leg for leg in record.group.legs if leg.side is Side.BUY)
    moved = PositionEventRecord(
        event_id=f"{record.group_id}/{number}", group_id=record.group_id, leg_id=leg.leg_id,
        symbol=leg.instrument.symbol, quantity=-quantity, kind=PositionKind.LIQUIDATION, evidence="told",
        activity_id=f"E{number}", price=0, ts_ns=number,
    )  # fmt: skip
    return Turn(epoch=1, at_ns=number, records=(moved,))


def commit(world: World, turn: Turn) -> None:
    """The turn is durable, for those who count what is held."""
    for record in turn.records:
        assert isinstance(record, PositionEventRecord)
        world.oracles.moves[group_tag(record.group_id)][record.event_id] = record
    world.uncovered.on_commit(turn)


def most_ns(world: World) -> int:
    units = sum(leg.target_qty for leg in only_group(world).group.legs)
    return in_time_ns(world.scenario.config, units, world.rest_ns)


def pass_time(world: World, by_ns: int) -> None:
    world.schedule.now_ns += by_ns
    world.uncovered.judge()


def test_a_short_that_stands_bare_for_too_long_breaks_l3_whatever_its_group_says(world: World) -> None:
    commit(world, gone(only_group(world), 1))
    assert only_group(world).outcome is GroupOutcome.HEDGED
    pass_time(world, most_ns(world))
    with pytest.raises(Violation, match="L3: 1 short units of group g0 have stood bare"):
        pass_time(world, SECOND_NS)


def test_what_is_covered_again_in_time_is_no_violation(world: World) -> None:
    commit(world, gone(only_group(world), 1))
    pass_time(world, most_ns(world))
    commit(world, gone(only_group(world), -1, number=1))
    pass_time(world, most_ns(world))
    assert not world.uncovered.since_ns


def test_time_counts_from_when_all_is_well(world: World) -> None:
    commit(world, gone(only_group(world), 1))
    world.schedule.now_ns += most_ns(world)
    world.uncovered.all_is_well()
    pass_time(world, most_ns(world))
    with pytest.raises(Violation, match="L3"):
        pass_time(world, SECOND_NS)


@pytest.mark.parametrize(
    "how",
    [{"outcome": GroupOutcome.HALTED}, {"quarantined": True}, {"mode": Mode.LEFT}],
    ids=lambda how: next(iter(how)),
)
def test_what_a_person_was_called_for_is_not_the_programs_until_it_is_given_back(
    world: World, how: dict[str, Any]
) -> None:
    record, most = only_group(world), most_ns(world)
    tag = group_tag(record.group_id)
    commit(world, gone(record, 1))
    world.oracles.groups[tag] = replace(record, **how)
    pass_time(world, 2 * most)
    world.oracles.groups[tag] = record
    pass_time(world, most)
    with pytest.raises(Violation, match="L3"):
        pass_time(world, SECOND_NS)


def test_time_does_not_count_while_the_market_is_closed(world: World) -> None:
    most, its_own = most_ns(world), world.uncovered.calendar
    commit(world, gone(only_group(world), 1))
    world.uncovered.calendar = calendar("nse")  # which closed some hours ago
    pass_time(world, 2 * most)
    world.uncovered.calendar = its_own
    pass_time(world, most)
    with pytest.raises(Violation, match="L3"):
        pass_time(world, SECOND_NS)


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: f"{edge[0]}={edge[1]}")
def test_every_drawn_configuration_can_be_judged_before_a_run_is_given_up(edge: tuple[str, Any]) -> None:
    config = draw_config(Tape(aim={"a setting at its edge": edge}), rests=True, calendar="always")
    assert in_time_ns(config, 500, 5 * SECOND_NS) < HEAL_NS
