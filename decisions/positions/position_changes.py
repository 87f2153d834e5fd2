"""Why a position changed without an order of ours, and whose it was (R21, S4).

The broker's activities explain what they can; they have ids, and are taken at once.  The rest is explained by evidence,
and only after it has been seen to persist; what no evidence explains is ``unexplained``, never guessed.

Whose the units were says ``owners.py``.  The sum of what groups hold and what is foreign is always what the broker
holds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from decisions.positions.books import BY_HAND
from decisions.positions.library import Library
from decisions.positions.owners import Owners
from decisions.positions.positions import Comparison, SymbolBalance
from domain.calendar import Calendar, death_ns, has_expired
from domain.instruments import Instrument
from domain.money import to_decimal
from domain.quotes import Quote
from domain.settlement import exercised_by_exception, intrinsic, underlying_units
from messages.orders import Activity, ActivityKind
from messages.positions import PositionChange, PositionsMoved
from messages.records import PositionEventRecord, PositionKind

KINDS: dict[ActivityKind, PositionKind] = {
    ActivityKind.EXERCISE: PositionKind.EXERCISE,
    ActivityKind.ASSIGNMENT: PositionKind.ASSIGNMENT,
    ActivityKind.EXPIRY: PositionKind.EXPIRY,
    ActivityKind.LIQUIDATION: PositionKind.LIQUIDATION,
    ActivityKind.MANUAL: PositionKind.MANUAL,
    ActivityKind.CORPORATE: PositionKind.CORPORATE,
}

EXERCISED = frozenset({PositionKind.ASSIGNMENT, PositionKind.EXERCISE})


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """So many units of a symbol moved, and why; ``option``: shares that this option turned into."""

    symbol: str
    quantity: int
    kind: PositionKind
    evidence: str
    activity_id: str = ""
    price: int = 0
    ts_ns: int = 0
    option: str = ""


def explain(
    comparison: Comparison,
    confirmed: Collection[str],
    library: Library,
    quotes: Mapping[str, Quote],
    calendar: Calendar,
) -> list[Cause]:
    """What moved the positions; differences that are neither told by activities nor ``confirmed`` are left alone."""
    causes: list[Cause] = []
    rest: dict[str, int] = {}
    for balance in comparison.symbols:
        told = _told(balance, library, sure=balance.symbol in confirmed)
        causes += told
        left = balance.difference - sum(cause.quantity for cause in told)
        if left and balance.symbol in confirmed:
            rest[balance.symbol] = left
    legs = {symbol: library.leg(symbol) for symbol in rest}
    instruments = {symbol: leg.instrument for symbol, leg in legs.items() if leg is not None}
    return [*causes, *_by_evidence(rest, instruments, comparison, quotes, calendar)]


def _told(balance: SymbolBalance, library: Library, *, sure: bool) -> list[Cause]:
    """What the broker's activities say of the difference; nothing while the journals lack trades of the symbol.

    Activities that explain it exactly are taken at once.  Where they do not, those that lead towards it are taken
    once the difference has persisted.  One that comes after the change was journaled by evidence explains that change
    and moves nothing.
    """
    pending, left = balance.activities, balance.difference
    if balance.unheard:
        return []
    if not left:
        return _late(pending, library)
    if sum(activity.quantity for activity in pending) == left:
        return [_from_activity(activity) for activity in pending]
    causes = []
    for activity in sorted(pending, key=lambda a: a.ts_ns) if sure else ():
        if left * activity.quantity > 0 and abs(activity.quantity) <= abs(left):
            causes.append(_from_activity(activity))
            left -= activity.quantity
    return causes


def _from_activity(activity: Activity) -> Cause:
    return Cause(
        symbol=activity.symbol,
        quantity=activity.quantity,
        kind=KINDS[activity.kind],
        evidence=f"the broker's activity {activity.activity_id}",
        activity_id=activity.activity_id,
        price=activity.price,
        ts_ns=activity.ts_ns,
        option=activity.option,
    )


def _late(pending: Sequence[Activity], library: Library) -> list[Cause]:
    """Activities for what is journaled by evidence already: told afterwards, as brokers do with assignments.

    One activity explains a change of its size, or all that wait explain one of their sum.  The explanation bears the
    time of the change that it is about, so that every change is explained once.
    """
    causes = []
    for ts_ns, quantity in _unexplained(pending[0].symbol, library).items() if pending else ():
        alone = next((activity for activity in pending if activity.quantity == quantity), None)
        matching = [alone] if alone else pending if sum(a.quantity for a in pending) == quantity else []
        for activity in matching:
            cause = _from_activity(activity)
            evidence = f"{cause.evidence}, told afterwards"
            causes.append(msgspec.structs.replace(cause, quantity=0, evidence=evidence, ts_ns=ts_ns))
        pending = [activity for activity in pending if activity not in matching]
    return causes


def _unexplained(symbol: str, library: Library) -> dict[int, int]:
    """Changes of a symbol that were journaled by evidence and that no activity has explained since: time, quantity."""
    found: dict[int, int] = {}
    explained = set()
    for event in library.events_of(symbol):
        if not event.activity_id:
            found[event.ts_ns] = found.get(event.ts_ns, 0) + event.quantity
        elif not event.quantity:
            explained.add(event.ts_ns)
    return {ts_ns: quantity for ts_ns, quantity in found.items() if ts_ns not in explained}


def _by_evidence(
    rest: Mapping[str, int],
    instruments: Mapping[str, Instrument],
    comparison: Comparison,
    quotes: Mapping[str, Quote],
    calendar: Calendar,
) -> list[Cause]:
    """Options first: shares may be what an option turned into."""
    left = dict(rest)
    causes: list[Cause] = []
    for symbol in sorted(rest, key=lambda s: (instruments[s].right is None if s in instruments else True, s)):
        quantity = left.pop(symbol, 0)
        option = instruments.get(symbol)
        if not quantity:
            continue
        if option is None or option.right is None:
            causes.append(_cause(symbol, quantity, PositionKind.UNEXPLAINED, "no activity and no evidence", comparison))
            continue
        kind, evidence, shares = _of_option(option, quantity, left, comparison, quotes, calendar)
        causes.append(_cause(symbol, quantity, kind, evidence, comparison))
        if shares:
            left[option.underlying] -= shares
            cause = _cause(option.underlying, shares, kind, f"{symbol.strip()} turned into them", comparison)
            causes.append(msgspec.structs.replace(cause, option=symbol, price=option.strike))
    return causes


def _cause(symbol: str, quantity: int, kind: PositionKind, evidence: str, comparison: Comparison) -> Cause:
    return Cause(symbol=symbol, quantity=quantity, kind=kind, evidence=evidence, ts_ns=comparison.as_of_ns)


def _of_option(
    option: Instrument,
    quantity: int,
    rest: Mapping[str, int],
    comparison: Comparison,
    quotes: Mapping[str, Quote],
    calendar: Calendar,
) -> tuple[PositionKind, str, int]:
    """Kind, evidence, and how many shares of the underlying's own difference belong to it."""
    before = comparison.balance(option.symbol).journal
    shrank = before * quantity < 0 and abs(quantity) <= abs(before)
    exercised = PositionKind.ASSIGNMENT if before < 0 else PositionKind.EXERCISE
    shares = underlying_units(option, -quantity)
    if shrank and _covers(rest.get(option.underlying, 0), shares):
        return exercised, f"{shares:+d} {option.underlying} came with it", shares
    if shrank and quantity == -before and has_expired(calendar, option.expiry, comparison.as_of_ns):
        spot = spot_of(option, quotes)
        if not spot:
            return PositionKind.EXPIRY, f"expired {option.expiry}; the underlying's price is not known", 0
        if not exercised_by_exception(option, spot):
            return PositionKind.EXPIRY, f"expired {option.expiry} out of the money", 0
        if option.settles_in_cash:
            worth = to_decimal(intrinsic(option, spot))
            return exercised, f"expired {option.expiry} {worth} in the money, settled in cash", 0
        return PositionKind.UNEXPLAINED, f"expired {option.expiry} in the money, but no shares came", 0
    return PositionKind.UNEXPLAINED, "no activity and no evidence", 0


