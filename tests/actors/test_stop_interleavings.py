"""R2: every interleaving of stop fill, cancel ack, cancel reject, modify ack, modify reject and market fill, with every
order in which our side may hear of them, through the real actors: exits never exceed the position, and it ends flat.

A node of the tree is what our side was told so far, and what the broker has.  Our side lives through
every branch from the start, so what is compared is always what was lived through.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any, NamedTuple

import msgspec
import pytest
from world import LONG, World, leg

from decisions.effects import MS
from domain.execution import ExecType, ExecutionReport, OrdStatus, OrdType
from domain.groups import Plan, PlanStop, Role
from messages.market import Tick
from messages.orders import CancelOrder, ModifyOrder, SubmitOrder
from messages.records import StopStatus
from storage.tables import EXECUTION_STATES, GROUPS, INTENTS, STOPS

POSITION = 2
TRIGGER = 15_000
STEP_NS = 2_000 * MS  # the patience of a triggered stop; half of it that of a cancel or a change
KEPT = 50  # so many worlds fit into the memory of any machine
STEPS = {False: 2, True: 3}  # by whether changes in place are possible: they have a patience of their own


class AtBroker(NamedTuple):
    """One exit order at the broker."""

    quantity: int
    is_market: bool
    triggered: bool
    cum: int = 0
    over: bool = False
    events: int = 0  # that the broker has reported


class Node(NamedTuple):
    """``told``: all that our side has heard since the stop was armed; ``under_way``: what it may hear next."""

    told: tuple[msgspec.Struct, ...]
    broker: tuple[tuple[str, AtBroker], ...]
    asked: tuple[CancelOrder | ModifyOrder, ...] = ()
    under_way: tuple[ExecutionReport, ...] = ()
    steps: int = 0
    refused: bool = False
    ours: bytes = b""  # what our journal says after all that

    @property
    def key(self) -> bytes:
        """What the rest of the story depends on: not how it came to be."""
        pack = msgspec.msgpack.encode
        under_way = sorted(pack(report) for report in self.under_way)
        return pack((self.ours, self.broker, self.asked, under_way, self.steps, self.refused))


@cache
def armed_at() -> int:
    return guarded(replaces=False).now_ns


def guarded(*, replaces: bool) -> World:
    world = World(replaces=replaces)
    only = leg(LONG, "buy")
    stop = PlanStop(leg_id=only.leg_id, trigger_price=TRIGGER)
    world.submit(Plan(group_id="bp", quantity=POSITION, legs=(only,), stops=(stop,)))
    assert world.group().stops[0].status is StopStatus.ARMED
    return world


class Lives:
    """Our sides that have lived through something, until one branch goes on with each; the others live it again."""

    def __init__(self, *, replaces: bool) -> None:
        self.replaces = replaces
        self.kept: dict[tuple[msgspec.Struct, ...], World] = {}

    def after(self, told: tuple[msgspec.Struct, ...]) -> World:
        """Our side after all that; it is the caller's from now on."""
        world = self.kept.pop(told, None)
        if world is None:
            world = guarded(replaces=self.replaces)
            for message in told:
                self.tell(world, message)
        return world

    def go_on(self, told: tuple[msgspec.Struct, ...], message: msgspec.Struct) -> tuple[World, list[msgspec.Struct]]:
        """Our side after all that and one message more, and what it asked for after that."""
        world = self.after(told)
        requests = self.tell(world, message)
        self.kept[*told, message] = world
        if len(self.kept) > KEPT:
            del self.kept[next(iter(self.kept))]  # the walk goes on with the newest
        return world, requests

    @staticmethod
    def tell(world: World, message: msgspec.Struct) -> list[msgspec.Struct]:
        released = world.cell.run([message])
        world.alerts += released.alerts
        return list(released.requests)


def about(order_id: str, kind: ExecType, status: OrdStatus, order: AtBroker, **more: Any) -> ExecutionReport:
    at = order.events + 1
    return ExecutionReport(
        client_order_id=order_id,
        exec_type=kind,
        ord_status=status,
        exec_id=f"e{at}",
        ts_ns=armed_at() + MS + at,  # after all that the exchange has said before
        order_qty=order.quantity,
        cum_qty=order.cum,
        leaves_qty=0 if order.over else order.quantity - order.cum,
        symbol=LONG,
        **more,
    )


def status_of(order: AtBroker) -> OrdStatus:
    if order.cum == order.quantity:
        return OrdStatus.FILLED
    if order.over:
        return OrdStatus.CANCELED
    return OrdStatus.PARTIALLY_FILLED if order.cum else OrdStatus.NEW


def happens(node: Node, order_id: str, now: AtBroker, told: ExecutionReport) -> Node:
    now = now._replace(events=now.events + 1)
    broker = tuple((key, now if key == order_id else order) for key, order in node.broker)
    return node._replace(broker=broker, under_way=(*node.under_way, told))


