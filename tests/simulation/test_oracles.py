"""What the oracles keep of a journal of which an older copy is put back (F.storage.older_copy)."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from domain.groups import group_tag
from messages.records import GroupRecord, PositionEventRecord, PositionKind
from simulation.oracles import Oracles
from simulation.storage import Storage
from simulation.tape import Tape
from simulation.world import World
from storage.log import StoredTurn, stored
from storage.port import Turn


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Oracles, Path, list[StoredTurn], GroupRecord]:
    """The oracles after a quiet run, the journal that has its group, that journal's turns, and the group."""
    monkeypatch.chdir(tmp_path)
    world = World(Tape(), {})
    world.run()
    record = next(iter(world.oracles.groups.values()))
    return world.oracles, *_journal(world.storage, record), record


def _journal(storage: Storage, record: GroupRecord) -> tuple[Path, list[StoredTurn]]:
    path = next(path for path in storage.disks if path.stem == f"cell-{record.cell}")
    return path, storage.disks[path].turns()


def assigned(record: GroupRecord, number: int) -> Turn:
    """A turn in which a unit of the group's first leg has gone."""
    leg = record.group.legs[0]
    moved = PositionEventRecord(
        event_id=f"{record.group_id}/{number}", group_id=record.group_id, leg_id=leg.leg_id,
        symbol=leg.instrument.symbol, quantity=-leg.side.sign, kind=PositionKind.ASSIGNMENT, evidence="told",
        activity_id=f"E{number}", price=0, ts_ns=number,
    )  # fmt: skip
    return Turn(epoch=1, at_ns=number, records=(moved,))


def test_a_change_that_an_older_copy_has_forgotten_is_the_groups_only_when_it_is_told_again(
    told: tuple[Oracles, Path, list[StoredTurn], GroupRecord],
) -> None:
    oracles, path, turns, record = told
    tag, leg_id = group_tag(record.group_id), record.group.legs[0].leg_id

    def held() -> int:
        return oracles.held(tag, record.group)[leg_id]

    before = held()
    oracles.on_commit(path, assigned(record, 0))
    assert (held(), oracles.busted[tag]) == (before - 1, 1)
    oracles.on_older(path, turns)
    assert held() == before, "no journal says any more that it was the group's"
    oracles.on_commit(path, assigned(record, 0))
    assert (held(), oracles.busted[tag]) == (before - 1, 1), "what is on its way is excused once"


def test_a_change_that_the_older_copy_has_stays_the_groups(
    told: tuple[Oracles, Path, list[StoredTurn], GroupRecord],
) -> None:
    oracles, path, turns, record = told
    tag, leg = group_tag(record.group_id), record.group.legs[0]
    before = oracles.held(tag, record.group)[leg.leg_id]
    turn = assigned(record, 0)
    oracles.on_commit(path, turn)
    other = replace(record, cell=record.cell + 1, group_id="another")
    oracles.groups[group_tag("another")] = other
    oracles.on_commit(path.with_name(f"cell-{other.cell}.db"), assigned(other, 1))
    oracles.on_older(path, [*turns, stored(turn, turns[-1].head)])
    assert oracles.held(tag, record.group)[leg.leg_id] == before - 1
    assert oracles.moves[group_tag("another")], "the journal of another cell has forgotten nothing"