def _covers(difference: int, shares: int) -> bool:
    return shares * difference > 0 and abs(difference) >= abs(shares)


def spot_of(option: Instrument, quotes: Mapping[str, Quote]) -> int:
    """The underlying's mid; 0 while nobody quotes it."""
    quote = quotes.get(option.underlying)
    return quote.mid if quote is not None else 0


# Whose it is


def settled(comparison: Comparison, causes: list[Cause], library: Library, calendar: Calendar) -> list[Cause]:
    """A cause of no units for every expired contract that the broker has none of once ``causes`` are taken.

    A broker settles the net of the account.  What groups hold of such a contract one against the other is over without
    any activity, and neither of them could ever close it.
    """
    found = []
    for one in comparison.symbols:
        leg = library.leg(one.symbol)
        if leg is None or one.broker or one.slack or one.unheard:
            continue
        explained = sum(cause.quantity for cause in causes if cause.symbol == one.symbol)
        if explained == one.difference and has_expired(calendar, leg.instrument.expiry, comparison.as_of_ns):
            expiry = leg.instrument.expiry
            evidence = f"expired {expiry}, set off against what others held of it"
            cause = _cause(one.symbol, 0, PositionKind.EXPIRY, evidence, comparison)
            found.append(msgspec.structs.replace(cause, ts_ns=death_ns(calendar, expiry)))
    return found


