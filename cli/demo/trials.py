"""What is done to a system whose groups stand, so that every safeguard has something to do; one function per trial.

A trial waits for the event that it is about, and says why when that did not come about: a nasty exchange may refuse
anything, and a machine may be busy.  Then it is made once more, on a group of its own, a few times at the most.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from cli.demo.plans import enormous, resting, spare
from domain.execution import Side
from domain.groups import GroupOutcome, Leg, Policy, Role
from domain.money import round_up
from domain.plans import home_cell
from domain.quotes import Quote
from messages.operator import CancelGroup, CommandRefused, KillSwitch, SubmitGroup
from messages.orders import ActivityKind
from messages.records import GroupRecord, HedgeRecord, HedgeStatus, IntentRecord, IntentStatus, StopStatus
from supervisors.system import RunningSystem
from venue.child import Steering, VenueChild
from venue.nasty import Nasty

if TYPE_CHECKING:
    from cli.demo.stage import Stage

ARRIVED: Final = (IntentStatus.LIVE, IntentStatus.FILLED)
TRIES: Final = 5  # of each trial
TRIAL_S: Final = 15.0  # for what a trial waits for; at the usual speed, 150 exchange seconds
SOON_S, GLANCE_S = 3.0, 0.005
DEAF: Final = Nasty(lose_request=1.0)  # an exchange that nothing reaches
ECHOING: Final = Nasty(duplicate_report=1.0, reorder_reports=1.0, delay_ms=(20, 60))


class Try(NamedTuple):
    """One try of a trial; the ``number``-th, from 0."""

    stage: Stage
    system: RunningSystem
    venue: VenueChild
    number: int

    def awaits(self, reached: Callable[[], bool]) -> bool:
        """Whether it came about."""
        return self.stage.until(reached, self.system, TRIAL_S)

    def ended(self, group_id: str) -> bool:
        """Whether the group came to its end."""
        return self.awaits(lambda: group_id not in self.stage.open())

    def spare(self, name: str, *, orders: int = 1, guarded: bool = True) -> GroupRecord | None:
        """A group for this try alone, entered; ``None`` when it does not stand."""
        stage = self.stage
        group_id, seed = f"{name}-{self.number + 1:02}", stage.script.seed
        plan = spare(stage.market, group_id, self.number, seed, orders=orders, guarded=guarded)
        for leg in plan.legs if plan else ():
            self.quoted(stage.quote(leg.symbol))  # as before, and as much as is asked for
        if plan is None or not stage.submit(self.system, plan) or not self.ended(plan.group_id):
            return None
        record = stage.books.records()[plan.group_id]
        return record if record.outcome is GroupOutcome.HEDGED else None

    def quoted(self, quote: Quote, *, offered: bool = True) -> None:
        """The exchange quotes this from now on; perhaps nobody sells at it."""
        self.stage.steer(self.venue, lambda venue: venue.pin(quote.symbol, quote.bid, quote.ask if offered else 0))

    def stands(self, name: str, side: Side, *, guarded: bool = False) -> list[tuple[GroupRecord, Leg]]:
        """Legs of this side of the groups that stand; later, or without any, of its own group called ``name``."""
        legs = _legs(self.stage.books.records().values(), side, guarded=guarded) if self.number == 0 else []
        if legs:
            return legs
        own = self.spare(name)
        return _legs([own] if own else [], side, guarded=guarded)


Trial = Callable[[Try], str]  # why it did not come about; "" when it did
NOBODY: Final = "no group stands that it could be done to"


def an_enormous_plan(one: Try) -> str:
    """S5, S6: a plan that needs more margin than there is must be refused, with figures."""
    stage, plan = one.stage, enormous(one.stage.market)
    if plan is None:
        return "the chain has no spread to ask for in such a size"
    answer = stage.operate(one.system, SubmitGroup(plan))
    if answer is None:
        return "the system did not answer"
    if isinstance(answer, CommandRefused):
        text = answer.problems[0].partition(";")[0]
        stage.note(f"a plan of {plan.quantity:,} spreads is refused, as it must be: {text}")
    else:
        stage.refused[plan.group_id] = "must have been refused: there is no margin for it"
    return ""


def orders_that_never_arrived(one: Try) -> str:
    """S1, S10: a cell dies when its orders are in its journal and have not reached the exchange: the same must go.

    They close a group: an entry may not be sent again before the gate has opened, and be given up by then.
    """
    stage = one.stage
    record = one.spare("unheard", guarded=False)
    if record is None:
        return NOBODY
    group_id = record.group_id

    def closing() -> list[IntentRecord]:
        return [intent for intent in stage.books.intents(group_id) if intent.role is Role.CLOSE]

    if not stage.behave(one.venue, DEAF):
        return "the exchange did not listen"
    stage.note(f"the operator cancels {group_id}, and nothing reaches the exchange")
    stage.operate(one.system, CancelGroup(group_id))
    decided = one.awaits(lambda: bool(closing()))
    if decided:
        cell = f"cell-{home_cell(group_id, stage.cells)}"
        stage.kill(one.system, cell, "gateway", because=f"the first order that closes {group_id} never arrived")
    stage.behave(one.venue)
    if not decided:
        return f"nothing closes {group_id}"
    first = closing()[0].client_order_id
    one.awaits(lambda: group_id not in stage.open() or any(_arrived(each, first) for each in closing()))
    if not any(_arrived(each, first) for each in closing()):
        return f"{first} did not reach the exchange after all"
    stage.note(f"{first} was sent again under its own id, and is at the exchange")
    one.ended(group_id)
    return ""


def _arrived(intent: IntentRecord, client_order_id: str) -> bool:
    """Whether it is this order, and the exchange has it, or had."""
    return intent.client_order_id == client_order_id and bool(intent.acknowledged_ns or intent.status in ARRIVED)


def an_exchange_that_echoes(one: Try) -> str:
    """S8, S9: every report comes twice, and out of order: a status must not go back, and nothing count twice."""
    stage = one.stage
    if not stage.behave(one.venue, ECHOING):
        return "the exchange did not listen"
    stage.note("the exchange reports everything twice, and out of order")
    stood = one.spare("echoed")
    stage.behave(one.venue)
    return "" if stood else "the group was not entered"


def bare_shorts(one: Try) -> str:
    """S7, S11, S12: trades of protection are busted while nobody offers it, so that the first hedge falls short.

    Those of one order first; those of the others as soon as that has been decided, within the window of the decision.
    """
    stage = one.stage
    own = one.spare("busted", orders=4)
    if own is None:
        return NOBODY
    ((record, leg),) = _legs([own], Side.BUY)
    orders = stage.trades(one.venue, record.group_id, leg.leg_id)
    if len(orders) < 2:
        return f"one order bought all of {leg.leg_id}"
    first, *others = orders.values()
    quote = stage.quote(leg.instrument.symbol)
    before = {hedge.hedge_id for hedge in stage.books.hedges(record.group_id)}

    def hedges() -> list[HedgeRecord]:
        return [hedge for hedge in stage.books.hedges(record.group_id) if hedge.hedge_id not in before]

    stage.note(f"the exchange busts all trades of {record.group_id} {leg.leg_id}, which nobody offers now")
    one.quoted(quote, offered=False)
    _bust(one, first)
    decided = _at_once(lambda: bool(hedges())) or one.awaits(lambda: bool(hedges()))
    _bust(one, [exec_id for exec_ids in others for exec_id in exec_ids])
    fell_short = decided and one.awaits(lambda: any(hedge.status is HedgeStatus.SHORT for hedge in hedges()))
    stage.note(f"{leg.leg_id} is offered again: the next hedge covers what is bare")
    one.quoted(quote)
    one.ended(record.group_id)
    return "" if fell_short else "no hedge fell short"


def _at_once(reached: Callable[[], bool]) -> bool:
    """Whether it comes about soon, looked for as often as can be: what follows must not come late."""
    until_s = time.monotonic() + SOON_S
    while time.monotonic() < until_s:
        if reached():
            return True
        time.sleep(GLANCE_S)
    return False


def _bust(one: Try, exec_ids: list[str]) -> None:
    """Undo these trades, once each, in one breath: what was heard and not answered is refused when it is said again."""
    left = list(exec_ids)

    def strike(steering: Steering) -> None:
        while left:
            with contextlib.suppress(ValueError):
                steering.bust(left[0])
            del left[0]

    one.stage.steer(one.venue, strike)


def another_hand(one: Try) -> str:
    """S3, S4: somebody sells protection by other means; it must be noticed, classified, told and bought again."""
    stage = one.stage
    found = [(record, leg) for record, leg in one.stands("robbed", Side.BUY) if len(record.group.legs) > 1]
    if not found:
        return NOBODY
    record, leg = found[0]
    symbol, sold = leg.instrument.symbol, max(1, leg.target_qty // 2)
    before = len(stage.books.moved(symbol))
    stage.note(f"another hand sells {sold} of {record.group_id} {leg.leg_id} at the exchange")
    if not stage.steer(one.venue, lambda steering: steering.intervene(ActivityKind.MANUAL, symbol, -sold)):
        return "the exchange did not listen"
    noticed = one.awaits(lambda: len(stage.books.moved(symbol)) > before)
    one.ended(record.group_id)
    return "" if noticed else "nobody noticed"


def a_gap_through_a_stop(one: Try) -> str:
    """S2, S12: the market jumps beyond a stop-loss and its limit; after two seconds it must exit at the market."""
    stage = one.stage
    guarded = one.stands("gapped", Side.SELL, guarded=True)
    if not guarded:
        return NOBODY
    record, leg = guarded[-1]
    tick, quote = leg.instrument.tick_size, stage.quote(leg.instrument.symbol)
    ask = round_up(leg.stop_trigger * 11 // 10 + tick, tick)
    stage.note(f"the market gaps through the stop of {record.group_id} {leg.leg_id} and through its limit")
    stage.steer(one.venue, lambda steering: steering.pin(quote.symbol, leg.stop_trigger, ask))
    exits = (StopStatus.MARKET, StopStatus.DONE)
    exited = one.awaits(lambda: any(stop.status in exits for stop in stage.books.stops(record.group_id)))
    one.ended(record.group_id)
    one.quoted(quote)
    return "" if exited else "the stop-loss did not exit"


def the_kill_switch(one: Try) -> str:
    """E9, I26: with an entry working the switch is turned, and the gateway is killed: it must come back killed."""
    stage, system = one.stage, one.system
    plan = resting(stage.market, one.number + 1)
    if not stage.submit(system, plan):
        return f"{plan.group_id} was refused"
    worked = one.awaits(lambda: stage.books.works(plan.group_id))
    stage.note(f"the operator turns the kill switch while an entry of {plan.group_id} works")
    stage.operate(system, KillSwitch(on=True))
    stage.kill(system, "gateway", because="the kill switch must survive it")
    ended = one.awaits(lambda: not stage.books.works(plan.group_id))
    killed = one.awaits(lambda: stage.gateway(system).startswith("killed"))
    stage.note(f"the gateway is back: {stage.gateway(system)}")
    one.ended(plan.group_id)
    stage.operate(system, KillSwitch(on=False))
    if not worked:
        return f"no entry of {plan.group_id} worked"
    return "" if ended and killed else "it did not come back killed"


# Each with the safeguards that must have acted by then.
TRIALS: Final[tuple[tuple[Trial, tuple[str, ...]], ...]] = (
    (an_enormous_plan, ("S5", "S6")),
    (orders_that_never_arrived, ("S1", "S10")),
    (an_exchange_that_echoes, ("S8", "S9")),
    (another_hand, ("S3", "S4")),
    (a_gap_through_a_stop, ("S2", "S12")),
    (the_kill_switch, ()),
    (bare_shorts, ("S7", "S11")),  # the last: its group may be so large that others find no margin, or the loss limit
)


def play(stage: Stage, system: RunningSystem, venue: VenueChild) -> None:
    """All trials, each until it came about and its safeguards have acted, or it has been tried often enough."""
    for trial, shows in TRIALS:
        for number in range(TRIES):
            problem = trial(Try(stage, system, venue, number))
            if not problem and stage.counted(shows, system):
                break
            problem = problem or f"{' and '.join(stage.unseen(shows))} did not act"
            again = "once more" if number + 1 < TRIES else "given up"
            stage.note(f"this did not come about: {problem}; {again}")


def _legs(records: Iterable[GroupRecord], side: Side, *, guarded: bool = False) -> list[tuple[GroupRecord, Leg]]:
    """The legs of this side of those groups that stand hedged and may be completed; only ``guarded`` ones by a stop."""
    return [
        (record, leg)
        for record in records
        if record.outcome is GroupOutcome.HEDGED and record.group.policy is Policy.COMPLETE
        for leg in record.group.legs
        if leg.side is side and (leg.stop_trigger or not guarded)
    ]
