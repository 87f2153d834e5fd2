"""A strategy: flat, entering, open, closing, and flat again; one vertical at a time.

Every look compares what the record says with how the group stands, and goes on from there; nothing is done because
something *happened*.  A vertical is decided and written down first, under a group id that follows from the strategy's
name and a number; its plan is offered in a later step, as often as needed: a group that is there is the answer.  So a
crash at any point neither enters twice nor forgets a position.

A vertical is closed by flattening the group that entered it: that group alone knows its fills to the last unit, closes
shorts before longs without tying up more margin on the way (R22), and goes on doing so when the strategy is dead.  An
adjustment closes, and only a flat strategy enters again: there is no new risk before the old one is gone.
"""

from __future__ import annotations

from msgspec.structs import replace

from decisions.effects import MS, Effects, Moment, UnknownMessage
from decisions.strategies.leading import goes_elsewhere, lead, next_group_id
from decisions.strategies.strategy_exits import Verdict, expired, mark, measured, verdict
from decisions.strategies.strategy_state import (
    StrategyState,
    ended,
    failed,
    first_record,
    proceed,
    recorded,
    settle,
    vertical_of,
    waits,
    written,
)
from decisions.strategies.strikes import Chosen, Wanting, choose
from domain.execution import Side
from domain.groups import GroupOutcome, Mode, Plan, PlanLeg, Policy
from domain.strategies import Exit, Standing, StrategyRules, StrategyStatus
from messages.records import Severity
from messages.strategy import (
    AppointStrategy,
    CloseVertical,
    GroupView,
    LookAtStrategy,
    OfferPlan,
    PlanRefused,
    RunStrategy,
    StrategyAnswered,
    WatchSymbols,
    WithdrawPlan,
)
from messages.strategy_records import VerticalRecord

LOOK_EVERY_MS = 1_000  # a flat strategy looks for a vertical so often (broker time)


def start(message: AppointStrategy, moment: Moment) -> tuple[StrategyState, Effects]:
    """The state of a new strategy, or of one that the journal knows."""
    effects = Effects()
    record = message.record or first_record(message.rules, moment)
    state = StrategyState(message.rules, message.configured, record, message.vertical)
    if message.record is None:
        effects.records.append(record)
    rules = message.rules
    state = recorded(state, moment, effects, rules=rules, kind=rules.kind, underlying=rules.underlying)
    known = state.vertical
    symbols = (known.underlying, known.short_symbol, known.long_symbol) if known else (rules.underlying,)
    effects.tell("parent", WatchSymbols(symbols))
    return settle(state, effects), effects


Message = LookAtStrategy | PlanRefused | RunStrategy


def decide(state: StrategyState, message: Message, moment: Moment) -> tuple[StrategyState, Effects]:
    """Look, or take an instruction."""
    effects = Effects()
    match message:
        case LookAtStrategy():
            state = _LOOKS[state.record.status](state, message, moment, effects)
        case PlanRefused():
            state = _refused(state, message, moment, effects)
        case RunStrategy():
            state = _run(state, message, moment, effects)
        case _:
            raise UnknownMessage(f"strategy {state.record.name} has no rule for {message!r}")
    return settle(state, effects), effects


# --- flat ---


def _look_flat(state: StrategyState, look: LookAtStrategy, moment: Moment, effects: Effects) -> StrategyState:
    record, rules = state.record, state.rules
    if record.standing is not Standing.ACTIVE or moment.at_ns < max(record.next_try_ns, state.look_ns):
        return state
    if not (rules.enabled and state.configured):
        why = "enabled = false in the configuration" if state.configured else "it is not in the configuration any more"
        return waits(state, moment, effects, f"enters nothing: {why}")
    state, leads = lead(state, look.beside, moment, effects)
    if not leads:
        return state
    if not moment.may_open:
        return waits(state, moment, effects, f"waits: no new risk is allowed: {moment.shut_by}")
    record = state.record
    choice = choose(rules, look.listed, moment, record.beyond_strike)
    state = replace(state, look_ns=moment.at_ns + look_every_ns(rules))
    if isinstance(choice, Wanting):
        return _wanting(state, choice, moment, effects)
    return _decided(state, choice, moment, effects)