def allocate(causes: list[Cause], library: Library, over: Sequence[Cause] = ()) -> list[PositionsMoved]:
    """One letter for each group that is concerned, and one for what is nobody's.

    Of contracts that are ``over`` nobody keeps anything: what causes leave is set off, and adds up to nothing.
    """
    owners = Owners(library, ((cause.symbol, cause.quantity) for cause in causes if not cause.option))
    changes: dict[str, list[PositionChange]] = {}
    first: dict[str, str] = {}  # option symbol -> the group that it was taken from first; "" where it was nobody's
    for cause in sorted(causes, key=lambda cause: cause.option != ""):  # shares after the options that they come from
        if not cause.quantity:
            for event in _explained_by(cause, library):
                _put(changes, owners, event.group_id, event.leg_id, 0, cause)
        elif cause.option:
            owner = first[cause.option] if cause.option in first else _owner_of(cause.option, library)
            _put(changes, owners, owner, "", cause.quantity, cause)
        else:
            for group_id, leg_id, units in owners.hand_out(cause.symbol, cause.quantity, by_hand=cause.kind in BY_HAND):
                first[cause.symbol] = first.get(cause.symbol) or group_id
                _put(changes, owners, group_id, leg_id, units, cause)
    for cause in over:
        rest = {key: owners.held.get(key, 0) for key in owners.holders(cause.symbol)}
        for (group_id, leg_id), units in rest.items():
            if units:
                _put(changes, owners, group_id, leg_id, -units, cause)
        if nobodys := sum(rest.values()):
            _put(changes, owners, "", "", nobodys, cause)
    return [
        PositionsMoved(
            group_id=group_id,
            cell=library.cell_of(group_id),
            after=library.beyond_events(group_id),
            changes=tuple(found),
        )
        for group_id, found in changes.items()
    ]


def _put(
    changes: dict[str, list[PositionChange]], owners: Owners, group_id: str, leg_id: str, quantity: int, cause: Cause
) -> None:
    shared = f" ({quantity:+d} of {cause.quantity:+d})" if cause.quantity and 0 != quantity != cause.quantity else ""
    changes.setdefault(group_id, []).append(
        PositionChange(
            symbol=cause.symbol,
            leg_id=leg_id,
            quantity=quantity,
            kind=cause.kind,
            evidence=cause.evidence + shared,
            activity_id=cause.activity_id,
            price=cause.price,
            ts_ns=cause.ts_ns,
            before=0 if leg_id else owners.note(cause.symbol, quantity),
        )
    )


def _owner_of(option: str, library: Library) -> str:
    """Whose units of this option were the last to be taken: its shares may come a snapshot later."""
    taken = [event for event in library.events_of(option) if event.leg_id or event.kind in EXERCISED]
    return max((event.ts_ns, event.group_id) for event in taken)[1] if taken else ""


def _explained_by(cause: Cause, library: Library) -> list[PositionEventRecord]:
    """The change that an explanation is about; one of its events is enough to carry it."""
    about = [event for event in library.events_of(cause.symbol) if event.ts_ns == cause.ts_ns]
    return [event for event in about if not event.activity_id][:1]
