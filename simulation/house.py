"""What the exchange does by itself in a run, and those of its faults that count only once they have really happened.

A race, a refusal and a fill of one lot are only made possible; whether it came to them, the exchange's record says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec.structs import replace

from domain.execution import ExecutionReport
from messages.orders import ActivityKind
from simulation.schedule import MS
from simulation.tape import Corners
from venue.protocol import Cancel, ClientMessage, Modify

if TYPE_CHECKING:
    from simulation.world import World
    from venue.truth import TruthEvent

ONE_LOT: Final = "F.broker.one_lot"
ALL: Final = 0  # lots


class Race(NamedTuple):
    """A request that a fill of its order gets ahead of: by how many lots (0: all), and what the house says then.

    ``row`` is that of :data:`OF_FAULTS` for the lots.
    """

    name: str
    row: str
    answers: frozenset[str]


RACES: Final[dict[type[ClientMessage], tuple[Race, ...]]] = {
    Cancel: (
        Race("F.broker.cancel_race", "lots that fill before a cancel is refused", frozenset({"cancel_rejected"})),
        Race("F.broker.change_race", "lots that fill before a cancel", frozenset({"canceled"})),
    ),
    Modify: (
        Race("F.broker.change_race", "lots that fill before a change", frozenset({"cancel_rejected", "replaced"})),
    ),
}
OF_FAULTS: Final[Corners] = {
    "lots that fill before a cancel is refused": (ALL,),
    "lots that fill before a cancel": (1, 2),
    "lots that fill before a change": (ALL, 1),
}


class Strictness(NamedTuple):
    """What the house is stricter with, and how a refusal for that reads."""

    rules: dict[str, Any]
    says: str


STRICT: Final = {
    "F.broker.margin": Strictness({"margin_check": True}, "insufficient margin"),  # and of the cash nothing counts
    "F.broker.band": Strictness({"price_band_pct": 0.5}, "outside the band"),
}


class House:
    """The exchange's own part in a run.  ``on_truth`` is told of every event while faults strike."""

    def __init__(self, world: World) -> None:
        self.world, self.tape, self.faults = world, world.tape, world.faults
        self._raced: dict[str, Race] = {}  # request -> the race that its order won
        self._strict: dict[str, int] = {}  # fault -> until when, by the machine

    # --- what it does ---

    def bust_first(self, symbol: str, tries: int = 40) -> None:
        """The exchange takes back the first trade of this symbol, as soon as there is one."""
        trades = (event.exec_id for event in self.world.truth if event.kind == "fill" and event.symbol == symbol)
        exec_id = next(trades, "")
        if exec_id:
            self._change_trade(exec_id, 0)
        elif tries:
            self._later(100 * MS, self.bust_first, symbol, tries - 1)

    def intervene(self, kind: ActivityKind, symbol: str, quantity: int) -> bool:
        """A position changes by other hands; whether the house could do it."""
        return self._amend(lambda now_ns: self.world.exchange.intervene(kind, symbol, quantity, 0, now_ns))

    def assign(self, symbol: str, quantity: int) -> bool:
        """What is sold short is assigned."""
        return self._amend(lambda now_ns: self.world.exchange.assign(symbol, quantity, now_ns))

    def be_strict(self, name: str, for_ns: int) -> None:
        """Refuse for so long what :data:`STRICT` says."""
        until_ns = self.world.schedule.now_ns + for_ns
        self._strict[name] = max(until_ns, self._strict.get(name, 0))
        self._tell_rules()
        self._later(for_ns, self._relent)

    def mend(self) -> None:
        """The house is as its rules say."""
        self._strict.clear()
        self._tell_rules()

    def _relent(self) -> None:
        now_ns = self.world.schedule.now_ns
        self._strict = {name: until_ns for name, until_ns in self._strict.items() if until_ns > now_ns}
        self._tell_rules()

    def _tell_rules(self) -> None:
        rules = self.world.scenario.rules
        changes: dict[str, Any] = {"withheld": rules.cash} if "F.broker.margin" in self._strict else {}
        for name in self._strict:
            changes |= STRICT[name].rules
        self.world.exchange.be_strict(replace(rules, **changes))

    # --- what it meets ---

    def on_leaving(self, message: ClientMessage) -> None:
        """A client sends something, which is some time on its way."""
        for race in RACES.get(type(message), ()):
            if isinstance(message, Cancel | Modify) and self.faults.comes(race.name):
                self._later(0, self._overtake, race, message.client_order_id, message.request_id)

    def _overtake(self, race: Race, order_id: str, request_id: str) -> None:
        lots = self.tape.corner(race.row, OF_FAULTS)
        if self._amend(lambda now_ns: self.world.exchange.meet(order_id, lots, now_ns)):
            self._raced[request_id] = race

    def on_truth(self, event: TruthEvent) -> None:
        """Something happened at the exchange."""
        if event.kind == "fill":
            self._on_fill(event)
        elif event.kind == "canceled" and self.faults.strikes("F.broker.late_fill"):
            later_ns = self.tape.between("a trade is told after, ms", 1, 4_000) * MS
            self._later(later_ns, self._trade_late, event.client_order_id)
        race = self._raced.get(event.request_id)
        if race is not None and event.kind in race.answers:
            del self._raced[event.request_id]
            self.faults.note(race.name)
        if event.reason and event.kind in ("rejected", "cancel_rejected"):
            for name in self._strict:
                if STRICT[name].says in event.reason:
                    self.faults.note(name)

    def _on_fill(self, event: TruthEvent) -> None:
        quantity = event.last_qty or 0
        lot = self.world.exchange.instruments[event.symbol].lot_size
        if event.symbol in self.world.market.by_lots and quantity == lot and event.leaves_qty:
            self.faults.note(ONE_LOT)
        for name, becomes in (("bust", 0), ("correct", quantity // 2), ("renumber", quantity)):
            if self.faults.strikes(f"F.broker.{name}"):
                later_ns = self.tape.between("and is changed after, ms", 1, 4_000) * MS
                self._later(later_ns, self._change_trade, event.exec_id, becomes)

    # --- helpers ---

    def _later(self, delay_ns: int, act: Callable[..., object], *args: object) -> None:
        self.world.schedule.at(self.world.schedule.now_ns + delay_ns, act, *args)

    def _change_trade(self, exec_id: str, quantity: int) -> None:
        """A trade is corrected to this quantity; to 0: it is busted."""
        if quantity:
            self._amend(lambda now_ns: self.world.exchange.correct(exec_id, quantity, 20_500, now_ns))
        else:
            self._amend(lambda now_ns: self.world.exchange.bust(exec_id, now_ns))

    def _trade_late(self, order_id: str) -> None:
        self._amend(lambda now_ns: self.world.exchange.trade_late(order_id, 1, now_ns))

    def _amend(self, act: Callable[[int], list[ExecutionReport]]) -> bool:
        try:
            reports = act(self.world.server.now_ns)
        except (KeyError, ValueError):
            return False  # the exchange does not allow it any more
        self.world.server.publish(reports)
        return True
