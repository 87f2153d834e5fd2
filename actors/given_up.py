"""The groups of a cell that are given up to a person: their actors are stopped, and their orders are looked after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from actors.turn import Turn
from decisions.effects import Effects
from decisions.orders.bookkeeping import Orders, keep_up, orders_of
from messages.group import RestoreGroup
from messages.orders import News
from messages.records import Severity


class GivenUp:
    """Owned by the Nursery.  What comes for these is parked: trying again could go on for ever (L4)."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self._orders: dict[str, Orders] = {}

    def __contains__(self, group_id: str) -> bool:
        return group_id in self._orders

    def __iter__(self) -> Iterator[str]:
        return iter(self._orders)

    def add(self, rows: RestoreGroup) -> None:
        """Look after the orders of this group from now on."""
        self._orders[rows.record.group_id] = orders_of(rows.intents, rows.execution_states)

    def look_after(self, group_id: str, letters: Sequence[msgspec.Struct]) -> None:
        """Have the journal know what becomes of the group's orders, for a person goes by it, and cancel its entries.

        Nothing of it may raise: the bug that the group died of may be in here.  News that cannot be written down is
        parked all the same, and is no reason to leave an entry at work.
        """
        for news in ([letter for letter in letters if isinstance(letter, News)], []):
            try:
                orders, effects = keep_up(self._orders[group_id], news, self.turn.moment)
            except Exception:  # noqa: S112
                continue
            self._orders[group_id] = orders
            self.turn.collect(group_id, effects)
            return
        effects = Effects()
        effects.alert(
            self.turn.moment,
            Severity.CRITICAL,
            "CANCEL_STUCK",
            f"the entries of group {group_id} cannot be canceled from here any more: cancel them at the broker",
            group_id=group_id,
        )
        self.turn.collect(group_id, effects)
