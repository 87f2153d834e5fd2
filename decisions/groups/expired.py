"""Contracts that have expired and are held all the same: nothing is traded, and the broker's word is waited for (S4).

No order in them can leave (E17; decisions/orders/working.py: place), and none is needed: what became of them comes as
news that the position moved.  When that does not come, a person asks the broker.
"""

from __future__ import annotations

from decisions.effects import MS, Effects, Moment
from decisions.groups.group_levels import Tally
from domain.calendar import death_ns, settled_ns
from domain.groups import Group
from messages.records import Severity


def watch(group: Group, held: Tally, moment: Moment, effects: Effects) -> None:
    """Look again when a held contract expires, and tell a person when its news is late."""
    for leg in group.legs:
        units, expiry = held.held(leg.leg_id), leg.instrument.expiry
        if not units or not expiry:
            continue
        if not moment.expired(leg.instrument):
            effects.wake(death_ns(moment.calendar, expiry))
            continue
        patience_ms = moment.config.alerts.expiry_news_ms
        due = settled_ns(moment.calendar, expiry) + patience_ms * MS
        if moment.at_ns < due:
            effects.wake(due)
            continue
        effects.alert(
            moment,
            Severity.CRITICAL,
            "EXPIRY_UNTOLD",
            f"{leg.side.sign * units:+d} {leg.instrument.symbol} expired on {expiry}, and {patience_ms / 1_000:g} s "
            "after it should have been settled nobody has said what became of it: look at the account, and ask the "
            "broker if it is still there; nothing of it is traded meanwhile",
            group_id=group.group_id,
            symbol=leg.instrument.symbol,
            quantity=units,
            subject=leg.leg_id,
        )
