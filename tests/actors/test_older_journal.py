"""An older copy of a journal is put back (F.storage, R12): whatever it has forgotten, nothing is done twice unseen.

The orders that the lost part of the journal placed are at the broker, under ids that the cell makes again: it finds
them in the first snapshot, calls a person, and joins what it then sends with what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import pytest
from world import DEEP_POCKETS, LONG, SHORT, World, bull_put, call, leg

from decisions.effects import Request
from domain.groups import GroupOutcome, Mode, Plan, Role
from messages.market import session_number
from messages.operator import CancelGroup
from messages.orders import OrderSent, Outcome, SubmitOrder, SubmitResult
from messages.records import IntentRecord, IntentStatus, Severity
from storage.memory import MemoryJournal
from venue.rules import Rules

QUANTITY, SIZE, PATIENCE_S = 40, 30, 40
CONDOR = Plan(
    group_id="bp",
    quantity=QUANTITY,
    legs=(leg(LONG, "buy"), leg(SHORT, "sell"), leg(call(105), "sell"), leg(call(110), "buy")),
    strategy="iron_condor",
)


def a_world(*, deduplicates: bool) -> World:
    rules = Rules(cash=DEEP_POCKETS, deduplicate=deduplicates)
    return World(deduplicates=deduplicates, rules=rules, size=SIZE)


def whole(world: World) -> None:
    world.submit(bull_put())


def in_part(world: World) -> None:
    world.submit(CONDOR)
    for _ in range(5):
        world.advance(1_000)


def canceled(world: World) -> None:
    world.submit(bull_put())
    world.take([CancelGroup("bp")])
    world.advance(1_000)


def put_back(world: World, turns: int, said: Sequence[msgspec.Struct] = (), *, shown: bool = True) -> None:
    """The cell dies, and its successor finds a journal that ends after so many turns, and what waited for it."""
    kept = world.journal.turns()[:turns]
    world.journal.crash()
    world.journal = MemoryJournal.of(kept)
    world.cell = world.new_cell()
    world.take(said)
    if shown:
        world.link_up()


class Unwilling(World):
    """A gateway that lets no first and no second attempt out, and says so in the same words each time."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.words: dict[str, list[msgspec.Struct]] = {}
        super().__init__(deduplicates=False)
        self.session = session_number(1, 0)
        self.link_up()

    def send(self, request: Request) -> list[msgspec.Struct]:
        if isinstance(request, SubmitOrder) and request.client_order_id.endswith(("1", "2")):
            self.asked.append(request.client_order_id)
            return self.words.setdefault(request.client_order_id, self.refuse(request, "E5: 2 orders are open"))
        return super().send(request)


def told(world: World) -> bool:
    return any(alert.severity is Severity.CRITICAL and not alert.acknowledged_ns for alert in world.alerts)


@pytest.mark.parametrize("story", [whole, in_part, canceled])
@pytest.mark.parametrize("deduplicates", [True, False])
def test_whatever_an_older_journal_has_forgotten_nothing_is_done_twice_and_a_person_is_called(
    story: Callable[[World], None], deduplicates: bool
) -> None:
    begin = partial(a_world, deduplicates=deduplicates)
    first = begin()
    story(first)
    length = len(first.journal.turns())
    assert length > 3
    for turns in range(1, length):
        world = begin()
        story(world)
        world.alerts.clear()
        put_back(world, turns)
        for _ in range(PATIENCE_S):
            world.advance(1_000)
        held = {symbol: world.position(symbol) for symbol in (LONG, SHORT, call(105), call(110))}
        assert 0 <= held[LONG] <= QUANTITY and 0 <= held[call(110)] <= QUANTITY, (turns, held)
        assert -held[LONG] <= held[SHORT] <= 0 and -held[call(110)] <= held[call(105)] <= 0, (turns, held)
        assert told(world) or world.group().group.reason == first.group().group.reason, (turns, world.kinds())


def test_a_group_with_forgotten_orders_is_left_to_a_person_for_good() -> None:
    world = a_world(deduplicates=False)
    whole(world)
    put_back(world, 2)
    world.restart()
    record = world.group().group
    assert (record.outcome, record.mode) == (GroupOutcome.HALTED, Mode.LEFT)
    (alert,) = world.escalations("GROUP_GIVEN_UP")
    assert "is at the broker, and not in its journal" in alert.text
    received = len(world.received)
    for _ in range(PATIENCE_S):
        world.advance(1_000)
    assert not [request for request in world.received[received:] if isinstance(request, SubmitOrder)]
    world.take([CancelGroup("bp")])
    assert "was given up; close what it holds at the broker" in str(world.replies[-1])


def without_its_risk(world: World) -> str:
    """The journal is one of before the spread's short was decided; the short's order."""
    whole(world)
    for turns, turn in enumerate(world.journal.turns()):
        risk = [one for one in turn.records() if isinstance(one, IntentRecord) and one.role is Role.RISK]
        if risk:
            put_back(world, turns, shown=False)
            return risk[0].client_order_id
    raise AssertionError("no short was decided")


@pytest.mark.parametrize(
    ("outcome", "left"), [(None, True), (Outcome.ACCEPTED, True), (Outcome.UNKNOWN, True), (Outcome.REFUSED, False)]
)
def test_r22_a_group_is_left_as_soon_as_a_forgotten_order_is_said_to_have_left(
    outcome: Outcome | None, left: bool
) -> None:
    world = a_world(deduplicates=True)
    order_id = without_its_risk(world)
    if outcome is None:
        world.take([OrderSent(client_order_id=order_id, ts_ns=world.now_ns, checks="")])
    else:
        world.take([SubmitResult(client_order_id=order_id, outcome=outcome, ts_ns=world.now_ns)])
    assert (world.group().group.mode is Mode.LEFT) is left
    received = len(world.received)
    world.take([CancelGroup("bp")])
    closes = [request for request in world.received[received:] if isinstance(request, SubmitOrder)]
    assert not (left and closes), "protection that the short needs"
    if left:
        (alert,) = world.escalations("GROUP_GIVEN_UP")
        assert order_id in alert.text


def test_s9_what_was_said_of_a_forgotten_order_is_no_repetition_once_the_order_is_made_again() -> None:
    world = Unwilling()
    world.submit(bull_put())
    while len(world.words) < 2:
        turns = len(world.journal.turns())
        world.advance(100)
    again = max(world.words)
    put_back(world, turns, said=world.words[again])
    world.advance(3_000)
    assert world.asked.count(again) == 2
    status = {intent.client_order_id: intent.status for intent in world.group().intents}
    assert status[again] is IntentStatus.REFUSED
    assert world.group().group.outcome is GroupOutcome.HEDGED
    assert (world.position(LONG), world.position(SHORT)) == (10, -10)


def test_an_order_of_another_cells_group_of_that_name_leaves_nothing() -> None:
    world = a_world(deduplicates=True)
    whole(world)
    theirs = world.heard[0]
    world.take([msgspec.structs.replace(theirs, client_order_id=f"LK1{theirs.client_order_id[3:]}")])
    assert world.group().group.outcome is GroupOutcome.HEDGED
    assert world.escalations("FOREIGN_ORDER") and not world.escalations("GROUP_GIVEN_UP")
