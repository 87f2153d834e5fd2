"""R6: any permutation and duplication of the reports, with a restart at any point, ends in the same state.

A group is worked in the world, which gives real intents and the real reports of the exchange about them.  A second cell
gets the same intents and hears the same reports in another order, some of them repeatedly, and dies on the way.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from stories import BIDS, QUANTITIES, SHAPES, SIZES, SYMBOLS, bust_one, plan
from world import DEEP_POCKETS, START_NS, World

from actors.cell_tree import CellTree
from config.schema import Config
from decisions.effects import MS
from domain.execution import ExecutionReport, Side
from domain.groups import GroupOutcome, GroupStatus, Mode, Policy
from domain.orders import OrderState, merge
from domain.retold import Registers
from messages.operator import CancelGroup
from messages.records import HedgeStatus, IntentStatus, Record, StopStatus
from storage.memory import MemoryJournal
from storage.port import GroupRows, Turn
from storage.tables import EXECUTIONS, PROCESSED_EVENTS
from venue.rules import Rules

GROUP = "g"
REGISTERS = ("described", "venue", "reported", "phase")
SETTLED = {IntentStatus.FILLED, IntentStatus.CANCELED, IntentStatus.REJECTED, IntentStatus.EXPIRED}


def knowledge(journal: MemoryJournal) -> dict[str, OrderState]:
    """All that is known of each order, but for when it was last said: what a snapshot says again is no news."""
    return {row.client_order_id: timeless(row.knowledge) for row in rows(journal).execution_states}


def timeless(state: OrderState) -> OrderState:
    registers = {name: (0, 0, getattr(state, name)[2]) for name in REGISTERS}
    apart = state.apart and Registers(*((0, 0, word[2]) for word in state.apart))  # type: ignore[arg-type]
    return replace(state, **registers, apart=apart, asked=(0, *state.asked[1:]))


def dated(journal: MemoryJournal) -> dict[str, OrderState]:
    """The same with the times."""
    return {row.client_order_id: row.knowledge for row in rows(journal).execution_states}


def joined(journal: MemoryJournal, heard: list[ExecutionReport]) -> dict[str, OrderState]:
    """What the reports say of each order, one merged into the other, and by nothing else."""
    states = {i.client_order_id: OrderState.new(i.client_order_id, i.quantity) for i in rows(journal).intents}
    told = {report.client_order_id for report in heard}
    for report in heard:
        if report.client_order_id in states:
            states[report.client_order_id] = merge(states[report.client_order_id], report).state
    return {key: state for key, state in states.items() if key in told}


def times(state: OrderState) -> tuple[int, ...]:
    """When what the registers hold was last said."""
    return (*(getattr(state, name)[0] for name in REGISTERS), state.asked[0])


def executions(journal: MemoryJournal) -> set[tuple[Any, ...]]:
    return {(e.client_order_id, e.exec_id, e.exec_type, e.last_qty, e.last_px) for e in journal.rows(EXECUTIONS)}


def settled(journal: MemoryJournal) -> dict[str, IntentStatus]:
    return {i.client_order_id: i.status for i in rows(journal).intents if i.status in SETTLED}


def filled(journal: MemoryJournal) -> Counter[tuple[str, Side]]:
    """Units per leg and side."""
    states = knowledge(journal)
    count: Counter[tuple[str, Side]] = Counter()
    for intent in rows(journal).intents:
        if intent.client_order_id in states:
            count[intent.leg_id, intent.side] += states[intent.client_order_id].cum_qty
    return count


def rows(journal: MemoryJournal) -> GroupRows:
    found = journal.group(GROUP)
    assert found is not None
    return found


def only_intents(told: GroupRows) -> list[Record]:
    """The group's records as they were before anything was heard of any of its orders."""
    record = replace(
        told.group,
        status=GroupStatus.VALIDATED,
        mode=Mode.ENTERING,
        outcome=GroupOutcome.OPEN,
        reason="",
        updated_ns=told.group.created_ns,
    )
    intents = [
        replace(
            intent,
            status=IntentStatus.INTENT_PERSISTED,
            broker_order_id="",
            checks="",
            sent_ns=0,
            acknowledged_ns=0,
            cancel_requested_ns=0,
            cancel_requests=0,
            terminal_ns=0,
        )
        for intent in told.intents
    ]
    hedges = [replace(h, filled_qty=0, status=HedgeStatus.WORKING, closed_ns=0) for h in told.hedges]
    stops = [replace(s, filled_qty=0, status=StopStatus.ARMED, triggered_ns=0, closed_ns=0) for s in told.stops]
    return [record, *intents, *hedges, *stops]


