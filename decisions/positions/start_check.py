"""What must be explained before a system that was started may take new risk (E14, I22, R21).

A level decides, so that restarts and crashes at any moment change nothing: of each symbol, what the broker holds beyond
what our orders and the broker's own word on exercise, assignment, expiry, liquidation and corporate actions explain.
As far as that level has been *settled* before, by a person's word or because a running system found it and told of it,
it holds nothing back; nor does a level that has moved back towards nothing.  The same for the units that orders work at
the broker which the journals do not know, or call over.

Only what the first comparison after a start shows is judged so.  What comes later is news, for which there are alerts.
"""

from __future__ import annotations

from collections.abc import Mapping

from decisions.positions.books import BY_HAND
from decisions.positions.library import Library
from decisions.positions.positions import OrderDifference, SymbolBalance
from decisions.positions.reconciler import Look
from messages.market import gateway_of
from messages.positions import BrokerView, Difference, Verdict
from messages.records import PositionEventRecord

UNDO = "see whose it is; undo it at the broker, or accept it with 'differences accept'"


class StartCheck:
    """Between two looks it holds what the first one after a start showed and has not been settled since."""

    def __init__(self) -> None:
        self._gateway = 0  # the incarnation that asks
        self._first: frozenset[str] | None = None

    def judge(self, look: Look, library: Library, view: BrokerView) -> Verdict:
        """What holds new risk back now, and all levels that are sure."""
        gateway = gateway_of(view.snapshot.session)
        if gateway != self._gateway:
            self._gateway, self._first = gateway, None
        settled = dict(view.settled)
        found = {
            one.key: one
            for one in (*_positions(look, library), *_orders(look))
            if not is_settled(one.quantity, settled.get(one.key, 0))
        }
        self._first = frozenset(found) if self._first is None else frozenset(self._first & found.keys())
        held = () if view.opened else tuple(found[key] for key in sorted(self._first))
        return Verdict(view.snapshot.session, held, levels(look, library))


def is_settled(level: int, settled: int) -> bool:
    """Whether the level is nothing, or not beyond what was settled."""
    return min(0, settled) <= level <= max(0, settled)


def levels(look: Look, library: Library) -> dict[str, int]:
    """Every level that is not nothing and that no further look can change by itself."""
    found = {one.key: one.quantity for one in _orders(look) if one.checked}
    moved = _unexplained(library)
    for balance in look.comparison.symbols:
        sure = balance.difference if f"position/{balance.symbol}" in look.confirmed else 0
        found[f"position/{balance.symbol}"] = sure + _sum(moved.get(balance.symbol, ()))
    return {key: level for key, level in found.items() if level}


def _positions(look: Look, library: Library) -> list[Difference]:
    moved = _unexplained(library)
    return [_position(balance, moved.get(balance.symbol, []), look) for balance in look.comparison.symbols]


def _position(balance: SymbolBalance, moved: list[PositionEventRecord], look: Look) -> Difference:
    key = f"position/{balance.symbol}"
    level = balance.difference + _sum(moved)
    checked = not balance.difference or key in look.confirmed
    return Difference(
        key=key,
        symbol=balance.symbol,
        journal=f"{balance.broker - level:+d}",
        broker=f"{balance.broker:+d}",
        quantity=level,
        cause=_cause(balance, moved) if checked else "not known yet: the broker is being asked again",
        advice=UNDO if checked else "wait a few seconds",
        checked=checked,
    )


def _cause(balance: SymbolBalance, moved: list[PositionEventRecord]) -> str:
    told = [f"{event.quantity:+d} {event.kind.value}: {event.evidence}{_owner(event)}" for event in moved[-3:]]
    if balance.difference:
        told.append(f"{balance.difference:+d} that no order, trade or activity of the broker's explains")
    return "; ".join(told)


def _owner(event: PositionEventRecord) -> str:
    return f", taken from group {event.group_id}, which is repaired" if event.leg_id else ""


def _orders(look: Look) -> list[Difference]:
    """Orders that work at the broker, and that the journals do not know or call over."""
    return [_order(one, look) for one in look.comparison.orders if one.leaves]


def _order(one: OrderDifference, look: Look) -> Difference:
    foreign = one.kind == "foreign"
    checked = foreign or one.key in look.confirmed
    return Difference(
        key=f"order/{one.client_order_id}",
        symbol=one.symbol,
        journal=one.journal,
        broker=one.broker,
        quantity=one.leaves,
        cause="placed by somebody else, or by a journal that is lost" if foreign else "ended here, and works there",
        advice="cancel it at the broker, or accept it with 'differences accept'" if checked else "wait a few seconds",
        checked=checked,
    )


def _unexplained(library: Library) -> Mapping[str, list[PositionEventRecord]]:
    """By symbol, the changes that nobody has explained, not even afterwards."""
    found = {}
    for symbol in sorted(library.doubted()):
        events = library.events_of(symbol)
        explained = {e.ts_ns for e in events if not e.quantity and e.kind not in BY_HAND}
        found[symbol] = [e for e in events if e.quantity and e.kind in BY_HAND and e.ts_ns not in explained]
    return found


def _sum(moved: list[PositionEventRecord] | tuple[()]) -> int:
    return sum(event.quantity for event in moved)
