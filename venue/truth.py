"""The exchange's own record of what really happened, one JSON object a line, written before anyone is told.

Auditors compare this file with the journal of the system under test, so it carries plain words and plain numbers:
prices are JSON numbers in currency units (1.25), quantities whole units, times nanoseconds of the exchange's clock.

Positions and cash follow from it.  A ``fill``, ``assigned``, ``exercised``, ``liquidated``, ``manual``, ``corporate``
or ``expired`` line with a ``last_qty`` moves so much of ``symbol`` to ``side`` at ``last_px``; ``busted`` takes the
fill named by ``exec_ref_id`` away, whose size it repeats; ``corrected`` gives that fill a new ``last_qty`` and
``last_px``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import msgspec

from venue.lows import Low

Kind = Literal[
    "order_received",
    "accepted",
    "rejected",
    "triggered",
    "fill",
    "cancel_received",
    "cancel_rejected",  # a cancel or a modify was refused (FIX 35=9)
    "canceled",
    "expired",  # an order, or without a client_order_id a position in a worthless contract
    "replaced",
    "busted",
    "corrected",
    "assigned",  # a short option was exercised against the account; the resulting shares are a second line
    "exercised",  # a long option was exercised at expiry; the resulting shares are a second line
    "liquidated",  # the broker closed a position
    "manual",  # somebody traded by other means
    "corporate",  # a split, a merger, a dividend in kind
    "turned_away",  # the front end refused an order, by a report behind an answer that took it: no order came of it
    "listing",  # how a contract is listed from now on: before its first order, and whenever that changes
    "list_told",  # the list was told to the connection ``session``
]


class TruthEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the record; fields that do not apply are absent (``None`` or ``""``)."""

    kind: Kind
    ts_ns: int
    client_order_id: str = ""
    venue_order_id: str = ""
    symbol: str = ""
    side: Literal["", "buy", "sell"] = ""
    qty: int | None = None
    price: float | None = None
    trigger_price: float | None = None
    order_type: str = ""
    exec_id: str = ""
    exec_ref_id: str = ""  # the original fill that a bust or a correction changes
    request_id: str = ""  # the cancel or modify request that this belongs to
    last_qty: int | None = None
    last_px: float | None = None
    cum_qty: int | None = None
    leaves_qty: int | None = None
    reason: str = ""
    session: int = 0  # of a received order or a told list: its connection, counted from 1 in order of login
    bid: float | None = None  # of a received order: what was quoted when it came; absent where nothing was
    ask: float | None = None
    lows: tuple[Low, ...] = ()  # of a received market order: what had been quoted lower than all since
    lot_size: int | None = None  # of a listing, as the two after it
    tick_size: float | None = None
    largest_qty: int | None = None  # the largest order: the freeze quantity in whole lots; 0: none may be sent
    nameless: bool = False  # the client is told no exec ids of this order's trades


class TruthFile:
    """Appends events to ``path``; every event has left this process when :meth:`write` returns.

    That survives a killed process, not a power cut.  A torn line that an earlier, killed writer left is cut off.
    Raises ``OSError`` when the file cannot be opened or written, and ``ValueError`` when it holds something else.
    """

    def __init__(self, path: Path) -> None:
        _refuse_other_file(path)
        _cut_torn_line(path)
        self._file = path.open("ab")
        self._encoder = msgspec.json.Encoder()

    def write(self, event: TruthEvent) -> None:
        """Add one line and hand it to the operating system."""
        self._file.write(self._encoder.encode(event) + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Safe to call twice."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _refuse_other_file(path: Path) -> None:
    """Somebody's own file, named by mistake, must not lose its last line."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        first = file.readline()
    torn = first.startswith(b"{") and not first.endswith(b"\n")
    try:
        if first and not torn:
            msgspec.json.decode(first, type=TruthEvent)
    except msgspec.DecodeError:
        raise ValueError(f"{path} exists and is no record of an exchange; name another file") from None


def _cut_torn_line(path: Path) -> None:
    if path.exists() and (content := path.read_bytes()) and not content.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)


def read_truth(path: Path) -> Iterator[TruthEvent]:
    """The events of a truth file, oldest first.

    A last line without its newline was torn by a crash and is left out, unless it is whole all the same.  Raises
    ``ValueError`` with the line number for any other line that is not an event, ``OSError`` when there is no file.
    """
    decoder = msgspec.json.Decoder(TruthEvent)
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                event = decoder.decode(line)
            except msgspec.DecodeError as error:
                if not line.endswith(b"\n"):
                    return
                raise ValueError(f"{path}, line {number}: not a truth event: {error}") from None
            yield event