class Twin:
    """A cell that has the same intents, hears the same reports, and has no broker to send anything to."""

    def __init__(self, told: GroupRows) -> None:
        self.journal = MemoryJournal()
        self.journal.commit(Turn(epoch=self.journal.epoch, at_ns=START_NS, records=tuple(only_intents(told))))
        self.restart()

    def restart(self) -> None:
        self.journal.crash()
        self.journal = self.journal.reopen()
        self.cell = CellTree(0, Config(), self.journal, deduplicates=True)

    def hear(self, reports: list[ExecutionReport]) -> None:
        released = self.cell.run(reports)
        assert not released.requests, "nothing may leave without a reconciled session"


@st.composite
def stories(draw: st.DrawFn) -> World:
    """A world in which one group has been worked for a while, in any market, with any luck."""
    shape = draw(st.sampled_from(sorted(SHAPES)))
    world = World(
        size=draw(st.sampled_from(SIZES)),
        rules=Rules(
            cash=DEEP_POCKETS,
            cancel_latency_ns=draw(st.sampled_from([0, 5 * MS, 200 * MS])),
            market_protection_pct=draw(st.sampled_from([0.0, 5.0])),
        ),
    )
    legs = draw(st.permutations(SHAPES[shape]))
    stop = draw(st.sampled_from([0, 21_000, 30_000]))
    world.submit(plan(GROUP, shape, draw(st.sampled_from(QUANTITIES)), draw(st.sampled_from(list(Policy))), legs, stop))
    symbols = [leg.symbol for leg in legs] or SYMBOLS
    for _ in range(draw(st.integers(1, 12))):
        match draw(st.sampled_from(["wait", "wait", "fresh", "fresh", "move", "bust", "poll", "cancel"])):
            case "wait":
                world.advance(draw(st.sampled_from([100, 600, 3_000])))
            case "fresh":
                world.advance(draw(st.sampled_from([100, 1_000])), fresh=True)
            case "move":
                bid = draw(st.sampled_from(BIDS))
                world.quote(draw(st.sampled_from(symbols)), bid, bid + 500, draw(st.sampled_from(SIZES)))
            case "bust":
                bust_one(world, draw(st.integers(0, 9)))
            case "poll":
                world.snapshot()
            case "cancel":
                world.take([CancelGroup(GROUP)])
    return world


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stories(), st.integers(0, 2**32))
def test_r6_any_order_repetition_and_restart_ends_in_the_same_state(world: World, seed: int) -> None:
    chance = Random(seed)
    heard = world.heard
    shuffled = heard + chance.choices(heard, k=chance.randint(0, 10))
    chance.shuffle(shuffled)
    twin = Twin(world.group(GROUP))
    while shuffled:
        in_this_turn = chance.choice([1, 2, 5, 20])
        twin.hear(shuffled[:in_this_turn])
        shuffled = shuffled[in_this_turn:]
        if chance.random() < 0.2:
            twin.restart()
    assert knowledge(twin.journal) == knowledge(world.journal)
    assert dated(twin.journal) == joined(world.journal, heard), "also when each thing was last said"
    for key, state in dated(world.journal).items():
        assert all(lived <= last for lived, last in zip(times(state), times(dated(twin.journal)[key]), strict=True)), (
            "nothing is known to be later than it was said"
        )
    assert executions(twin.journal) == executions(world.journal)
    assert settled(twin.journal) == settled(world.journal)
    assert filled(twin.journal) == filled(world.journal)
    assert rows(twin.journal).group.crashes == 0
    at_exchange = {order.client_order_id: order.cum_qty for order in world.exchange.orders(world.now_ns)}
    assert {key: state.cum_qty for key, state in knowledge(twin.journal).items()} == at_exchange


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stories())
def test_hearing_everything_again_after_a_restart_changes_nothing(world: World) -> None:
    before, legs, known = rows(world.journal), filled(world.journal), knowledge(world.journal)
    inbox, records = world.journal.rows(PROCESSED_EVENTS), executions(world.journal)
    world.die()
    sent = len(world.received)
    world.take(list(world.heard))
    assert len(world.received) == sent
    assert len(world.journal.rows(PROCESSED_EVENTS)) >= len(inbox)
    after = rows(world.journal)
    assert after.intents == before.intents
    assert knowledge(world.journal) == known
    assert dated(world.journal) == joined(world.journal, world.heard)
    assert (executions(world.journal), filled(world.journal)) == (records, legs)