def look_every_ns(rules: StrategyRules) -> int:
    """How long a flat strategy waits before it looks again (broker time)."""
    return min(LOOK_EVERY_MS, rules.retry_ms) * MS


def _wanting(state: StrategyState, wanting: Wanting, moment: Moment, effects: Effects) -> StrategyState:
    """Nothing to trade.  A roll that finds nothing in time is given up: the position is closed already."""
    if wanting.symbols:
        effects.tell("parent", WatchSymbols(wanting.symbols))
    if not state.record.rolled_from:
        return waits(state, moment, effects, f"waits: {wanting.reason}")
    return failed(state, f"cannot be rolled: {wanting.reason}", moment, effects)


def _decided(state: StrategyState, choice: Chosen, moment: Moment, effects: Effects) -> StrategyState:
    """Write the vertical down; its plan is offered by the next look, when this is closed and cannot be voided."""
    record, rules = state.record, state.rules
    number, group_id = record.number + 1, next_group_id(record, moment)
    vertical = VerticalRecord(
        group_id=group_id, strategy=rules.name, kind=rules.kind, underlying=rules.underlying,
        expiry=choice.short.expiry, short_symbol=choice.short.symbol, long_symbol=choice.long.symbol,
        short_strike=choice.short.strike, long_strike=choice.long.strike, quantity=rules.quantity,
        multiplier=choice.short.multiplier, entry_spot=choice.spot, credit=choice.credit, net=0, max_profit=0,
        max_loss=0, breakeven=0, rolled_from=record.rolled_from, exit=Exit.NONE, exit_reason="", closings=0,
        realised=0, decided_ns=moment.at_ns, entered_ns=0, exit_ns=0, closed_ns=0,
    )  # fmt: skip
    vertical = measured(vertical, choice.credit * rules.quantity * vertical.multiplier, rules.quantity)
    state = written(state, vertical, effects)
    effects.tell("parent", WatchSymbols((vertical.underlying, vertical.short_symbol, vertical.long_symbol)))
    return recorded(
        state, moment, effects, status=StrategyStatus.ENTERING, group_id=group_id, number=number, reason="",
        adjustments=record.adjustments if record.rolled_from else 0,
    )  # fmt: skip


# --- entering ---


def plan_of(vertical: VerticalRecord) -> Plan:
    """The plan that enters a vertical: both legs at the touch, and reversed when one of them does not fill."""
    return Plan(
        group_id=vertical.group_id,
        quantity=vertical.quantity,
        strategy=vertical.kind.value,
        policy=Policy.FLATTEN,
        legs=(
            PlanLeg(leg_id="long", symbol=vertical.long_symbol, side=Side.BUY),
            PlanLeg(leg_id="short", symbol=vertical.short_symbol, side=Side.SELL),
        ),
    )


def _look_entering(state: StrategyState, look: LookAtStrategy, moment: Moment, effects: Effects) -> StrategyState:
    view, vertical = look.group, vertical_of(state)
    if view is None:
        return _offer(state, look, moment, effects)
    if view.given_up:
        return _handed_over(state, view, moment, effects)
    if state.record.standing is Standing.STOPPED and view.outcome is not GroupOutcome.FLAT:
        return _close(state, Verdict(Exit.OPERATOR, "stopped by the operator"), moment, effects)
    if view.outcome is GroupOutcome.HEDGED or (view.outcome is GroupOutcome.HALTED and view.held):
        state = written(state, replace(_filled(vertical, view), entered_ns=moment.at_ns), effects)
        state = recorded(
            state, moment, effects, status=StrategyStatus.OPEN, reason="", tries=0, next_try_ns=0, rolled_from="",
            beyond_strike=0,
        )  # fmt: skip
        if view.outcome is GroupOutcome.HALTED:
            why = f"its group was halted: {view.reason}; what it holds is watched, nothing more is entered"
            state = recorded(state, moment, effects, standing=Standing.ENDED, reason=why)
        return state
    if view.outcome in (GroupOutcome.FLAT, GroupOutcome.HALTED):
        state = ended(state, Exit.NOT_ENTERED, view.reason, view.cash, moment, effects)
        return failed(state, f"its group was not entered: {view.reason}", moment, effects)
    return state


