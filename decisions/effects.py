"""What a decision is made of: the moment it is made in, and what it asks for.

``decide(state, message, moment) -> (state, effects)``.  Nothing in this room does I/O, reads a clock or draws a
random number; the same input always gives the same output.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import msgspec
from msgspec.structs import replace

from config.schema import Config
from domain.calendar import Calendar, calendar, has_expired
from domain.instruments import Instrument
from domain.quotes import Quote
from domain.rollout import Realm, realm_of_cell
from messages.orders import CancelOrder, ForgetOrder, ModifyOrder, SubmitOrder
from messages.records import EscalationRecord, Record, Severity

MS = 1_000_000  # nanoseconds in a millisecond
SELF = "self"  # the recipient of a letter that an actor posts to itself

Request = SubmitOrder | CancelOrder | ModifyOrder  # what the broker is asked
Outgoing = Request | ForgetOrder  # what the gateway is told


class UnknownMessage(Exception):
    """A message that this actor has no rule for: a bug of ours, so the step is rolled back and a person is told."""


def limits(instrument: Instrument) -> tuple[object, ...]:
    """What an exchange may change of a contract from one session to the next."""
    return instrument.lot_size, instrument.tick_size, instrument.freeze_qty, instrument.freeze_inclusive


class Moment(msgspec.Struct, frozen=True, gc=False):
    """What an actor may know of the world while it decides."""

    at_ns: int  # broker time
    cause: str  # id of the input that is being handled
    epoch: int
    cell: int
    may_send: bool  # reconciled and the link is up; without it nothing can leave
    may_open: bool  # new risk is allowed as well
    deduplicates: bool  # whether the broker refuses a repeated client order id
    quotes: Mapping[str, Quote]
    config: Config
    gateway: int = 0  # its incarnation; 0 while there is no session
    shut_by: str = ""  # why new risk is not allowed
    replaces: bool = False  # whether the broker changes orders in place
    rests: bool = False  # whether its market orders may stay as resting limits
    server_stops: bool = True  # whether it watches stop orders itself
    waits: str = ""  # why even repairs have to wait: the session is closed or halted
    phase_ends_ns: int = 0  # broker time until which that is known
    listed: Mapping[str, Instrument] = {}  # the broker's newest list, by symbol

    @property
    def realm(self) -> Realm:
        """Live or paper."""
        return realm_of_cell(self.cell)

    @property
    def calendar(self) -> Calendar:
        """The market's days and clocks; a date is the exchange's, never that of another zone."""
        return calendar(self.config.broker.calendar)

    @property
    def today(self) -> date:
        """The exchange's date."""
        return self.calendar.day(self.at_ns)

    def expired(self, instrument: Instrument) -> bool:
        """Whether nobody can trade this contract any more: the broker will say what became of it."""
        return has_expired(self.calendar, instrument.expiry, self.at_ns)

    def current(self, instrument: Instrument) -> Instrument:
        """The contract with the limits of the broker's newest list: lot, tick and freeze quantity change overnight."""
        now = self.listed.get(instrument.symbol, instrument)
        if now is instrument or limits(now) == limits(instrument) or min(now.lot_size, now.tick_size) <= 0:
            return instrument
        return replace(
            instrument,
            lot_size=now.lot_size,
            tick_size=now.tick_size,
            freeze_qty=now.freeze_qty,
            freeze_inclusive=now.freeze_inclusive,
        )

    def quote(self, symbol: str) -> Quote | None:
        """The last quote of ``symbol`` when it is usable and fresh, else ``None`` (R15)."""
        quote = self.quotes.get(symbol)
        if quote is None or not quote.usable:
            return None
        fresh = self.at_ns - quote.ts_ns <= self.config.orders.quote_max_age_ms * MS
        return quote if fresh else None


class Effects(msgspec.Struct):
    """What a decision asks for, in order.  Nothing of it happens before the turn's commit, except letters.

    ``letters`` go to other actors of the same group within the same turn; ``wake_ns`` is the earliest broker time at
    which this actor wants to look again.
    """

    records: list[Record] = []
    requests: list[Outgoing] = []
    letters: list[tuple[str, msgspec.Struct]] = []
    wake_ns: int | None = None
    safeguards: list[str] = []

    def acted(self, safeguard: str) -> None:
        """Count that a safeguard (S1 to S12) did something that no record tells by itself."""
        self.safeguards.append(safeguard)

    def wake(self, at_ns: int) -> None:
        """Look again at ``at_ns`` at the latest."""
        self.wake_ns = at_ns if self.wake_ns is None else min(self.wake_ns, at_ns)

    def tell(self, recipient: str, letter: msgspec.Struct) -> None:
        """Post ``letter`` to the actor of this name in the group's tree, ``parent`` for the one above, or to itself."""
        self.letters.append((recipient, letter))

    def alert(
        self,
        moment: Moment,
        severity: Severity,
        kind: str,
        text: str,
        *,
        group_id: str = "",
        symbol: str = "",
        quantity: int = 0,
        subject: str = "",
    ) -> None:
        """Raise an alert.  Its id is made of ``kind``, group and ``subject``: raising it again changes nothing new.

        An alert about paper says so first: nobody is to run for money that is none.
        """
        paper = realm_of_cell(moment.cell) is Realm.PAPER
        self.records.append(
            EscalationRecord(
                escalation_id=":".join(part for part in (kind, group_id, subject) if part),
                group_id=group_id,
                severity=severity,
                kind=kind,
                symbol=symbol,
                quantity=quantity,
                text=f"paper: {text}" if paper else text,
                raised_ns=moment.at_ns,
                repeats=0,
                delivered_ns=0,
                acknowledged_ns=0,
                acknowledged_by="",
            )
        )
