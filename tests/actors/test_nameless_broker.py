"""A broker without exec ids that repeats what it said under a new time: every group still ends as it should."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest
from msgspec.structs import replace
from world import World, bull_put, put

from decisions.effects import MS
from domain.execution import ExecutionReport
from domain.groups import GroupOutcome
from messages.orders import Snapshot
from storage.tables import EXECUTIONS


class Nameless(World):
    """Takes every exec id off, and says everything again, a second later by its time stamps."""

    def take(self, inputs: Iterable[msgspec.Struct]) -> None:
        told: list[msgspec.Struct] = []
        for message in inputs:
            if isinstance(message, ExecutionReport):
                plain = replace(message, exec_id="")
                told += [plain, replace(plain, ts_ns=plain.ts_ns + 1_000 * MS)]
            elif isinstance(message, Snapshot):
                told.append(replace(message, executions=tuple(replace(e, exec_id="") for e in message.executions)))
            else:
                told.append(message)
        super().take(told)

    def carry_out(self, released: object) -> list[msgspec.Struct]:
        answers = super().carry_out(released)  # type: ignore[arg-type]
        again = [replace(a, exec_id="", ts_ns=a.ts_ns + 1_000 * MS) for a in answers if isinstance(a, ExecutionReport)]
        return [replace(a, exec_id="") if isinstance(a, ExecutionReport) else a for a in answers] + again


@pytest.mark.parametrize("size", [3, 4, 100])
def test_no_fill_is_counted_twice_and_the_group_is_hedged(size: int) -> None:
    world = Nameless(size=size)
    world.submit(bull_put(quantity=10))
    for _ in range(12):
        world.advance(500, fresh=True)
        world.snapshot()
    group = world.group()
    assert group.group.outcome is GroupOutcome.HEDGED
    assert (world.position(put(90)), world.position(put(95))) == (10, -10)
    assert sum(state.cum_qty for state in group.execution_states) == 20
    assert sum(row.last_qty for row in world.journal.rows(EXECUTIONS)) == 20
    assert len(group.hedges) == 0
