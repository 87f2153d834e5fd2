"""What the session allows: one answer for the gateway's controls and the cells' gate (E4, E17, R14).

The same controls apply in every phase; this one says which orders a phase lets through at all:

* open: everything;
* pre-open, closed, halted: nothing.  New risk is refused with the next opening; repairs are not sent either, because
  a broker that cannot trade would only be hammered: they wait, their deadlines stand still, and go out at the opening;
* unknown (a day that no table covers): no new risk; repairs are tried, with their attempts and pauses as ever, for a
  missing hedge is worse than a refused order.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from config.schema import Config
from decisions.effects import Effects, Moment
from domain.calendar import Phase, Standing, calendar
from domain.groups import Group
from domain.instruments import Instrument
from messages.market import MarketStatus
from messages.records import Severity

SILENT_PHASES = frozenset({Phase.PRE_OPEN, Phase.CLOSED, Phase.HALTED})  # nothing can trade


class MarketHours:
    """The configured calendar and the exchange's own word; keeps the last answer while it holds."""

    def __init__(self, name: str) -> None:
        self.calendar = calendar(name)
        self.status = MarketStatus(halted=False)
        self._standing: Standing | None = None
        self._since_ns = 0

    def at(self, now_ns: int) -> Standing:
        """Where the market is; a halt by the exchange's word goes before the table's open."""
        known = self._standing
        if known is None or not self._since_ns <= now_ns < known.until_ns:
            known = self._standing = self.calendar.standing(now_ns)
            self._since_ns = now_ns
        if self.status.halted and known.phase is not Phase.CLOSED:
            return Standing(Phase.HALTED, known.until_ns, halt_text(self.status))
        return known


def halt_text(status: MarketStatus) -> str:
    """A halt, as the operator is told."""
    why = status.reason or "no reason given"
    return f"the exchange has halted trading: {why}; orders leave again when it says that trading resumes"


def entry_refusal(standing: Standing) -> str:
    """Why new risk may not leave; "" when it may."""
    return standing.text


def repair_refusal(standing: Standing) -> str:
    """Why a repair has to wait; "" when it may leave."""
    return standing.text if standing.phase in SILENT_PHASES else ""


def restriction(instrument: Instrument, restricted: Iterable[str]) -> str:
    """Why no new risk in this instrument is allowed; "" when it is (E17)."""
    names = {" ".join(name.split()).upper() for name in restricted}
    for name in (instrument.symbol, instrument.underlying):
        if " ".join(name.split()).upper() in names:
            return f"{name} is restricted (controls.restricted): it may be reduced, not opened"
    return ""


def restricted_legs(group: Group, config: Config) -> tuple[str, ...]:
    """What is wrong with a plan because of restrictions, a sentence per leg."""
    found = ((leg.leg_id, restriction(leg.instrument, config.controls.restricted)) for leg in group.legs)
    return tuple(f"{leg_id}: {why}" for leg_id, why in found if why)


class Waiting(msgspec.Struct, frozen=True):
    """Units that somebody needs at once, and that the session does not let through."""

    group_id: str
    leg_id: str
    side: str
    quantity: int
    symbol: str


def tell_waiting(waiting: Waiting, moment: Moment, effects: Effects) -> None:
    """A person should know that a hedge waits for the opening; once per group, leg and phase."""
    effects.alert(
        moment,
        Severity.CRITICAL,
        "HEDGE_WAITS",
        f"{waiting.side} {waiting.quantity} {waiting.symbol} is needed and cannot be sent: {moment.waits}; it is sent "
        "at the opening, or hedge it elsewhere by hand",
        group_id=waiting.group_id,
        symbol=waiting.symbol,
        quantity=waiting.quantity,
        subject=f"{waiting.leg_id}/{moment.phase_ends_ns}",
    )
