"""The embedded exchange on the live quotes of another broker: paper trading against the real market.

Whoever started the exchange writes instruments, time and quotes into its standard input as a stream of MessagePack
arrays, and reads from its standard output, a JSON object a line, which symbols are wanted.  Nobody else can reach
either, and an exchange that was not started so reads nothing.  Its time is the other broker's, so it stands still when
nothing comes; after a while of that, and whenever it is told so, it closes: connections end with the reason and none is
let in, because a paper fill at a price of the past would prove nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable

import msgspec
import structlog

from domain.instruments import Instrument
from domain.quotes import Quote
from venue.connection import Connection
from venue.exchange import Exchange
from venue.hosting import run
from venue.nasty import Mischief
from venue.protocol import MAX_ANSWER_BYTES, Frames, Promises, ProtocolError
from venue.server import Server

STDIN = 0
READ_BYTES = 1 << 16
TELL_S = 0.1  # how often it is looked whether other symbols are wanted

log = structlog.get_logger("venue")


class Listed(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """What can be traded; the first word, and the only one of its kind: other instruments need another exchange."""

    instruments: tuple[Instrument, ...]


class Quoted(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The other broker's clock, and what is newly quoted there."""

    ts_ns: int
    quotes: tuple[Quote, ...]


class Closed(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The other broker is not there; open again with the next :class:`Quoted`."""

    reason: str


Supply = Listed | Quoted | Closed


class Said(msgspec.Struct, frozen=True):
    """A line of standard output: the port, once, or the symbols whose quotes are wanted from now on."""

    listening: int | None = None
    wanted: tuple[str, ...] | None = None


def encode(message: Supply) -> bytes:
    """One word for the standard input."""
    return msgspec.msgpack.encode(message)


def supplies() -> Frames[Supply]:
    """A reader of the standard input."""
    return Frames(msgspec.msgpack.Decoder(Supply), MAX_ANSWER_BYTES)


def first_listing(frames: Frames[Supply]) -> tuple[tuple[Instrument, ...], list[Supply]]:
    """Wait for the instruments; what came with them, too.  Raises ``ValueError`` when something else comes."""
    while data := os.read(STDIN, READ_BYTES):
        heard = list(frames.feed(data))
        if heard:
            first, *rest = heard
            if not isinstance(first, Listed):
                break
            return first.instruments, rest
    raise ValueError("the first word on standard input must be the list of instruments")


class LiveClock:
    """The other broker's time, as far as it is known."""

    speed = 1.0

    def __init__(self, start_ns: int) -> None:
        self.start_ns = self.now_ns = start_ns

    def at(self, monotonic_s: float) -> int:
        """Exchange time; the machine's clock does not move it."""
        del monotonic_s
        return self.now_ns


class LiveFeed:
    """Quotes as they come, and the withdrawal of those that are older than ``max_age_ns``."""

    def __init__(self, max_age_ns: int) -> None:
        self.warm: list[Quote] = []
        self._max_age_ns = max_age_ns
        self._new: deque[Quote] = deque()
        self._shown: OrderedDict[str, int] = OrderedDict()  # symbol -> time of its quote, oldest arrival first

    def put(self, quotes: Iterable[Quote]) -> None:
        """These are new."""
        self._new.extend(quotes)

    def due(self, now_ns: int) -> bool:
        """Whether :meth:`take` would give anything."""
        return bool(self._new) or self._oldest(now_ns) is not None

    def take(self, now_ns: int, limit: int) -> list[Quote]:
        """At most ``limit`` quotes; one that has become too old is followed by an empty one."""
        taken: list[Quote] = []
        while self._new and len(taken) < limit:
            quote = self._new.popleft()
            if now_ns - quote.ts_ns > self._max_age_ns:
                continue
            self._shown[quote.symbol] = quote.ts_ns
            self._shown.move_to_end(quote.symbol)
            taken.append(quote)
        while len(taken) < limit and (symbol := self._oldest(now_ns)) is not None:
            del self._shown[symbol]
            taken.append(Quote(symbol, now_ns, 0, 0, 0, 0))
        return taken

    def _oldest(self, now_ns: int) -> str | None:
        symbol = next(iter(self._shown), None)
        return symbol if symbol is not None and now_ns - self._shown[symbol] > self._max_age_ns else None


class LiveServer(Server):
    """A server whose market is elsewhere.  ``say`` writes a line to whoever supplies it."""

    def __init__(
        self,
        exchange: Exchange,
        promises: Promises,
        mischief: Mischief,
        *,
        start_ns: int,
        max_age_ns: int,
        timeout_s: float,
        say: Callable[[str], None],
    ) -> None:
        self._supply, self._time = LiveFeed(max_age_ns), LiveClock(start_ns)
        super().__init__(exchange, promises, self._supply, self._time, mischief)
        self._listed, self._timeout_s, self._tell = exchange.instruments.keys(), timeout_s, say
        self._held = exchange.positions
        self._wanted: frozenset[str] = frozenset()
        self._underlying = {symbol: each.underlying for symbol, each in exchange.instruments.items()}
        self._shut = "nothing has been heard of the live broker yet"
        self._heard_s = self._told_s = 0.0

    def hear(self, message: Supply) -> None:
        """A word of the supplier."""
        match message:
            case Quoted():
                self._heard_s = time.monotonic()
                self._time.now_ns = max(self._time.now_ns, message.ts_ns)
                self._supply.put(quote for quote in message.quotes if quote.symbol in self._listed)
                if self._shut:
                    log.info("open", was=self._shut)
                    self._shut = ""
            case Closed():
                self.close(message.reason)
            case Listed():
                raise ProtocolError("a second list of instruments: start another exchange")

    def close(self, reason: str) -> None:
        """End every session and let nobody in, until quotes come again."""
        self._shut = reason
        log.warning("closed", reason=reason)
        self.say_goodbye(f"the paper exchange is closed: {reason}")

    def logged_in(self, connection: Connection) -> None:
        if self._shut:
            raise ProtocolError(f"the paper exchange is closed: {self._shut}")
        super().logged_in(connection)

    def turn(self) -> None:
        now_s = time.monotonic()
        if not self._shut and now_s - self._heard_s > self._timeout_s:
            self.close(f"no live quotes for {now_s - self._heard_s:.1f} s")
        if now_s - self._told_s > TELL_S:
            self._told_s = now_s
            self._tell_wanted()
        super().turn()

    def _tell_wanted(self) -> None:
        """What clients watch, and what the account holds: its margin and its settlement need a price."""
        if not self._connections:
            return
        watched = frozenset().union(*(connection.symbols for connection in self._connections))
        held = {position.symbol for position in self._held()}
        wanted = watched | held | {self._underlying[symbol] for symbol in watched | held if symbol in self._underlying}
        if wanted != self._wanted:
            self._wanted = wanted
            self._tell(json.dumps({"wanted": sorted(wanted & self._listed)}))


async def run_on_supply(
    server: LiveServer, frames: Frames[Supply], host: str, port: int, ready: Callable[[int], None]
) -> int:
    """Serve as :func:`venue.hosting.run` does, with the market from standard input; its end ends the exchange too."""

    def listen() -> None:
        data = os.read(STDIN, READ_BYTES)
        if not data:
            asyncio.get_running_loop().remove_reader(STDIN)
            log.warning("the supplier is gone")
            os.kill(os.getpid(), signal.SIGTERM)
        for message in frames.feed(data):
            server.hear(message)

    asyncio.get_running_loop().add_reader(STDIN, listen)
    return await run(server, host, port, ready)


def say(line: str) -> None:
    """A line to the supplier."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
