"""What the record says of the list of contracts: how a contract was listed when it was traded, and who was told when.

A contract is noted before its first order and whenever it is listed otherwise; so the record alone tells by which lot,
tick and freeze quantity an order was to be judged when it came, and what the list had said to the session that sent it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from domain.instruments import Instrument
from domain.money import from_float, to_float
from venue.reporting import Reporter
from venue.truth import TruthEvent


class Terms(NamedTuple):
    """What may change while a contract is listed: units, a price in ten-thousandths, units (0: none may be sent)."""

    lot_size: int
    tick_size: int
    largest_qty: int


class ListRecord:
    """Notes how ``listed`` is, contract by contract, in the record that ``reporter`` keeps."""

    def __init__(self, listed: Mapping[str, Instrument], reporter: Reporter) -> None:
        self._listed, self._reporter = listed, reporter
        self._noted: dict[str, Terms] = {}

    def note(self, symbol: str, now_ns: int) -> None:
        """Record how the contract is listed, unless that stands there already."""
        instrument = self._listed.get(symbol)
        if instrument is None:
            return
        terms = Terms(instrument.lot_size, instrument.tick_size, instrument.max_order_qty)
        if self._noted.get(symbol) != terms:
            self._noted[symbol] = terms
            self._reporter.note(
                now_ns,
                TruthEvent(
                    kind="listing", ts_ns=now_ns, symbol=symbol, lot_size=terms.lot_size,
                    tick_size=to_float(terms.tick_size), largest_qty=terms.largest_qty,
                ),
            )  # fmt: skip

    def tell(self, session: int, now_ns: int) -> tuple[Instrument, ...]:
        """The whole list, for the connection of this number; what changed while nobody looked is noted first."""
        for symbol in self._noted:
            self.note(symbol, now_ns)
        self._reporter.note(now_ns, TruthEvent(kind="list_told", ts_ns=now_ns, session=session))
        return tuple(self._listed.values())

    def go_on(self, event: TruthEvent) -> None:
        """An earlier process of this exchange has noted this."""
        tick_size = from_float(event.tick_size or 0)
        self._noted[event.symbol] = Terms(event.lot_size or 0, tick_size, event.largest_qty or 0)
