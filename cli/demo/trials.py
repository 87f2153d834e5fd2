"""What is done to a system whose groups stand, so that every safeguard has something to do; one function per trial.

Each ends by itself when what it waits for does not come: a nasty exchange may refuse anything.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from cli.demo.plans import enormous
from domain.execution import Side
from domain.groups import GroupOutcome, Leg, Policy
from domain.money import round_up
from messages.operator import CommandRefused, KillSwitch, SubmitGroup
from messages.orders import ActivityKind
from messages.records import GroupRecord, StopStatus
from supervisors.system import RunningSystem
from venue.child import Steering, VenueChild

if TYPE_CHECKING:
    from cli.demo.stage import Stage

BETWEEN_S = 0.02  # two busts: not one turn of the cell, and well within a hedge's window
MOVED_S = 5.0  # for two polls, and then some
TRIAL_S = 3.0  # for what a trial waits for; at the usual speed, 30 exchange seconds


def an_enormous_plan(stage: Stage, system: RunningSystem, _venue: VenueChild) -> None:
    """S5, S6: a plan that needs more margin than there is must be refused, with figures."""
    plan = enormous(stage.market)
    answer = stage.operate(system, SubmitGroup(plan)) if plan else None
    if plan and isinstance(answer, CommandRefused):
        text = answer.problems[0].partition(";")[0]
        stage.note(f"a plan of {plan.quantity:,} spreads is refused, as it must be: {text}")
    elif plan:
        stage.refused[plan.group_id] = "must have been refused: there is no margin for it"


def bare_shorts(stage: Stage, system: RunningSystem, venue: VenueChild) -> None:
    """S7, S11, S12: trades of protection are busted while nobody offers it, so that the first hedge falls short."""
    found = [
        (len(trades), record, leg)
        for record, leg in _legs(stage, Side.BUY)
        if (trades := stage.trades(venue, record.group_id, leg.leg_id)) and len(record.group.legs) > 1
    ]
    if not found:
        return
    _, record, leg = max(found, key=lambda one: one[0])
    trades = stage.trades(venue, record.group_id, leg.leg_id)
    quote = stage.quote(leg.instrument.symbol)

    def strike(steering: Steering) -> None:
        steering.pin(leg.instrument.symbol, quote.bid, 0)
        for exec_id in trades:
            steering.bust(exec_id)
            time.sleep(BETWEEN_S)

    stage.note(f"the exchange busts {len(trades)} trades of {record.group_id} {leg.leg_id}, which nobody offers now")
    stage.steer(venue, strike)
    stage.until(lambda: any(h.level > 1 for h in stage.hedges(record.group_id)), system, TRIAL_S)
    stage.note(f"{leg.leg_id} is offered again: the next hedge covers what is bare")
    stage.steer(venue, lambda steering: steering.pin(quote.symbol, quote.bid, quote.ask))
    stage.until(lambda: record.group_id not in stage.open(), system, TRIAL_S)


def another_hand(stage: Stage, system: RunningSystem, venue: VenueChild) -> None:
    """S3, S4: somebody sells protection by other means; it must be noticed, classified, told and bought again."""
    found = [(record, leg) for record, leg in _legs(stage, Side.BUY) if len(record.group.legs) > 1]
    if not found:
        return
    record, leg = found[0]
    sold = max(1, leg.target_qty // 2)
    stage.note(f"another hand sells {sold} of {record.group_id} {leg.leg_id} at the exchange")
    stage.steer(venue, lambda steering: steering.intervene(ActivityKind.MANUAL, leg.instrument.symbol, -sold))
    stage.until(lambda: bool(stage.moved(record.group_id)), system, MOVED_S)
    stage.until(lambda: record.group_id not in stage.open(), system, TRIAL_S)


def a_gap_through_a_stop(stage: Stage, system: RunningSystem, venue: VenueChild) -> None:
    """S2, S12: the market jumps beyond a stop-loss and its limit; after two seconds it must exit at the market."""
    guarded = [(record, leg) for record, leg in _legs(stage, Side.SELL) if leg.stop_trigger]
    if not guarded:
        return
    record, leg = guarded[-1]
    tick, quote = leg.instrument.tick_size, stage.quote(leg.instrument.symbol)
    ask = round_up(leg.stop_trigger * 11 // 10 + tick, tick)
    stage.note(f"the market gaps through the stop of {record.group_id} {leg.leg_id} and through its limit")
    stage.steer(venue, lambda steering: steering.pin(quote.symbol, leg.stop_trigger, ask))

    def exited() -> bool:
        return any(s.status in (StopStatus.MARKET, StopStatus.DONE) for s in stage.stops(record.group_id))

    stage.until(exited, system, TRIAL_S)
    stage.until(lambda: record.group_id not in stage.open(), system, TRIAL_S)
    stage.steer(venue, lambda steering: steering.pin(quote.symbol, quote.bid, quote.ask))


def the_kill_switch(stage: Stage, system: RunningSystem, _venue: VenueChild) -> None:
    """E9, I26: with an entry working the switch is turned, and the gateway is killed: it must come back killed."""
    plan = stage.resting
    stage.submit(system, plan)
    stage.until(lambda: stage.works(plan.group_id), system, TRIAL_S)
    stage.note(f"the operator turns the kill switch while an entry of {plan.group_id} works")
    stage.operate(system, KillSwitch(on=True))
    stage.kill(system, "gateway", because="the kill switch must survive it")
    stage.until(lambda: not stage.works(plan.group_id), system, TRIAL_S)
    stage.until(lambda: stage.gateway(system).startswith("killed"), system, TRIAL_S)
    stage.note(f"the gateway is back: {stage.gateway(system)}")
    stage.until(lambda: plan.group_id not in stage.open(), system, TRIAL_S)
    stage.operate(system, KillSwitch(on=False))


def _legs(stage: Stage, side: Side) -> list[tuple[GroupRecord, Leg]]:
    """The legs of this side of all groups that stand hedged and may be completed."""
    return [
        (record, leg)
        for record in stage.records().values()
        if record.outcome is GroupOutcome.HEDGED and record.group.policy is Policy.COMPLETE
        for leg in record.group.legs
        if leg.side is side
    ]


ACTS: Final = (
    an_enormous_plan,
    bare_shorts,
    another_hand,
    a_gap_through_a_stop,
    the_kill_switch,
)
