"""The wire of the embedded exchange: a stream of MessagePack arrays over TCP, one array per message.

The first element of each array is the message's name, the rest are its fields in the order written here.  A client says
:class:`Hello` first and is answered by :class:`Welcome` or by :class:`Goodbye` and the end of the connection.  Requests
carry a ``request`` number that the client chooses and the answer repeats.  Execution reports, quotes and heartbeats are
pushed.  Anything malformed, misplaced or too large ends the connection with a logged reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

import msgpack
import msgspec

from domain.execution import ExecutionReport, OrdType, Side, TimeInForce
from domain.instruments import Instrument
from domain.quotes import Quote
from messages.market import MarketStatus
from messages.orders import Activity, ActivityKind, Position
from venue.nasty import Nasty

PROTOCOL_VERSION = 1
HEARTBEAT_S = 0.1
MAX_REQUEST_BYTES = 1 << 20  # a Subscribe to 40,000 symbols fits
MAX_ANSWER_BYTES = 1 << 26  # a snapshot of 300,000 orders fits


class ProtocolError(Exception):
    """The other side sent something that is not of this protocol; the message says what."""


class Message(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """What every message of this protocol is: a frozen, tagged array."""


# --- said by clients -------------------------------------------------------------------------------------------------


class Hello(Message, frozen=True):
    """Log in.  ``client`` is a name, for the server's log too.

    ``cancel_on_disconnect_ms``: when no session of this name is there for so long, in the exchange's time, the orders
    that were submitted as ``entry`` under it are canceled, and no others (E13); 0: none is.
    """

    version: int
    client: str
    cancel_on_disconnect_ms: int = 0


class Submit(Message, frozen=True):
    """A new order; answered by :class:`Answer`, and then by execution reports."""

    request: int
    client_order_id: str
    symbol: str
    side: Side
    quantity: int
    order_type: OrdType
    time_in_force: TimeInForce
    price: int
    trigger_price: int
    entry: bool = False  # new risk: it goes when the client stays away (Hello.cancel_on_disconnect_ms)


class Cancel(Message, frozen=True):
    """Cancel what is left of an order; ``request_id`` comes back in the reports that it causes."""

    request: int
    client_order_id: str
    request_id: str


class Modify(Message, frozen=True):
    """Replace an order in place."""

    request: int
    client_order_id: str
    request_id: str
    order_type: OrdType
    quantity: int
    price: int
    trigger_price: int


class QuerySnapshot(Message, frozen=True):
    """All orders, executions and positions, as of one moment.

    ``named``: with the exec ids that clients are not told, for who is to name a trade to be busted or corrected.
    """

    request: int
    named: bool = False


class QueryInstruments(Message, frozen=True):
    """The instrument list."""

    request: int


class QueryAccount(Message, frozen=True):
    """The account's funds; answered by :class:`AccountAnswer`."""

    request: int


class QueryTime(Message, frozen=True):
    """The exchange's clock; answered by :class:`ServerTime`."""

    request: int


class Subscribe(Message, frozen=True):
    """Stream quotes of exactly these symbols, beginning with the last quote of each."""

    symbols: tuple[str, ...]


class Ping(Message, frozen=True):
    """Answered by :class:`Pong`."""

    request: int


# --- said by tests and demonstrations; never touched by the mischief --------------------------------------------------


class Bust(Message, frozen=True):
    """Undo a trade."""

    request: int
    exec_id: str


class Correct(Message, frozen=True):
    """Change a trade's quantity and price."""

    request: int
    exec_id: str
    last_qty: int
    last_px: int


class Assign(Message, frozen=True):
    """Change a position without a trade, as an assignment does; ``late``: it is told and takes effect next morning."""

    request: int
    symbol: str
    quantity: int
    late: bool = False


class Intervene(Message, frozen=True):
    """Change a position from outside: a liquidation, a manual trade, a corporate action.

    ``quantity`` is signed; ``price`` 0 is the contract's last price.
    """

    request: int
    kind: ActivityKind
    symbol: str
    quantity: int
    price: int


class Halt(Message, frozen=True):
    """Stop trading, and tell every client why; an empty ``reason`` resumes it."""

    request: int
    reason: str


class Relist(Message, frozen=True):
    """Replace contracts of the list by these, as an exchange does overnight.  Clients learn of it when they ask."""

    request: int
    instruments: tuple[Instrument, ...]


class PinQuote(Message, frozen=True):
    """Make this the quote of its symbol from now on, whatever the quote file says; its time is the server's."""

    request: int
    quote: Quote


class Misbehave(Message, frozen=True):
    """Replace the mischief's settings; its random numbers begin again at ``seed``."""

    request: int
    nasty: Nasty
    seed: int


class CutLinks(Message, frozen=True):
    """Reset every other connection at once, as a failing network does."""

    request: int


# --- said by the server -----------------------------------------------------------------------------------------------


