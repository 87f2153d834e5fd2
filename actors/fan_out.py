"""The gateway's side of the cells: who is there, what each is owed, and which quotes each wants."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace
from thespian.actors import ActorAddress

from actors.machine import machine
from actors.window import Arrival, InWindow, OutWindow
from domain.calendar import FOREVER_NS
from domain.groups import cell_of
from domain.quotes import Quote
from domain.rollout import FIRST_CELL, Realm, cells_in, realm_of_cell
from messages import wire
from messages.controls import ControlAlert, TradingStateChanged
from messages.market import BrokerSilent, BrokerUp, Funds, MarketStatus, Tick
from messages.orders import InstrumentList, Snapshot
from messages.supervision import EventBatch, EventBatchTaken, Hello, OrderBatch, Watch

QUIET_MS = 2_000  # a cell that owes an acknowledgement for so long may be gone: alerts go to another one
BEHIND = 1_000  # events: a cell that owes so many acknowledgements needs no more ticks; the next one says it all

QUOTES_ONLY = -1  # the number of a listener that is no cell: it is sent quotes, and owns no order

# What a new incarnation is told anew: the old one's copy would only be stale.
LEVELS = (Tick, Snapshot, BrokerUp, BrokerSilent, InstrumentList, Funds, MarketStatus, TradingStateChanged)


class CellLink:
    """What the gateway knows of one cell."""

    def __init__(self, address: ActorAddress, epoch: int, window: OutWindow[wire.Event], heard_ms: int) -> None:
        self.address, self.epoch, self.window = address, epoch, window
        self.heard_ms = heard_ms  # when it greeted, or acknowledged something, last
        self.symbols: frozenset[str] = frozenset()
        self.fresh: dict[str, Quote] = {}  # newest quote per symbol since the last tick
        self.unquoted: frozenset[str] = frozenset()  # what it came to want since its Hello, and had no quote of yet
        self.arrivals = InWindow()  # of its order batches
        self.freezes_ns = FOREVER_NS  # when an alert that waits there for a person freezes new risk


class FanOut:
    """All cells.  ``send`` posts to an actor; ``now_ms`` is the machine's monotonic clock."""

    def __init__(self, send: Callable[[ActorAddress, object], None], now_ms: Callable[[], int]) -> None:
        self._send, self._now_ms = send, now_ms
        self.realm = Realm.LIVE  # whose cells these are
        self._cells: dict[int, CellLink] = {}
        self._quotes: dict[str, Quote] = {}
        self._unannounced: list[ControlAlert] = []  # alerts that no cell was there to take
        self.keeps: Callable[[ControlAlert], None] = lambda _alert: None  # told of each alert that a cell has journaled
        self.watched: frozenset[str] = frozenset()  # what the reconciler wants quotes of besides

    def knows(self, hello: Hello, sender: ActorAddress) -> bool:
        """Whether this very incarnation greets again; what it is owed is sent again at once."""
        known = self._cells.get(hello.cell)
        if known is None or known.address != sender or known.epoch != hello.epoch:
            return False
        self._want(known, hello.symbols)
        known.heard_ms = self._now_ms()
        known.window.resend(known.heard_ms, older_than_ms=0)
        return True

    def hello(self, hello: Hello, sender: ActorAddress) -> CellLink | None:
        """A cell's new incarnation; ``None`` for a zombie of an older epoch (I17).  What it was owed is kept."""
        known = self._cells.get(hello.cell)
        if known is not None and hello.epoch < known.epoch:
            return None

        def transmit(number: int, oldest: int, events: tuple[wire.Event, ...]) -> None:
            self._send(sender, EventBatch(machine().pid(), number, oldest, wire.pack(events)))

        cell = self._cells[hello.cell] = CellLink(sender, hello.epoch, OutWindow(transmit), self._now_ms())
        if known is not None:
            known.window.drop(lambda event: not isinstance(event, LEVELS))
            known.window.retarget(transmit)
            cell.window = known.window
            cell.freezes_ns = known.freezes_ns  # its last word stands until it says another
        self._want(cell, hello.symbols)
        cell.window.put(*self._unannounced)
        self._unannounced.clear()
        return cell

    def unheard(self, count: int) -> list[int]:
        """Those of the realm's ``count`` cells that have not said Hello to this gateway."""
        return [cell for cell in cells_in(self.realm, count) if cell not in self._cells]

    def watch(self, watch: Watch) -> None:
        """A cell wants quotes of exactly these symbols."""
        cell = self._cells.get(watch.cell)
        if cell is not None:
            new = watch.symbols - cell.symbols
            self._want(cell, watch.symbols)
            cell.unquoted |= new

    def _want(self, cell: CellLink, symbols: frozenset[str]) -> None:
        new = symbols - cell.symbols
        cell.symbols, cell.unquoted = symbols, cell.unquoted & symbols
        cell.fresh |= {symbol: self._quotes[symbol] for symbol in sorted(new) if symbol in self._quotes}

    def is_current(self, cell: int, epoch: int) -> bool:
        """Whether this epoch of the cell is the one that may send (I18)."""
        known = self._cells.get(cell)
        return known is not None and known.epoch == epoch

    def arrives(self, batch: OrderBatch) -> Arrival:
        """What a batch of a cell that is current is: next, known, or too early."""
        return self._cells[batch.cell].arrivals.arrives(batch.number, batch.oldest)

    def take_freeze(self, cell: int, freezes_ns: int) -> None:
        """A cell that is current says when an alert of its own freezes new risk."""
        self._cells[cell].freezes_ns = freezes_ns

    def frozen_by(self, now_ns: int) -> list[int]:
        """The cells in which a CRITICAL alert has waited too long for a person; of one that has died, as it last said.

        Its time comes although the cell says nothing any more.
        """
        return sorted(index for index, cell in self._cells.items() if now_ns >= cell.freezes_ns)

    def depths(self) -> dict[int, int]:
        """How many events each cell has yet to take."""
        return {index: len(cell.window) for index, cell in self._cells.items()}

    @property
    def symbols(self) -> frozenset[str]:
        """What any cell or the reconciler wants quotes of."""
        return self.watched.union(*(cell.symbols for cell in self._cells.values()))

    @property
    def quotes(self) -> dict[str, Quote]:
        """The newest quote of every symbol that was ever wanted."""
        return self._quotes

    def on_quote(self, quote: Quote) -> None:
        """Keep a quote for the next tick of the cells that want it."""
        self._quotes[quote.symbol] = quote
        for cell in self._cells.values():
            if quote.symbol in cell.symbols:
                cell.fresh[quote.symbol] = quote

    def tick(self, clock_ns: int) -> None:
        """The broker's clock, with the quotes that are new."""
        for cell in self._cells.values():
            if len(cell.window) < BEHIND:
                self.tick_one(cell, clock_ns)

    def tick_one(self, cell: CellLink, clock_ns: int) -> None:
        """The same for one cell."""
        cell.window.put(Tick(clock_ns, tuple(cell.fresh.values())))
        cell.unquoted = cell.unquoted.difference(cell.fresh)
        cell.fresh.clear()

    def tell_first_quotes(self, clock_ns: int) -> None:
        """The first quote of a symbol does not wait for the next tick: a plan waits for it."""
        for cell in self._cells.values():
            if cell.unquoted and not cell.unquoted.isdisjoint(cell.fresh):
                self.tick_one(cell, clock_ns)

    def snapshot(self, snapshot: Snapshot, session: int) -> None:
        """Tell each cell its own orders; what carries no tag of ours goes to the first cell as foreign."""
        for index, cell in self._cells.items():
            cell.window.put(
                replace(
                    snapshot,
                    session=session,
                    orders=tuple(r for r in snapshot.orders if self.home_of(r.client_order_id) == index),
                    executions=tuple(r for r in snapshot.executions if self.home_of(r.client_order_id) == index),
                )
            )

    def tell_all(self, event: wire.Event) -> None:
        """The same to every cell."""
        for cell in self._cells.values():
            cell.window.put(event)

    def announce(self, alert: ControlAlert) -> None:
        """To one cell, which keeps it until a person has seen it; one that owes it already is sent it once."""
        cell = self._listener()
        if cell is None:
            if alert not in self._unannounced:
                self._unannounced.append(alert)
        elif not cell.window.owes(alert):
            cell.window.put(alert)

    def _listener(self) -> CellLink | None:
        """The first cell that acknowledges what it is sent; or, where none does, the one that did last."""
        now = self._now_ms()
        cells = [cell for _, cell in sorted(self._cells.items())]
        prompt = (cell for cell in cells if not len(cell.window) or now - cell.heard_ms < QUIET_MS)
        return next(prompt, max(cells, key=lambda cell: cell.heard_ms, default=None))

    def tell_cell(self, index: int, event: wire.Event) -> None:
        """To one cell, if it is there; what is no cell of this realm's goes to its first one."""
        cell = self._cells.get(index if realm_of_cell(index) is self.realm else FIRST_CELL[self.realm])
        if cell is not None:
            cell.window.put(event)

    def pass_on(self, client_order_id: str, event: wire.Event) -> None:
        """To the cell that owns the order; one that is not there finds it in the snapshot that follows its Hello."""
        cell = self._cells.get(self.home_of(client_order_id))
        if cell is not None:
            cell.window.put(event)

    def taken(self, taken: EventBatchTaken, sender: ActorAddress) -> None:
        """A batch is durable at its cell."""
        for cell in self._cells.values():
            if cell.address == sender and taken.gateway == machine().pid():
                cell.heard_ms = self._now_ms()
                for event in cell.window.taken(taken.number, cell.heard_ms):
                    if isinstance(event, ControlAlert):
                        self.keeps(event)

    def flush(self) -> None:
        """Send what the windows allow."""
        now = self._now_ms()
        for cell in self._cells.values():
            cell.window.flush(now)

    def resend(self) -> None:
        """Send again what has been under way for too long."""
        now = self._now_ms()
        for cell in self._cells.values():
            cell.window.resend(now)

    def home_of(self, client_order_id: str) -> int:
        """The cell that an order belongs to; the first one looks after what is foreign, the other realm's included."""
        cell = cell_of(client_order_id)
        return FIRST_CELL[self.realm] if cell is None or realm_of_cell(cell) is not self.realm else cell
