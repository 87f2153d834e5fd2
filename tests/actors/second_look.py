"""The reconciler on a small world: it reads the cell's journal and the exchange, and its findings go to the cell."""

from __future__ import annotations

from msgspec.structs import replace
from world import CHAIN, DEEP_POCKETS, LONG, SHORT, SPOT, UNDERLYING, World, bull_put

from config.schema import Config, ReconciliationConfig
from decisions.positions.books import Books
from decisions.positions.library import Library
from decisions.positions.reconciler import Look, Reconciler
from domain.groups import Plan
from domain.instruments import Instrument
from domain.quotes import Quote
from messages.orders import Snapshot
from messages.positions import BrokerView
from messages.records import PositionEventRecord
from storage.tables import POSITION_EVENTS
from venue.rules import Rules

STOCK = Instrument(
    symbol=UNDERLYING,
    underlying=UNDERLYING,
    right=None,
    strike=0,
    expiry="",
    multiplier=1,
    lot_size=1,
    tick_size=100,
    freeze_qty=100_000,
)


def world_with_shares(**options: object) -> World:
    """A world whose options can turn into shares."""
    world = World(chain=[*CHAIN, STOCK], rules=Rules(cash=DEEP_POCKETS), **options)  # type: ignore[arg-type]
    world.quote(UNDERLYING, SPOT[0], SPOT[2])
    return world


def hedged_world(plan: Plan | None = None) -> World:
    """A world in which a bull put of ten has been entered."""
    world = world_with_shares()
    world.submit(plan or bull_put())
    assert (world.position(LONG), world.position(SHORT)) == (10, -10)
    return world


class SecondLook:
    """An independent pair of eyes on a world.  It may die at any time: ``again`` is its successor."""

    def __init__(self, world: World, **config: object) -> None:
        self.world = world
        self.config = Config(reconciliation=ReconciliationConfig(**config))  # type: ignore[arg-type]
        self.reconciler = Reconciler(self.config)
        self.silent_about_activities = False  # a broker that tells positions, and nothing of what moved them

    def again(self) -> None:
        """It dies, and comes back knowing nothing."""
        self.reconciler = Reconciler(self.config)

    def library(self) -> Library:
        books = Books()
        for turn in self.world.journal.turns():
            for record in turn.records():
                books.follow(record)
        return Library([books])

    def snapshot(self) -> Snapshot:
        told = self.world.snapshot_message()
        return replace(told, activities=()) if self.silent_about_activities else told

    def look(self, snapshot: Snapshot | None = None, *, lag_ms: int = 0) -> Look:
        """One snapshot, compared; the findings are taken by the cell."""
        quotes = (Quote(UNDERLYING, self.world.now_ns, *SPOT),)
        view = BrokerView(snapshot or self.snapshot(), quotes, lag_ms * 10**6)
        found = self.reconciler.look(view, self.library())
        assert found is not None, "a snapshot that is not newer than the last"
        self.world.take(found.findings)
        return found

    def looks(self, times: int = 3, *, every_ms: int = 2_000) -> Look:
        """As the poll does it: long enough for a difference to persist."""
        for _ in range(times):
            self.world.advance(every_ms)
            found = self.look()
        return found

    def events(self) -> list[PositionEventRecord]:
        """The changes without orders that the journal holds."""
        found: list[PositionEventRecord] = self.world.journal.rows(POSITION_EVENTS)
        return sorted(found, key=lambda event: event.event_id)