class Promises(msgspec.Struct, frozen=True, kw_only=True):
    """What this server does for its clients, from its rules and its mischief."""

    deduplicates: bool
    max_tag_length: int
    orders_per_second: int  # 0: as many as you like
    market_orders_rest: bool
    snapshot_lag_ms: int


class Welcome(Message, frozen=True):
    """Logged in.  ``session`` counts the logins of this server process; ``ts_ns`` is the exchange's clock."""

    version: int
    ts_ns: int
    session: int
    promises: Promises


class Goodbye(Message, frozen=True):
    """The server hangs up after this, and says why."""

    reason: str


class Answer(Message, frozen=True):
    """Whether a request was taken.  ``venue_order_id`` is that of the first order when a submit is a duplicate.

    ``failed``: this is not the exchange's word but its front end's (HTTP 429, 5xx): whether the request was carried out
    it does not know.
    """

    request: int
    ts_ns: int
    accepted: bool
    venue_order_id: str = ""
    reason: str = ""
    failed: bool = False


class SnapshotAnswer(Message, frozen=True):
    """Answers :class:`QuerySnapshot`."""

    request: int
    as_of_ns: int
    orders: tuple[ExecutionReport, ...]
    executions: tuple[ExecutionReport, ...]
    positions: tuple[Position, ...]
    activities: tuple[Activity, ...] = ()


class InstrumentsAnswer(Message, frozen=True):
    """Answers :class:`QueryInstruments`."""

    request: int
    instruments: tuple[Instrument, ...]


class AccountAnswer(Message, frozen=True):
    """Answers :class:`QueryAccount`: the cash, and what margin ties up of it (amounts)."""

    request: int
    ts_ns: int
    cash: int
    margin: int


class ServerTime(Message, frozen=True):
    """Answers :class:`QueryTime`."""

    request: int
    ts_ns: int


class Pong(Message, frozen=True):
    """Answers :class:`Ping`."""

    request: int
    ts_ns: int


class VenueHeartbeat(Message, frozen=True):
    """The exchange's clock, every :data:`HEARTBEAT_S` seconds of real time."""

    ts_ns: int


Order = Submit | Cancel | Modify
Query = QuerySnapshot | QueryInstruments | QueryAccount | QueryTime | Ping
Admin = Bust | Correct | Assign | Intervene | Halt | Relist | PinQuote | Misbehave | CutLinks
ClientMessage = Hello | Order | Query | Subscribe | Admin
ServerMessage = (
    Welcome
    | Goodbye
    | Answer
    | SnapshotAnswer
    | InstrumentsAnswer
    | AccountAnswer
    | ServerTime
    | Pong
    | VenueHeartbeat
    | MarketStatus
    | ExecutionReport
    | Quote
)

T = TypeVar("T")
_encoder = msgspec.msgpack.Encoder()


def encode(message: ClientMessage | ServerMessage) -> bytes:
    """One message as bytes for the wire."""
    return _encoder.encode(message)


class Frames(Generic[T]):
    """Takes bytes as they come and gives the messages that they complete.

    ``max_bytes`` bounds one message and with it the memory that the other side can make us use.  One reader finds where
    a message ends, another decodes it: only the second knows the types, and it keeps what it knows of them (to ask
    :func:`msgspec.convert` for one of a union takes fifteen times as long as the message).
    """

    def __init__(self, decoder: msgspec.msgpack.Decoder[T], max_bytes: int) -> None:
        self._decoder = decoder
        self._finder = msgpack.Unpacker(raw=False, strict_map_key=True, max_buffer_size=max_bytes)
        self._bytes = bytearray()  # what is not decoded yet
        self._decoded = 0  # how many bytes were before them

    def feed(self, data: bytes) -> Iterator[T]:
        """The messages that are complete now; then, at a fault, raises :class:`ProtocolError`."""
        try:
            self._finder.feed(data)
            self._bytes += data
            for _ in self._finder:
                size = self._finder.tell() - self._decoded
                frame = bytes(self._bytes[:size])
                del self._bytes[:size]
                self._decoded += size
                yield self._decoder.decode(frame)
        except msgpack.exceptions.BufferFull:
            raise ProtocolError("a message is longer than this side accepts") from None
        except msgspec.ValidationError as error:
            raise ProtocolError(f"not a message of this protocol: {error}") from None
        except (ValueError, msgpack.exceptions.UnpackException, msgspec.DecodeError, RecursionError) as error:
            raise ProtocolError(f"not MessagePack: {str(error) or type(error).__name__}") from None


_of_clients = msgspec.msgpack.Decoder(ClientMessage)
_of_the_server = msgspec.msgpack.Decoder(ServerMessage)


def client_frames() -> Frames[ClientMessage]:
    """A reader of what clients say."""
    return Frames(_of_clients, MAX_REQUEST_BYTES)


def server_frames() -> Frames[ServerMessage]:
    """A reader of what the server says."""
    return Frames(_of_the_server, MAX_ANSWER_BYTES)
