"""What a strategy holds, and what follows when an attempt fails or a vertical ends."""

from __future__ import annotations

import re

import msgspec
from msgspec.structs import replace

from decisions.effects import MS, Effects, Moment
from domain.strategies import Exit, Standing, StrategyRules, StrategyStatus
from messages.records import Severity
from messages.strategy import Mark, StrategySettled
from messages.strategy_records import StrategyRecord, VerticalRecord

DOUBLINGS = 6  # of retry_ms


class StrategyState(msgspec.Struct, frozen=True):
    """What a Strategy actor holds; ``look_ns`` and ``mark`` are worth nothing tomorrow, and not written down."""

    rules: StrategyRules
    configured: bool
    record: StrategyRecord
    vertical: VerticalRecord | None = None
    look_ns: int = 0
    mark: Mark | None = None
    settled: StrategySettled | None = None


def first_record(rules: StrategyRules, moment: Moment) -> StrategyRecord:
    """The record of a strategy that nobody has heard of."""
    return StrategyRecord(
        name=rules.name, cell=moment.cell, kind=rules.kind, underlying=rules.underlying, status=StrategyStatus.FLAT,
        standing=Standing.ACTIVE, reason="", group_id="", number=0, adjustments=0, rolled_from="", beyond_strike=0,
        tries=0, next_try_ns=0, verticals=0, realised=0, crashes=0, rules=rules, created_ns=moment.at_ns,
        updated_ns=moment.at_ns,
    )  # fmt: skip


def vertical_of(state: StrategyState) -> VerticalRecord:
    """The vertical that a strategy has when it is not flat.  Raises ``LookupError``, which is a bug of ours."""
    if state.vertical is None:
        raise LookupError(f"strategy {state.record.name} is {state.record.status.value} without a vertical")
    return state.vertical


def waits(state: StrategyState, moment: Moment, effects: Effects, reason: str) -> StrategyState:
    """Say why; a reason in which only figures moved is not written again."""
    if _words(reason) == _words(state.record.reason):
        return state
    return recorded(state, moment, effects, reason=reason)


def _words(text: str) -> str:
    return re.sub(r"[0-9.,-]+", "#", text)


def recorded(state: StrategyState, moment: Moment, effects: Effects, **changes: object) -> StrategyState:
    """The state with these fields of its record changed, and written down if that changed anything."""
    changed = replace(state.record, **changes)
    if changed == state.record:
        return state
    record = replace(changed, updated_ns=moment.at_ns)
    effects.records.append(record)
    return replace(state, record=record)


def written(state: StrategyState, vertical: VerticalRecord, effects: Effects) -> StrategyState:
    """The state with this vertical, written down if it is news."""
    if vertical != state.vertical:
        effects.records.append(vertical)
    return replace(state, vertical=vertical)


def settle(state: StrategyState, effects: Effects) -> StrategyState:
    """Tell the Desk where the strategy stands, if it does not know."""
    settled = StrategySettled(state.record, state.vertical, state.mark)
    if settled == state.settled:
        return state
    effects.tell("parent", settled)
    return replace(state, settled=settled)


def failed(state: StrategyState, why: str, moment: Moment, effects: Effects) -> StrategyState:
    """An attempt came to nothing: the next one waits longer, and after enough of them a person is told."""
    tries = state.record.tries + 1
    pause_ns = state.rules.retry_ms * MS * 2 ** min(tries - 1, DOUBLINGS)
    state = recorded(state, moment, effects, tries=tries, next_try_ns=moment.at_ns + pause_ns, reason=why)
    if tries < state.rules.max_tries or state.record.standing is not Standing.ACTIVE:
        return state
    if state.record.rolled_from:
        return proceed(state, f"could not be rolled: {why}", moment, effects)
    effects.alert(
        moment,
        Severity.WARNING,
        "STRATEGY_GAVE_UP",
        f"strategy {state.record.name} has failed {tries} times in a row to enter ({why}); 'strategies start "
        f"{state.record.name}' lets it try again",
        subject=f"{state.record.name}/{state.record.number}",
    )
    return recorded(state, moment, effects, standing=Standing.ENDED, reason=f"gave up after {tries} tries: {why}")


def ended(state: StrategyState, exit_: Exit, reason: str, cash: int, moment: Moment, effects: Effects) -> StrategyState:
    """The vertical is over; its cash is what was earned or lost."""
    vertical = vertical_of(state)
    closed = replace(
        vertical, exit=exit_, exit_reason=reason, realised=cash, closed_ns=moment.at_ns,
        exit_ns=vertical.exit_ns or moment.at_ns,
    )  # fmt: skip
    effects.records.append(closed)
    record = state.record
    return recorded(
        replace(state, vertical=None, mark=None), moment, effects, status=StrategyStatus.FLAT, group_id="",
        verticals=record.verticals + (1 if vertical.entered_ns else 0), realised=record.realised + cash,
        reason=reason,
        **_roll(state, closed),
    )  # fmt: skip


def _roll(state: StrategyState, closed: VerticalRecord) -> dict[str, object]:
    """What an adjustment leaves to be done: enter again, further out, as often as the rules allow."""
    record = state.record
    if closed.exit is Exit.NOT_ENTERED:
        return {}  # a roll that came to nothing is tried again
    rolls = closed.exit is Exit.ADJUSTMENT and record.adjustments < state.rules.max_adjustments
    if not rolls or record.standing is not Standing.ACTIVE:
        return {"rolled_from": "", "beyond_strike": 0, "next_try_ns": 0, "tries": 0}
    return {
        "rolled_from": closed.group_id, "beyond_strike": closed.short_strike, "adjustments": record.adjustments + 1,
        "next_try_ns": 0, "tries": 0,
    }  # fmt: skip


def proceed(state: StrategyState, reason: str, moment: Moment, effects: Effects) -> StrategyState:
    """After a close: roll, wait for the next entry, or end."""
    record = state.record
    if record.standing is not Standing.ACTIVE:
        return recorded(state, moment, effects, reason=reason)
    if record.rolled_from and record.tries < state.rules.max_tries:
        return recorded(state, moment, effects, reason=f"is rolled: {reason}")
    state = recorded(state, moment, effects, rolled_from="", beyond_strike=0, tries=0)
    if state.rules.re_enter:
        due = moment.at_ns + state.rules.retry_ms * MS
        return recorded(state, moment, effects, reason=reason, next_try_ns=due)
    return recorded(state, moment, effects, standing=Standing.ENDED, reason=f"done: {reason}")
