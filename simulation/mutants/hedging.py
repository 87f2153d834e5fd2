"""Bugs in what a group protects: release of risk, hedges, closing, stop-losses."""

from __future__ import annotations

from typing import Final

from domain.groups import Policy
from simulation.aims import BUSTED_LATER, FALLS_SHORT, GUARDED, KILLED, WAITS_NAKED, one_group, only
from simulation.mutants.catalogue import Mutant
from simulation.mutants.planting import begins, edit, returns, together

_NO_PATIENCE: Final = returns("decisions.groups.group:_too_late", "''")

MUTANTS: Final = (
    Mutant(
        "puts-protect-calls",
        "a long put counts as the protection of a short call",
        ("I6", "I7"),
        edit(
            "domain.coverage:covered",
            (
                "in _shields(tuple(legs))",
                "in [(s, tuple(x.leg_id for x in legs if x.side is Side.BUY)) for s, _ in _shields(tuple(legs))]",
            ),
        ),
        only() | one_group("iron_condor", 25),
    ),
    Mutant(
        "risk-first",
        "shorts are released without filled protection",
        ("I7", "S1"),
        edit(
            "decisions.groups.group_levels:_allowed_risk",
            ("group.legs, held.longs, targets)", "group.legs, targets, targets)"),
        ),
    ),
    Mutant(
        "working-counts-as-filled",
        "protection that only works counts as filled",
        ("I7", "S1"),
        edit(
            "decisions.groups.group_levels:_allowed_risk",
            (
                "group.legs, held.longs, targets)",
                "group.legs, {x.leg_id: held.held(x.leg_id) + held.legs[x.leg_id].progress.entry_live "
                "for x in group.legs "
                "if x.side is Side.BUY}, targets)",
            ),
        ),
    ),
    Mutant(  # held twice: within the window nothing is decided, and by then the leg has reported under its new level
        "hedge-by-event",
        "whatever a leg gives up is hedged at once, although a hedge is at work",
        ("I4", "I5", "S7"),
        together(
            returns("decisions.groups.group_levels:Tally.missing", "self.legs[leg.leg_id].progress.entry_abandoned"),
            edit("decisions.groups.group_hedging:hedge_shortfalls", ("moment.config.hedge.window_ms * MS", "0")),
        ),
        only("F.market.dry", "F.wire.delay") | FALLS_SHORT,
    ),
    Mutant(  # held twice: a slice that was given up is never placed again, whatever the level
        "leg-and-hedge-both",
        "what a bust took from a leg is placed again by the leg, although its hedge answers for it",
        ("I4", "I5"),
        together(
            edit(
                "decisions.groups.group_levels:_entering",
                ("leg.target_qty - (own.hedged - own.replacing) if", "leg.target_qty if"),
            ),
            edit("decisions.orders.working:_needed", ("- parent.live - parent.abandoned", "- parent.live")),
            edit(
                "decisions.orders.working:_place",
                ("not parent.gives_up(slot)", "(slot.busted or not parent.gives_up(slot))"),
            ),
        ),
        only("F.broker.bust", "F.broker.correct") | FALLS_SHORT | {"attempts": 6},
    ),
    Mutant(
        "one-unit-too-many",
        "a hedge is for one unit more than is missing",
        ("I5",),
        edit("decisions.groups.group_hedging:_open_hedge", ("needed_qty=missing,", "needed_qty=missing + 1,")),
    ),
    Mutant(  # held twice: a child that is for too much is told so as soon as it has reported
        "hedge-forgets-what-it-filled",
        "a child hedge is for all that its parent was to obtain",
        ("I5", "I4"),
        edit(
            "decisions.groups.hedge:_hand_down",
            ("needed_qty=missing,", "needed_qty=record.needed_qty,"),
            ("if level_of(state.child) != missing:", "if False:"),
        ),
        only("F.broker.bust", "F.market.dry") | FALLS_SHORT | {"size": 1},
    ),
    Mutant(
        "hedge-window-off",
        "two hedge decisions of a symbol follow each other at once",
        ("S7",),
        edit("decisions.groups.group_hedging:hedge_shortfalls", ("moment.config.hedge.window_ms * MS", "0")),
        only("F.market.dry", "F.wire.delay") | FALLS_SHORT,
    ),
    Mutant(  # held twice: what nobody obtains within the group's patience is given up, and the group flattened
        "debounce-drops-the-last",
        "a hedge decision that comes within the window of the one before is dropped instead of made at its end",
        ("L3", "L1"),
        together(
            edit(
                "decisions.groups.group_hedging:hedge_shortfalls",
                (
                    "if missing <= 0 or",
                    'missing -= state.opened_ns.get(f"dropped of {leg_id}", 0)\n        if missing <= 0 or',
                ),
                (
                    "effects.wake(due)",
                    'dropped = f"dropped of {leg_id}"\n            state = replace(state, opened_ns='
                    "{**state.opened_ns, dropped: state.opened_ns.get(dropped, 0) + missing})",
                ),
            ),
            _NO_PATIENCE,
        ),
        only("F.broker.bust") | BUSTED_LATER,
    ),
    Mutant(  # held twice: likewise
        "hedge-after-minutes",
        "a group makes no hedge decision before it is two minutes old",
        ("L3",),
        together(
            edit(
                "decisions.groups.group_hedging:hedge_shortfalls",
                (
                    "elif moment.at_ns < due:",
                    "elif moment.at_ns < (due := max(due, state.record.created_ns + 120_000 * MS)):",
                ),
            ),
            _NO_PATIENCE,
        ),
        only("F.broker.bust") | BUSTED_LATER,
    ),
    Mutant(
        "hedge-depth-ignored",
        "a hedge has one level more than is configured",
        ("S11",),
        edit(
            "decisions.groups.hedge:_conclude",
            (
                "deepest = record.level >= moment.config.hedge.depth",
                "deepest = record.level > moment.config.hedge.depth",
            ),
        ),
        only("F.broker.bust", "F.market.dry") | FALLS_SHORT | {"hedge depth": 1, "hedge timeout, ms": 1_000},
    ),
    Mutant(
        "escalation-without-alert",
        "the last level of a hedge gives up, and nobody is called",
        ("S11", "L5"),
        returns("decisions.groups.hedge:_escalate", "None"),
    ),
    Mutant(
        "halt-without-alert",
        "a group is halted, and nobody is called",
        ("L5",),
        returns("decisions.groups.group:_alert_halt", "None"),
    ),
    Mutant(  # held twice: what is missing is hedged, however much of it stands bare
        "naked-counts-as-covered",
        "a filled short without protection counts as no exposure, and what was taken from protection is not missed",
        ("I6", "L1"),
        together(
            returns("decisions.groups.group_levels:_bare", "{}"),
            returns("decisions.groups.group_levels:Tally.missing", "0"),
        ),
        only("F.broker.bust") | {"quantity": 10, "policy": Policy.COMPLETE, "entry patience, ms": 40_000},
    ),
    Mutant(
        "naked-leave-for-any-leg",
        "as many shorts may stand bare as the plan leaves naked, whichever they are",
        ("I6", "L1"),
        begins(
            "decisions.groups.group_levels:_bare",
            "targets = {leg.leg_id: leg.target_qty for leg in group.legs}\n"
            "left = sum(uncovered(group.legs, targets, targets).values()) if group.allow_naked else 0\n"
            "bare = uncovered(group.legs, longs, shorts)\n"
            "for key, units in bare.items():\n"
            "    bare[key] = max(0, units - left)\n"
            "    left = max(0, left - units)\n"
            "return bare",
        ),
        only("F.broker.manual") | WAITS_NAKED,
    ),
    Mutant(  # held twice: what nobody obtains within the group's patience is given up, and the group flattened
        "nothing-is-missing",
        "what a leg gives up is nobody's business, for however long",
        ("L1", "L3"),
        together(
            returns("decisions.groups.group_levels:Tally.missing", "0"),
            _NO_PATIENCE,
        ),
    ),
    Mutant(
        "overclosed-ignored",
        "what was closed and then busted on entry stays sold",
        ("L1", "I9"),
        returns("decisions.groups.group_levels:LegTally.overclosed", "0"),
    ),
    Mutant(
        "longs-sold-first",
        "closing sells protection before the shorts are bought back",
        ("I7", "R22"),
        edit(
            "decisions.groups.group_levels:_flattening",
            ("_still_needed(group, held.longs, remaining)", "{}"),
        ),
    ),
    Mutant(
        "reducing-sells-protection",
        "a group that may only reduce sells the longs that its shorts need",
        ("I7", "R22"),
        edit(
            "decisions.groups.group_levels:_reducing",
            ("keep = {**held.longs, **covered(group.legs, held.longs, held.shorts)}", "keep = held.shorts"),
        ),
        only("F.operator.kill_switch") | KILLED | {"size": 2, "quantity": 25},
    ),
    Mutant(
        "close-forgets-what-works",
        "what a stop-loss is about to exit is closed as well",
        ("I9", "R12"),
        edit("decisions.groups.group_levels:_closing", ("own.stop_filled + own.stop_committed + own.gone", "own.gone")),
    ),
    Mutant(
        "halted-for-ever",
        "a group that hedges have halted is not closed when a person cancels it",
        ("L1", "R13"),
        returns("decisions.groups.group_hedging:take_back_escalated", "False"),
        only("F.broker.bust", "F.market.dry")
        | {"groups": 1, "shape": "bull_put", "a person closes what is halted": True},
    ),
    Mutant(
        "entries-go-on",
        "a group that closes still places entries",
        ("I10", "I4"),
        edit(
            "decisions.groups.group_levels:_closing",
            ("entry[key] = 0", "entry[key] = leg.target_qty"),
            ("dict.fromkeys(names, False)", "dict.fromkeys(names, True)"),
        ),
    ),
    Mutant(
        "stop-not-reduced",
        "a stop-loss keeps its quantity after a part of its position was closed",
        ("L1",),
        edit("decisions.groups.stop_loss:_shrink", ("excess = parent.filled + parent.live - level", "excess = 0")),
        only("F.operator.cancel", "F.broker.bust", "F.broker.correct") | GUARDED,
    ),
    Mutant(
        "stop-not-cut",
        "a stop-loss that is for more than is left of its position stays as it is, until nothing is left",
        ("I8",),
        edit(
            "decisions.groups.stop_loss:_shrink",
            ("excess = parent.filled + parent.live - level", "excess = 0 if level else parent.filled + parent.live"),
        ),
        only("F.broker.manual", "F.broker.liquidation", "F.broker.assignment") | GUARDED,
    ),
    Mutant(
        "stop-too-large",
        "a stop-loss is for the target, whatever has filled",
        ("I8", "I9"),
        edit(
            "decisions.groups.group_levels:_entering",
            ("stop[key] = max(0, min(own.acquired - exits, leg.target_qty))", "stop[key] = leg.target_qty * 2"),
        ),
    ),
    Mutant(
        "stop-forgotten-at-acceptance",
        "a stop-loss is done when the broker has accepted it",
        ("I8", "L1", "S2"),
        edit(
            "decisions.groups.stop_loss:_conclude",
            ("if live == 0 and state.filled >= record.quantity:", "if live or state.filled >= record.quantity:"),
        ),
        only() | GUARDED,
    ),
    Mutant(  # held twice: the stop-loss is placed again, or a person is told
        "stop-expired-for-good",
        "a stop-loss that expired with its session is not placed again in the morning, and nobody is told",
        ("I8",),
        together(
            edit(
                "decisions.groups.stop_loss:_arm",
                (
                    "missing = record.quantity - parent.filled - parent.live",
                    "missing = record.quantity - parent.filled - parent.live - sum(order.intent.quantity"
                    " for order in parent.orders.values() if order.intent.status is IntentStatus.EXPIRED)",
                ),
            ),
            returns("decisions.groups.stop_window:_bound", "None"),
        ),
        only("F.broker.session_end") | GUARDED,
    ),
    Mutant(  # held twice: a position without its stop-loss is told to a person
        "stop-never-placed",
        "a position gets no stop-loss order, and nobody is told",
        ("I8", "S2"),
        together(
            returns("decisions.groups.stop_loss:_arm", "parent"),
            returns("decisions.groups.stop_window:_bound", "None"),
        ),
        only() | GUARDED,
    ),
    Mutant(
        "timer-from-placement",
        "the two seconds of a stop-loss run from its placement instead of from its trigger",
        ("I27", "R1"),
        edit(
            "decisions.groups.stop_loss:_work_limit",
            ("deadline = record.triggered_ns +", "deadline = record.armed_ns +"),
        ),
        only("F.market.gap") | GUARDED,
    ),
    Mutant(
        "deadline-by-the-local-clock",
        "the two seconds of a stop-loss end by the clock of the machine",
        ("I27", "S12"),
        edit(
            "decisions.groups.stop_loss:_work_limit",
            ("and moment.at_ns >= deadline", 'and __import__("time").time_ns() >= deadline'),
        ),
        only("F.market.gap", "F.time.wall_jump") | GUARDED,
    ),
    Mutant(
        "market-before-confirmation",
        "the market order of a stop-loss leaves before the cancel of the stop-limit is confirmed",
        ("I9", "R2"),
        edit(
            "decisions.groups.stop_loss:_work_market",
            ("record.status is StopStatus.FALLBACK and state.limit.live == 0", "record.status is StopStatus.FALLBACK"),
            ("record.quantity - state.limit.filled - state.limit.live", "record.quantity - state.limit.filled"),
        ),
        only("F.market.gap") | GUARDED | {"cancel latency, ms": 900},
    ),
    Mutant(
        "fill-lost-the-race",
        "the market order of a stop-loss is for what the stop-limit has filled as well",
        ("I9", "R2"),
        edit(
            "decisions.groups.stop_loss:_work_market",
            ("record.quantity - state.limit.filled - state.limit.live", "record.quantity"),
        ),
        only("F.market.gap") | GUARDED | {"size": 1},
    ),
)
