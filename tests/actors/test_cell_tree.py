"""A turn: what goes in, what is committed, and what is let out, in this order (S9, S10, S12)."""

from __future__ import annotations

from world import LONG, SHORT, START_NS, World, bull_put

from actors.cell_tree import CellTree
from config.schema import Config
from decisions.effects import MS
from domain.execution import ExecutionReport
from domain.groups import Role
from messages.market import Tick
from messages.orders import SubmitOrder
from messages.records import IntentRecord
from storage.memory import MemoryJournal


def test_the_brokers_clock_never_runs_backwards() -> None:
    world = World()
    world.advance(5_000)
    world.cell.run([Tick(START_NS)])
    assert world.cell.clock_ns == START_NS + 5_000 * MS
    released = world.cell.run([Tick(START_NS + 1)])
    assert not released.requests
    world.submit(bull_put())
    assert {intent.decided_ns for intent in world.group().intents if intent.role is Role.PROTECTION} == {world.now_ns}


def test_it_carries_on_from_the_journals_clock() -> None:
    world = World()
    world.submit(bull_put())
    world.die()
    assert world.cell.clock_ns >= START_NS


def test_an_intent_is_committed_by_the_turn_that_releases_it() -> None:
    world = World(size=500)
    committed: list[bool] = []

    def look(request: object) -> None:
        if isinstance(request, SubmitOrder):
            rows = {intent.client_order_id for intent in world.group().intents}
            committed.append(request.client_order_id in rows)

    world.watch = look
    world.submit(bull_put(quantity=120))
    assert len(committed) == 6
    assert all(committed)


def test_many_inputs_are_one_commit() -> None:
    world = World(size=1)
    world.submit(bull_put(quantity=10))
    world.deaf = True
    world.advance(800, fresh=True)
    world.deaf = False
    waiting: list[ExecutionReport] = world.exchange.executions()
    before = len(world.journal.turns())
    world.cell.run(waiting)
    assert len(world.journal.turns()) == before + 1


def test_a_quiet_tick_commits_and_releases_nothing() -> None:
    world = World()
    world.submit(bull_put())
    before = len(world.journal.turns())
    world.advance(3_000)
    assert len(world.journal.turns()) == before


def test_it_asks_for_the_quotes_of_its_groups_only() -> None:
    world = World()
    assert not world.cell.symbols
    world.submit(bull_put())
    assert world.cell.symbols == {LONG, SHORT}
    world.die()
    assert world.cell.symbols <= {LONG, SHORT}


def test_a_cell_writes_its_own_number_into_every_order() -> None:
    world = World()
    world.cell = CellTree(7, Config(), MemoryJournal(), deduplicates=True)
    world.journal = world.cell.journal  # type: ignore[assignment]
    world.link_up()
    world.submit(bull_put())
    intents: tuple[IntentRecord, ...] = world.group().intents
    assert {intent.client_order_id[:3] for intent in intents} == {"LK7"}
    assert world.group().group.cell == 7