def hears(node: Node, message: msgspec.Struct, lives: Lives) -> Node:
    """Our side hears a message; what it asks for reaches the broker at once."""
    told = (*node.told, message)
    world, requests = lives.go_on(node.told, message)
    broker, asked = dict(node.broker), list(node.asked)
    for request in requests:
        if isinstance(request, SubmitOrder) and request.symbol == LONG:
            out = sum(order.cum for order in broker.values())
            working = sum(order.quantity - order.cum for order in broker.values() if not order.over)
            assert out + working + request.quantity <= POSITION, "more exits than there is to exit"
            market = request.order_type is not OrdType.STOP_LIMIT
            broker[request.client_order_id] = AtBroker(request.quantity, market, market)
        elif isinstance(request, ModifyOrder):
            assert request.quantity <= broker[request.client_order_id].quantity, "a change that makes more of it"
            asked.append(request)
        elif isinstance(request, CancelOrder) and request.client_order_id in broker:
            asked.append(request)
    under_way = tuple(report for report in node.under_way if report is not message)
    steps = node.steps + isinstance(message, Tick)
    rows = [world.journal.rows(table) for table in (GROUPS, INTENTS, EXECUTION_STATES, STOPS)]
    return Node(
        told, tuple(broker.items()), tuple(asked), under_way, steps, node.refused,
        msgspec.msgpack.encode(rows),
    )  # fmt: skip


def at_the_broker(node: Node, *, replaces: bool) -> list[tuple[str, Node]]:
    """What may happen there next, and its report."""
    found: list[tuple[str, Node]] = []
    for order_id, order in node.broker:
        if order.over:
            continue
        if not order.triggered:
            now = order._replace(triggered=True)
            told = about(order_id, ExecType.TRIGGERED, OrdStatus.NEW, now)
            found.append(("trigger", happens(node, order_id, now, told)))
            continue
        for quantity in sorted({1, order.quantity - order.cum}):
            cum = order.cum + quantity
            now = order._replace(cum=cum, over=cum == order.quantity)
            told = about(order_id, ExecType.TRADE, status_of(now), now, last_qty=quantity, last_px=14_500)
            kind = f"{'market' if order.is_market else 'stop'} {'fill' if now.over else 'partial'}"
            found.append((kind, happens(node, order_id, now, told)))
    for request in node.asked:
        rest = node._replace(asked=tuple(other for other in node.asked if other is not request))
        found += answers(rest, request, replaces=replaces)
    return found


def answers(node: Node, request: CancelOrder | ModifyOrder, *, replaces: bool) -> list[tuple[str, Node]]:
    order_id, name = request.client_order_id, "cancel" if isinstance(request, CancelOrder) else "modify"
    order = dict(node.broker)[order_id]
    found = []
    whim = not node.refused and (isinstance(request, ModifyOrder) or not replaces)
    if order.over or whim:  # too late; or, once, for no reason at all
        told = about(order_id, ExecType.CANCEL_REJECT, status_of(order), order, request_id=request.request_id)
        refused = happens(node, order_id, order, told)._replace(refused=node.refused or not order.over)
        found.append((f"{name} reject", refused))
    if order.over:
        return found
    if isinstance(request, CancelOrder):
        now = order._replace(over=True)
        told = about(order_id, ExecType.CANCELED, OrdStatus.CANCELED, now, request_id=request.request_id)
    else:
        now = order._replace(is_market=True, triggered=True, quantity=request.quantity)
        told = about(order_id, ExecType.REPLACED, status_of(now), now, request_id=request.request_id)
    return [*found, (f"{name} ack", happens(node, order_id, now, told))]


def explore(*, replaces: bool) -> tuple[Counter[str], Counter[str], int]:
    """Walk the whole tree; the kinds of events and of ends, and how many different nodes there were."""
    events: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    (stop,) = guarded(replaces=replaces).orders(Role.STOP_LIMIT)
    first = Node((), ((stop.client_order_id, AtBroker(POSITION, False, False)),))
    waiting, seen, lives = [first], {first.key}, Lives(replaces=replaces)
    while waiting:
        node = waiting.pop()
        assert sum(order.cum for _, order in node.broker) <= POSITION
        following = at_the_broker(node, replaces=replaces)
        for kind, _ in following:
            events[kind] += 1
        heard: list[msgspec.Struct] = list(node.under_way)
        if node.steps < STEPS[replaces] and (node.steps < 1 or not node.under_way) and node.broker[0][1].triggered:
            heard.append(Tick(armed_at() + (node.steps + 1) * STEP_NS))
        for each in [*(each for _, each in following), *(hears(node, message, lives) for message in heard)]:
            if each.key not in seen:
                seen.add(each.key)
                waiting.append(each)
        if not following and not heard:
            world = lives.after(node.told)
            out = sum(order.cum for _, order in node.broker)
            (record,) = world.group().stops
            assert record.filled_qty == out
            assert out == POSITION or "STOP_EXIT_LONG" in world.kinds(), "neither flat, nor was a person called"
            ends[f"{record.status.value} {'flat' if out == POSITION else 'escalated'}"] += 1
    return events, ends, len(seen)


@pytest.mark.timeout(300)  # some seconds; on a machine that is shared by many, minutes
@pytest.mark.parametrize("replaces", [False, True])
def test_r2_in_every_interleaving_exits_never_exceed_the_position_and_it_ends_flat(replaces: bool) -> None:
    events, ends, nodes = explore(replaces=replaces)
    always = {"trigger", "stop partial", "stop fill", "cancel ack", "cancel reject", "market partial", "market fill"}
    assert set(events) >= always | ({"modify ack", "modify reject"} if replaces else set())
    assert set(ends) == {"DONE flat"}
    assert nodes > 200