def _offer(state: StrategyState, look: LookAtStrategy, moment: Moment, effects: Effects) -> StrategyState:
    """No group yet: ask for it, or let go of the decision."""
    vertical = vertical_of(state)
    patience_ns = moment.config.orders.entry_patience_ms * MS
    old = moment.at_ns - vertical.decided_ns > patience_ns
    if state.record.standing is not Standing.ACTIVE or not state.configured or not state.rules.enabled or old:
        if look.waiting:
            effects.tell("parent", WithdrawPlan(vertical.group_id))
            return state
        why = "the decision is too old" if old else "stopped before its plan was let in"
        return ended(state, Exit.NOT_ENTERED, why, 0, moment, effects)
    if look.waiting:
        return state
    misled = goes_elsewhere(vertical.group_id, look.beside, moment)
    if misled:  # the share has changed since it was decided
        return ended(state, Exit.NOT_ENTERED, misled, 0, moment, effects)
    if not moment.may_open:
        return waits(state, moment, effects, f"waits: no new risk is allowed: {moment.shut_by}")
    effects.tell("parent", OfferPlan(state.record.name, plan_of(vertical)))
    return state


def _refused(state: StrategyState, refusal: PlanRefused, moment: Moment, effects: Effects) -> StrategyState:
    if state.record.status is not StrategyStatus.ENTERING or refusal.group_id != state.record.group_id:
        return state
    why = "; ".join(refusal.problems)
    state = ended(state, Exit.NOT_ENTERED, why, 0, moment, effects)
    return failed(state, f"its plan was refused: {why}", moment, effects)


# --- open ---


def _look_open(state: StrategyState, look: LookAtStrategy, moment: Moment, effects: Effects) -> StrategyState:
    view, vertical = look.group, vertical_of(state)
    if view is None or view.given_up:
        return _handed_over(state, view, moment, effects)
    if view.outcome is GroupOutcome.FLAT:
        state = ended(state, Exit.ELSEWHERE, view.reason, view.cash, moment, effects)
        return proceed(state, f"was closed: {view.reason}", moment, effects)
    if view.mode is Mode.FLATTENING:
        return _close(state, Verdict(Exit.ELSEWHERE, view.reason), moment, effects)
    if state.record.standing is Standing.STOPPED:
        return _close(state, Verdict(Exit.OPERATOR, "stopped by the operator"), moment, effects)
    if expired(vertical, moment):
        return _expired(state, view, moment, effects)
    if not view.live:
        state = written(state, _filled(vertical, view), effects)
    seen = mark(vertical_of(state), view, moment)
    found = verdict(vertical_of(state), state.rules, seen, moment)
    state = replace(state, mark=seen)
    if found is not None:
        return _close(state, found, moment, effects)
    if state.record.standing is Standing.ENDED:
        return state
    return waits(state, moment, effects, f"cannot judge its profit: {seen.problem}" if seen.problem else "")


def _filled(vertical: VerticalRecord, view: GroupView) -> VerticalRecord:
    """The figures by the fills, as long as both legs are held in one quantity."""
    quantity = -view.held.get(vertical.short_symbol, 0)
    if quantity <= 0 or view.held.get(vertical.long_symbol, 0) != quantity:
        return vertical
    return measured(vertical, view.cash, quantity)


def _expired(state: StrategyState, view: GroupView, moment: Moment, effects: Effects) -> StrategyState:
    """Its contracts are gone; what became of them is the settlement's to say, not ours to guess (S4)."""
    name = state.record.name
    effects.alert(
        moment,
        Severity.WARNING,
        "STRATEGY_EXPIRED",
        f"the contracts of strategy {name} expired while it held them; look at the account for their settlement, then "
        f"'strategies start {name}' lets it go on",
        group_id=vertical_of(state).group_id,
    )
    state = ended(state, Exit.EXPIRED, "its contracts expired; the cash of their settlement is not counted", view.cash,
                   moment, effects)  # fmt: skip
    return recorded(state, moment, effects, standing=Standing.ENDED, reason="its contracts expired while it held them")


# --- closing ---


