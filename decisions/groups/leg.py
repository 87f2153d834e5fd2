"""One leg of a group: its entry and its close, each a parent order."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from decisions.effects import Effects, Moment, UnknownMessage
from decisions.orders.chasing import chase_terms
from decisions.orders.news import by_parent, hear
from decisions.orders.prices import Pricing
from decisions.orders.working import Parent, is_short, last_refusal, restore, work
from domain.groups import Leg, Role, parent_tag
from messages.group import Bulletin, LegProgressed, Review, StartLeg, WorkLeg
from messages.orders import News
from messages.records import LegRecord


class LegState(msgspec.Struct, frozen=True):
    """What a Leg actor holds."""

    leg: Leg
    entry: Parent
    close: Parent
    recorded: tuple[int, int] = (0, 0)
    reported: LegProgressed | None = None


def start(message: StartLeg, moment: Moment) -> tuple[LegState, Effects]:
    """The state of a new or a restored leg, and its first report.  Levels are 0 until the group says otherwise."""
    leg, orders = message.leg, moment.config.orders
    states = {state.client_order_id: state for state in message.execution_states}

    def parent(kind: str, role: Role, *, limit_price: int, **chasing: Any) -> Parent:
        return Parent(
            parent_id=parent_tag(moment.cell, message.group_id, kind, leg.index, 0),
            group_id=message.group_id,
            leg_id=leg.leg_id,
            role=role,
            instrument=leg.instrument,
            side=leg.side if kind == "E" else leg.side.opposite,
            pricing=Pricing(
                limit_price=limit_price,
                step_pct=orders.entry_step_pct,
                attempts=orders.max_attempts,
                last_is_market=not limit_price,
                **chasing,
            ),
            timeout_ms=orders.working_timeout_ms,
            target_qty=leg.target_qty if kind == "E" else 0,
        )

    entry = parent("E", leg.role, limit_price=leg.limit_price)
    close = parent("C", Role.CLOSE, limit_price=0, **chase_terms(moment))
    state = LegState(
        leg,
        restore(entry, message.intents, states),
        restore(close, message.intents, states),
    )
    effects = Effects()
    return _report(state, effects), effects


def decide(state: LegState, message: WorkLeg | Review | Bulletin | News, moment: Moment) -> tuple[LegState, Effects]:
    """Take the group's levels or news of an order, then work both parents towards their levels."""
    effects, hold = Effects(), False
    entry, close = state.entry, state.close
    match message:
        case WorkLeg():
            entry = replace(entry, authorized=message.entry_qty, yielded=not message.entering, reason=message.reason)
            close = replace(close, authorized=message.close_qty, rising=message.rising, reason=message.reason)
        case Review():
            pass
        case Bulletin():
            told = by_parent(message.news)
            hold = message.hold or len(told) > 1  # what the entry has heard is of consequence for the close
            entry, close = _hear(entry, close, told, moment, effects)
        case _:
            entry, close = _hear(entry, close, by_parent((message,)), moment, effects)
    entry = work(entry, moment, effects, hold=hold)
    close = work(close, moment, effects, hold=hold)
    state = _record(replace(state, entry=entry, close=close), moment, effects)
    return _report(state, effects, waits=hold and (is_short(entry) or is_short(close))), effects


def _hear(
    entry: Parent, close: Parent, told: dict[str, list[News]], moment: Moment, effects: Effects
) -> tuple[Parent, Parent]:
    entry = hear(entry, told.pop(entry.parent_id, ()), moment, effects)
    close = hear(close, told.pop(close.parent_id, ()), moment, effects)
    if told:
        raise UnknownMessage(f"leg {entry.leg_id} has no rule for {told!r}")
    return entry, close


def _record(state: LegState, moment: Moment, effects: Effects) -> LegState:
    levels = (state.entry.authorized, state.close.authorized)
    for kind, parent, before in zip("EC", (state.entry, state.close), state.recorded, strict=True):
        if parent.authorized != before:
            effects.records.append(
                LegRecord(
                    group_id=parent.group_id,
                    leg_id=state.leg.leg_id,
                    kind=kind,
                    symbol=parent.instrument.symbol,
                    side=parent.side,
                    target_qty=state.leg.target_qty,
                    authorized_qty=parent.authorized,
                    updated_ns=moment.at_ns,
                )
            )
    return replace(state, recorded=levels)


def _report(state: LegState, effects: Effects, *, waits: bool = False) -> LegState:
    entry, close = state.entry, state.close
    progress = LegProgressed(
        leg_id=state.leg.leg_id,
        entry_authorized=entry.authorized,
        close_authorized=close.authorized,
        entry_filled=entry.filled,
        entry_live=entry.live,
        entry_abandoned=entry.abandoned,
        close_filled=close.filled,
        close_live=close.live,
        close_abandoned=close.abandoned,
        unresolved=entry.unresolved + close.unresolved,
        cash=entry.cash + close.cash,
        refusal=last_refusal(entry),
        waits=waits,
    )
    if progress == state.reported:
        return state
    effects.tell("parent", progress)
    return replace(state, reported=progress)
