"""A short look at the broker: its instruments, the quotes of a plan's legs, and its clock.  Sends no order."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from datetime import UTC, date, datetime

import msgspec

from brokers.port import BrokerAdapter, BrokerEvent, Heartbeat, LinkDown, LinkUp
from brokers.registry import make_adapter
from cli.problems import CommandFailed
from config.schema import BrokerConfig
from domain.groups import Plan, PlanLeg
from domain.instruments import Instrument
from domain.quotes import Quote
from domain.symbols import AmbiguousSymbol, resolve
from messages.market import Funds
from messages.orders import InstrumentList

PUMP_S = 0.05  # the port asks to be pumped at least this often


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """What the broker said; ``ts_ns`` is the latest reading of its clock."""

    instruments: dict[str, Instrument]
    quotes: dict[str, Quote]
    ts_ns: int
    funds: Funds | None = None

    @property
    def today(self) -> date:
        """The day on the broker's clock, in UTC."""
        return datetime.fromtimestamp(self.ts_ns // 10**9, UTC).date()

    def spot(self, underlying: str) -> int:
        """The underlying's mid; 0 when nobody quotes it."""
        quote = self.quotes.get(underlying)
        return quote.mid if quote else 0


def look(broker: BrokerConfig, plan: Plan) -> Market:
    """Log in at the configured broker, ask, and hang up.

    Quotes and funds that do not come in time are left out.  Raises ``CommandFailed`` when the broker is not there or
    is silent.
    """
    return _look(broker, lambda instruments: _symbols(plan, instruments))


def survey(broker: BrokerConfig) -> Market:
    """Like :func:`look`, at every instrument that the broker has."""
    return _look(broker, frozenset)


def _look(broker: BrokerConfig, wanted: Callable[[dict[str, Instrument]], frozenset[str]]) -> Market:
    adapter = make_adapter(broker)
    try:
        return _Look(adapter, f"{broker.host}:{broker.port}", broker.answer_timeout_ms / 1_000).market(wanted)
    finally:
        adapter.close()


def _symbols(plan: Plan, instruments: dict[str, Instrument]) -> frozenset[str]:
    """The legs that the broker knows, and their underlyings."""
    legs = [instruments[symbol] for symbol in (_listed_as(leg, instruments) for leg in plan.legs) if symbol]
    names = {leg.symbol for leg in legs} | {leg.underlying for leg in legs}
    return frozenset(names & instruments.keys())


def _listed_as(leg: PlanLeg, instruments: dict[str, Instrument]) -> str:
    """The broker's symbol of a leg; "" when it knows none, or more than one: validation says so."""
    try:
        symbol = resolve(leg.symbol, instruments)
    except AmbiguousSymbol:
        return ""
    return symbol if symbol in instruments else ""


class _Look:
    """One session, and what came of it so far."""

    def __init__(self, adapter: BrokerAdapter, where: str, patience_s: float) -> None:
        self._adapter = adapter
        self._where = where
        self._patience_s = patience_s
        self._up = False
        self._ts_ns = 0
        self._instruments: dict[str, Instrument] = {}
        self._quotes: dict[str, Quote] = {}
        self._funds: Funds | None = None

    def market(self, choose: Callable[[dict[str, Instrument]], frozenset[str]]) -> Market:
        self._adapter.connect()
        self._need(lambda: self._up, "log us in")
        self._adapter.request_instruments()
        self._need(lambda: bool(self._instruments), "list its instruments")
        wanted = choose(self._instruments)
        self._adapter.subscribe(wanted)
        self._adapter.request_account()
        self._until(lambda: wanted <= self._quotes.keys() and self._funds is not None)
        return Market(instruments=self._instruments, quotes=self._quotes, ts_ns=self._ts_ns, funds=self._funds)

    def _need(self, reached: Callable[[], bool], what: str) -> None:
        if not self._until(reached):
            raise CommandFailed(f"the broker at {self._where} did not {what} within {self._patience_s:g} s; try again")

    def _until(self, reached: Callable[[], bool]) -> bool:
        """Pump until it is so; ``False`` when that takes too long."""
        deadline = time.monotonic() + self._patience_s
        while True:
            for event in self._adapter.pump():
                self._take(event)
            if reached():
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            descriptor = self._adapter.fileno()
            select.select([descriptor] if descriptor >= 0 else [], [], [], min(left, PUMP_S))

    def _take(self, event: BrokerEvent) -> None:
        match event:
            case LinkUp():
                self._up = True
                self._ts_ns = max(self._ts_ns, event.ts_ns)
            case LinkDown():
                raise CommandFailed(
                    f"no broker at {self._where}: {event.reason}; start one with 'python run_system.py venue', or set "
                    "broker.host and broker.port"
                )
            case Heartbeat():
                self._ts_ns = max(self._ts_ns, event.ts_ns)
            case InstrumentList():
                self._instruments = {instrument.symbol: instrument for instrument in event.instruments}
            case Funds():
                self._funds = event
            case Quote():
                self._quotes[event.symbol] = event
                self._ts_ns = max(self._ts_ns, event.ts_ns)
            case _:
                pass  # reports of orders that others have sent: not asked for here
