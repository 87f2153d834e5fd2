"""An order group over its life: legs added, filled, half filled, mismatched, done, and rolled back (S1, R19, R22)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import msgspec
import pytest
from msgspec.structs import replace
from stories import SHAPES, plan
from world import CHAIN, LONG, SHORT, World, bull_put

from decisions.groups.validation import PlanRefused, validate
from domain.execution import Side
from domain.groups import GroupOutcome, GroupStatus, Mode, Plan, Policy, Role
from messages.operator import CancelGroup, CommandRefused
from messages.orders import OrderSent, Outcome, SubmitOrder, SubmitResult
from messages.records import GroupRecord, IntentStatus, Severity
from storage.port import JournalLocked
from venue.margin import requirement
from venue.rules import Rules

TODAY = date(2021, 1, 4)
INSTRUMENTS = {instrument.symbol: instrument for instrument in CHAIN}


def condor(group_id: str = "g", quantity: int = 10, policy: Policy = Policy.COMPLETE) -> Plan:
    return plan(group_id, "iron_condor", quantity, policy, SHAPES["iron_condor"])


def without_offers(world: World, *symbols: str) -> World:
    """Nobody trades these contracts."""
    for symbol in symbols:
        world.sizes[symbol] = 0
    world.show()
    return world


class TestMultiLegGroup:
    def test_add_legs(self) -> None:
        group = validate(condor(), INSTRUMENTS, TODAY)
        assert [(leg.role, leg.score, leg.target_qty) for leg in group.legs] == [
            (Role.PROTECTION, 50, 10),
            (Role.PROTECTION, 50, 10),
            (Role.RISK, -50, 10),
            (Role.RISK, -50, 10),
        ]
        with pytest.raises(PlanRefused, match="leg"):
            validate(Plan(group_id="g", quantity=1, legs=()), INSTRUMENTS, TODAY)

    def test_all_legs_filled(self) -> None:
        world = World(size=4)
        world.submit(condor())
        world.advance(3_000, fresh=True)
        assert [world.position(leg.symbol) for leg in SHAPES["iron_condor"]] == [10, -10, 10, -10]
        group = world.group("g").group
        assert (group.status, group.outcome) == (GroupStatus.COMPLETED, GroupOutcome.HEDGED)
        assert not world.live("g")

    def test_partially_filled(self) -> None:
        world = World(size=3)
        world.submit(bull_put(quantity=10))
        assert (world.position(LONG), world.position(SHORT)) == (3, -3)
        group = world.group().group
        assert (group.status, group.outcome) == (GroupStatus.RISK_PARTIAL, GroupOutcome.OPEN)
        assert {leg.leg_id: leg.authorized_qty for leg in world.group().legs} == {"buyP90": 10, "sellP95": 3}

    def test_mismatch_summary(self) -> None:
        """A group that cannot be made whole says which leg has how much of what, and who is to do what about it."""
        world = World(size=3)
        world.submit(bull_put(quantity=10))
        without_offers(world, LONG)
        world.advance(40_000)
        (halt,) = world.escalations("GROUP_HALTED")
        assert halt.severity is Severity.CRITICAL
        for part in ("buyP90", "sellP95", "3 of 10"):
            assert part in halt.text, halt.text
        (person,) = world.escalations("IMMEDIATE_MANUAL_HEDGE")
        assert (person.symbol, person.quantity) == (LONG, 7)

    def test_success(self) -> None:
        """Success is hedged as planned: nothing works any more, nothing is uncovered, and nobody is called."""
        world = World()
        world.submit(condor())
        assert world.group("g").group.outcome is GroupOutcome.HEDGED
        assert world.cell.uncovered_qty == 0
        assert not world.alerts

    @pytest.mark.parametrize("shape", ["bull_put", "iron_condor", "butterfly"])
    def test_rollback(self, shape: str) -> None:
        """The risk cannot be sold: what was bought for it is sold again, and the group ends flat, as failed."""
        shorts = [leg.symbol for leg in SHAPES[shape] if leg.side is Side.SELL]
        world = without_offers(World(), *shorts)
        world.submit(plan("g", shape, 10, Policy.FLATTEN, SHAPES[shape]))
        world.advance(60_000, step_ms=500, fresh=True)
        assert {world.position(leg.symbol) for leg in SHAPES[shape]} == {0}
        group = world.group("g").group
        assert (group.status, group.outcome, group.mode) == (GroupStatus.FAILED, GroupOutcome.FLAT, Mode.FLATTENING)
        assert shorts[0][-9] in group.reason


def test_r4_no_order_ends_without_the_brokers_word() -> None:
    """All pushed reports are lost, and every query: the orders stay live in every limit, whatever the time."""
    world = World(size=3)
    world.deaf = True
    world.submit(bull_put(quantity=10))
    world.advance(60_000, step_ms=500, fresh=True)
    assert world.position(LONG) > 0
    (entry,) = [intent for intent in world.group().intents if intent.role is Role.PROTECTION]
    assert entry.status in (IntentStatus.INTENT_PERSISTED, IntentStatus.SENT, IntentStatus.UNRESOLVED)
    assert world.group().group.outcome is GroupOutcome.OPEN
    world.deaf = False
    world.snapshot()
    world.advance(10_000, fresh=True)
    world.snapshot()
    world.advance(10_000, fresh=True)
    assert world.group().group.outcome is not GroupOutcome.OPEN
    assert world.position(LONG) == -world.position(SHORT)


def test_r15_ratios_that_do_not_divide_into_lots_are_refused_with_the_nearest_quantity_that_does() -> None:
    lots = [replace(instrument, lot_size=65, freeze_qty=1_800) for instrument in CHAIN]
    world = World(chain=lots, size=2_000)
    world.submit(bull_put(quantity=100))
    answer = world.replies[-1][1]
    assert isinstance(answer, CommandRefused)
    assert "65" in " ".join(answer.problems)
    assert not world.received
    world.submit(bull_put("whole", quantity=130))
    assert world.group("whole").group.outcome is GroupOutcome.HEDGED


def test_r19_a_journal_has_one_writer() -> None:
    world = World()
    with pytest.raises(JournalLocked, match="still owned"):
        world.journal.reopen()


class Picky(World):
    """A world whose broker refuses every order in one contract."""

    def __init__(self, refused: str) -> None:
        self.refused = refused
        super().__init__(size=4)

    def _submit(self, request: SubmitOrder) -> list[msgspec.Struct]:
        if request.symbol != self.refused:
            return super()._submit(request)
        order_id, now_ns = request.client_order_id, self.now_ns
        reason = "this account may not trade it"
        return [
            OrderSent(client_order_id=order_id, ts_ns=now_ns, checks="test"),
            SubmitResult(client_order_id=order_id, ts_ns=now_ns, outcome=Outcome.REFUSED, reason=reason),
        ]


@pytest.mark.parametrize("refused", [LONG, SHORT])
def test_r19_a_leg_that_is_refused_leaves_the_accepted_one_tracked_and_the_group_whole(refused: str) -> None:
    world = Picky(refused)
    world.submit(bull_put(quantity=10))
    for _ in range(8):
        world.advance(5_000, step_ms=500, fresh=True)
        world.snapshot()
    records = [record for turn in world.journal.turns() for record in turn.records()]
    (over,) = [r for r in records if isinstance(r, GroupRecord) and r.outcome is not GroupOutcome.OPEN]
    assert not [e for e in world.truth if e.kind == "fill" and e.ts_ns > over.updated_ns], "it was not over yet"
    assert "FOREIGN_ORDER" not in world.kinds(), "an order that was accepted is not ours any more"
    group = world.group()
    assert group.group.outcome in (GroupOutcome.FLAT, GroupOutcome.HALTED)
    assert group.group.status is GroupStatus.FAILED
    at_broker = {order.client_order_id for order in world.exchange.orders(world.now_ns)}
    assert at_broker <= {intent.client_order_id for intent in group.intents}
    assert not world.live()
    assert (world.position(LONG), world.position(SHORT)) == (0, 0)


class Vague(World):
    """A world whose gateway never knows what became of an order, though the broker has taken it."""

    def _submit(self, request: SubmitOrder) -> list[msgspec.Struct]:
        super()._submit(request)
        result = SubmitResult(
            client_order_id=request.client_order_id,
            ts_ns=self.now_ns,
            outcome=Outcome.UNKNOWN,
            reason="the answer was lost",
        )
        return [result]


def test_r5_an_answer_of_unknown_fate_ends_nothing_and_nothing_takes_its_place() -> None:
    world = Vague(size=0)
    world.submit(bull_put(quantity=10))
    (ours,) = world.orders()
    world.advance(2_500)
    (intent,) = world.group().intents
    assert intent.status is IntentStatus.UNRESOLVED
    assert world.orders() == [ours]
    assert "ORDER_UNRESOLVED" in world.kinds()
    world.advance(1_000)
    first, second = world.group().intents
    assert first.status is IntentStatus.CANCELED, "the broker's word, and only then another attempt"
    assert (second.attempt, second.decided_ns >= first.terminal_ns) == (2, True)


def holdings(world: World, symbols: Sequence[str]) -> dict[str, int]:
    return {symbol: world.position(symbol) for symbol in symbols}


@pytest.mark.parametrize("size", [1, 3, 20])
@pytest.mark.parametrize("shape", ["bull_put", "bear_call", "iron_condor", "butterfly"])
def test_r22_closing_never_needs_more_margin_on_the_way_than_the_group_held(shape: str, size: int) -> None:
    """Judged by the broker's own rule after every single fill of the closing."""
    world = World()
    symbols = sorted({leg.symbol for leg in SHAPES[shape]})
    world.submit(plan("g", shape, 10, Policy.COMPLETE, SHAPES[shape]))

    def needed() -> int:
        held = {symbol: quantity for symbol, quantity in holdings(world, symbols).items() if quantity}
        return requirement(held, world.exchange.instruments, lambda symbol: 20_000 if symbol in INSTRUMENTS else 10**6)

    start, on_the_way = needed(), []
    world.sizes = dict.fromkeys(world.sizes, size)
    world.show()
    world.take([CancelGroup("g")])
    for _ in range(400):
        on_the_way.append(needed())
        if not any(holdings(world, symbols).values()):
            break
        for symbol in symbols:  # one contract trades at a time
            world.show([symbol])
            on_the_way.append(needed())
        world.advance(100)
    assert world.group("g").group.outcome is GroupOutcome.FLAT
    assert max(on_the_way) <= start


class TestMargin:
    def test_margin_sufficient(self) -> None:
        world = World()
        world.submit(condor())
        assert world.group("g").group.outcome is GroupOutcome.HEDGED

    def test_margin_insufficient(self) -> None:
        world = World(rules=Rules(cash=1_000_000))
        world.submit(condor())
        answer = world.replies[-1][1]
        assert isinstance(answer, CommandRefused)
        assert "insufficient margin" in answer.problems[0]
        assert not world.received
        assert world.journal.group("g") is None
