"""Whose the units were that came and went without an order: the journals' rows against the exchange's record (R21).

The exchange cannot say whose units went.  But what went is a group's that had it, as long as nobody had units of that
sign beside the groups; and a group has lost nothing as long as somebody had.  Letters of one look become durable one
by one, so units that the exchange has moved and that no journal has yet are anybody's; so are those of orders that a
journal has forgotten that was put back.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path

from messages.records import PositionEventRecord, PositionKind, Record
from venue.reporting import ACTIVITIES
from venue.truth import TruthEvent

Problem = tuple[bool, str]  # whether it is as it should be, and what it is about


class Attribution:
    """Books of its own, by symbol; signed units are the account's."""

    def __init__(self) -> None:
        self._rows: dict[Path, dict[str, PositionEventRecord]] = defaultdict(dict)
        self._moved: Counter[tuple[str, bool]] = Counter()  # by the exchange: symbol, whether units came -> how many
        self._fills: dict[str, list[tuple[int, str, int]]] = defaultdict(list)  # by group's tag: time, symbol, units

    def on_move(self, event: TruthEvent) -> None:
        """The exchange has moved units without an order."""
        if event.kind in ACTIVITIES and event.last_qty:
            self._moved[event.symbol, event.side == "buy"] += event.last_qty

    def on_stray(self, symbol: str, units: int) -> None:
        """An order has traded that no journal knows any more; the reconciler tells of it as of a trade by hand."""
        self._moved[symbol, units > 0] += abs(units)

    def on_fill(self, tag: str, ts_ns: int, symbol: str, units: int) -> None:
        """An order of a group has traded, or a trade of it was taken back."""
        self._fills[tag].append((ts_ns, symbol, units))

    def on_older(self, path: Path, records: Collection[Record]) -> None:
        """The journal knows only these any more."""
        self._rows[path] = {one.event_id: one for one in records if isinstance(one, PositionEventRecord)}

    def on_commit(self, path: Path, records: Collection[Record], tags: dict[str, str]) -> Iterator[Problem]:
        """What became durable; ``tags``: group -> tag of those whose journals know all of their orders.

        Who an expiry is booked for is no question: the exchange settles the net, and nobody keeps anything.  Nor is it
        one of a trade by hand that the same look tells.
        """
        known = self._rows[path]
        fresh = {
            one.event_id: one
            for one in records
            if isinstance(one, PositionEventRecord) and one.event_id not in known and one.quantity
        }
        before = self._nobodys()
        known |= fresh
        judged = [one for one in fresh.values() if one.kind is not PositionKind.EXPIRY]
        for symbol in sorted({one.symbol for one in judged if not one.group_id}):
            nobodys = [one for one in judged if one.symbol == symbol and not one.group_id]
            if not any(one.kind is PositionKind.EXPIRY and one.symbol == symbol for one in fresh.values()):
                yield self._lost_by_nobody(symbol, nobodys, before[symbol], tags)
        for one in judged:
            if one.leg_id:
                yield self._lost_by_a_group(one)

    def _lost_by_nobody(
        self, symbol: str, rows: list[PositionEventRecord], before: int, tags: dict[str, str]
    ) -> Problem:
        units = sum(one.quantity for one in rows)
        sign, since_ns = (1 if units > 0 else -1), min(one.ts_ns for one in rows)
        beyond = abs(units) - max(0, -sign * before)
        holders = {group_id: self._least(group_id, tag, symbol, -sign, since_ns) for group_id, tag in tags.items()}
        could = sum(holders.values()) - self._untold(symbol, comes=units > 0)
        names = ", ".join(group_id for group_id, held in holders.items() if held)
        return beyond <= 0 or could <= 0, f"{units:+d} {symbol} are booked for nobody, who had {before}: of {names}"

    def _lost_by_a_group(self, row: PositionEventRecord) -> Problem:
        sign = 1 if row.quantity > 0 else -1
        then, now = self._nobodys(row.ts_ns)[row.symbol], self._nobodys()[row.symbol]
        spare = min(-sign * then, -sign * now) - self._untold(row.symbol, comes=sign > 0)
        return spare <= 0, f"{row.event_id}: {row.quantity:+d} {row.symbol} of a group, while nobody has {now}"

    def _nobodys(self, until_ns: int | None = None) -> Counter[str]:
        """What no group's leg has, by the journals; of changes until then."""
        found: Counter[str] = Counter()
        for row in self._all():
            if not row.leg_id and (until_ns is None or row.ts_ns <= until_ns):
                found[row.symbol] += row.quantity
        return found

    def _untold(self, symbol: str, *, comes: bool) -> int:
        """What the exchange has moved, and no journal has yet."""
        told = sum(abs(row.quantity) for row in self._all() if row.symbol == symbol and (row.quantity > 0) == comes)
        return max(0, self._moved[symbol, comes] - told)

    def _least(self, group_id: str, tag: str, symbol: str, sign: int, since_ns: int) -> int:
        """The fewest units of this sign that a group has had ever since."""
        steps = [(ts_ns, units) for ts_ns, name, units in self._fills[tag] if name == symbol]
        steps += [
            (row.ts_ns, row.quantity)
            for row in self._all()
            if row.group_id == group_id and row.leg_id and row.symbol == symbol
        ]
        held = least = sign * sum(units for _, units in steps)
        for _, units in sorted((one for one in steps if one[0] >= since_ns), reverse=True):
            held -= sign * units
            least = min(least, held)
        return max(0, least)

    def _all(self) -> Iterator[PositionEventRecord]:
        return (row for rows in self._rows.values() for row in rows.values())