def _close(state: StrategyState, why: Verdict, moment: Moment, effects: Effects) -> StrategyState:
    """Write down that it is to be closed; the group is told by the next look, when this cannot be voided."""
    vertical = replace(vertical_of(state), exit=why.exit, exit_reason=why.reason, exit_ns=moment.at_ns)
    state = written(state, vertical, effects)
    return recorded(state, moment, effects, status=StrategyStatus.CLOSING, reason=_in_words(why.exit, why.reason))


def _look_closing(state: StrategyState, look: LookAtStrategy, moment: Moment, effects: Effects) -> StrategyState:
    view, vertical = look.group, vertical_of(state)
    if view is None or view.given_up:
        return _handed_over(state, view, moment, effects)
    if view.outcome is GroupOutcome.FLAT:
        exit_, reason = vertical.exit, vertical.exit_reason
        state = ended(state, exit_, reason, view.cash, moment, effects)
        return proceed(state, _in_words(exit_, reason), moment, effects)
    told = vertical.closings > 0
    if view.mode is Mode.FLATTENING or (told and view.mode is Mode.REDUCING and view.outcome is GroupOutcome.OPEN):
        return state
    if told and view.outcome is GroupOutcome.HALTED:  # it was flattened as far as the market allowed
        return _handed_over(state, view, moment, effects)
    state = written(state, replace(vertical, closings=vertical.closings + 1), effects)
    reason = f"strategy {vertical.strategy}: {_in_words(vertical.exit, vertical.exit_reason)}"
    effects.tell("parent", CloseVertical(vertical.group_id, reason))
    return state


def _in_words(why: Exit, reason: str) -> str:
    return reason if why in (Exit.OPERATOR, Exit.ELSEWHERE) else f"{why.value}: {reason}"


def _handed_over(state: StrategyState, view: GroupView | None, moment: Moment, effects: Effects) -> StrategyState:
    """The group cannot be closed by us any more: it was alerted as such, and the strategy stands still."""
    name, group_id = state.record.name, state.record.group_id
    holding = ", ".join(f"{quantity:+d} {symbol}" for symbol, quantity in (view.held if view else {}).items())
    why = f"group {group_id} cannot be closed by the system ({view.reason if view else 'it is not in the journal'})"
    effects.alert(
        moment,
        Severity.CRITICAL,
        "STRATEGY_DISABLED",
        f"strategy {name} is disabled: {why}; it holds {holding or 'nothing'}, which is yours now: close it at the "
        f"broker, then 'strategies start {name}'",
        group_id=group_id,
    )
    state = ended(state, Exit.HALTED, why, view.cash if view else 0, moment, effects)
    return recorded(state, moment, effects, standing=Standing.DISABLED, reason=why)


# --- a person's word ---


def _run(state: StrategyState, command: RunStrategy, moment: Moment, effects: Effects) -> StrategyState:
    record = state.record
    if command.run:
        problem = "" if state.configured else "is not in the configuration any more"
        problem = (
            problem if state.rules.enabled else "has enabled = false in the configuration; set it, and start again"
        )
        if problem:
            effects.tell(
                "parent", StrategyAnswered(record.name, True, f"strategy {record.name} {problem}", refused=True)
            )
            return state
        state = recorded(
            state, moment, effects, standing=Standing.ACTIVE, crashes=0, tries=0, next_try_ns=0,
            reason=record.reason if record.standing is Standing.ACTIVE else "",
        )  # fmt: skip
        text = f"strategy {record.name} runs; it is {record.status.value}"
    else:
        state = recorded(state, moment, effects, standing=Standing.STOPPED, rolled_from="", beyond_strike=0,
                          reason="stopped by the operator")  # fmt: skip
        flat = record.status is StrategyStatus.FLAT
        closing = "it holds nothing" if flat else f"group {record.group_id} is being closed"
        text = f"strategy {record.name} is stopped; {closing}"
    effects.tell("parent", StrategyAnswered(record.name, command.run, text))
    return state


_LOOKS = {
    StrategyStatus.FLAT: _look_flat,
    StrategyStatus.ENTERING: _look_entering,
    StrategyStatus.OPEN: _look_open,
    StrategyStatus.CLOSING: _look_closing,
}
