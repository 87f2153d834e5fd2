"""I21: a crash inside the recovery from a crash leaves what the first crash alone would have left.

Compared is what must be equal: the orders at the exchange with their terms and what filled of them, what is held, the
rows of the journals, and what a person was called for.  Not compared is what tells of the crash itself: times, epochs,
how often an order was sent again, the causes of decisions, and which positions a start found explained.

All of that holds only where nothing but the crashes decides how a story goes on; of others only the end is compared, or
nothing (:class:`simulation.scenarios.Sameness`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from messages.records import Severity
from simulation.scenarios import Sameness
from simulation.world import World
from storage.tables import (
    ESCALATIONS,
    EXECUTION_STATES,
    EXPOSURES,
    GROUPS,
    HEDGES,
    INTENTS,
    LEGS,
    POSITION_EVENTS,
    REJECTED_EVENTS,
    STOPS,
    Table,
)

Facts = Mapping[str, Any]
Left = Mapping[str, Facts]  # what it is about -> what there is of it

# What of a row tells how its group got there rather than where; all its times do, too, and their names end in "_ns".
OF_THE_WAY: Final = frozenset(
    {"epoch", "broker_order_id", "cause", "checks", "knowledge", "crashes", "cancel_requests"}
)
COMPARED: Final = (GROUPS, LEGS, INTENTS, EXECUTION_STATES, HEDGES, STOPS, EXPOSURES, POSITION_EVENTS, REJECTED_EVENTS)


def left_by(world: World, same: Sameness) -> Left:
    """What a run that has come to its rest has left, as far as it must be the same."""
    return _LEFT_BY[same](world) if same in _LEFT_BY else {}


def _end(world: World) -> Left:
    found: dict[str, Facts] = dict(_held(world))
    return found | {record.group_id: {"outcome": record.outcome, "mode": record.mode} for record in world.groups()}


def _everything(world: World) -> Left:
    found: dict[str, Facts] = {**dict(_held(world)), **dict(_orders(world))}
    for journal in world.journals():
        for table in COMPARED:
            found |= {_name(table, row): _facts(row) for row in journal.rows(table)}
        for alert in journal.rows(ESCALATIONS):
            if alert.severity is Severity.CRITICAL and alert.group_id:
                found[f"alert {alert.kind} of {alert.group_id}"] = {"quantity": alert.quantity}
    return found


def difference(once: Left, again: Left) -> str:
    """In words what ``again`` has otherwise than ``once``; "" when they are equal."""
    for name in sorted(once.keys() | again.keys()):
        first, second = once.get(name, {}), again.get(name, {})
        for fact in sorted(first.keys() | second.keys()):
            before, then = first.get(fact, "nothing"), second.get(fact, "nothing")
            if before != then:
                return f"{name}: {fact} is {then} after the second crash, and {before} after the first alone"
    return ""


_LEFT_BY: Final[Mapping[Sameness, Callable[[World], Left]]] = {Sameness.ALL: _everything, Sameness.END: _end}


def _held(world: World) -> Iterator[tuple[str, Facts]]:
    held: Counter[str] = Counter()
    for order in world.oracles.orders.values():
        held[order.symbol] += order.side.sign * order.cum
    yield from ((f"position {symbol}", {"units": units}) for symbol, units in held.items() if units)


def _orders(world: World) -> Iterator[tuple[str, Facts]]:
    for order_id, order in world.oracles.orders.items():
        terms = {"side": order.side, "quantity": order.qty, "symbol": order.symbol}
        yield f"order {order_id}", {**terms, "filled": order.cum, "open": order.leaves}


def _name(table: Table, row: Any) -> str:
    return f"{table.name} {'/'.join(str(getattr(row, field)) for field in table.key if not field.endswith('_ns'))}"


def _facts(row: Any) -> Facts:
    facts = msgspec.structs.asdict(row)
    return {name: value for name, value in facts.items() if name not in OF_THE_WAY and not name.endswith("_ns")}
