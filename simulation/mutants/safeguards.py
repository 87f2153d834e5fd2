"""The safeguards S1 to S12 switched off."""

from __future__ import annotations

from typing import Final

from simulation.mutants.planting import begins, edit, returns
from simulation.mutants.switching import FORGET_INTENTS, NOTHING, RELEASE_AT_ONCE, off

MUTANTS: Final = (
    off("S1", "shorts are released without their protection", RELEASE_AT_ONCE),
    off(
        "S2",
        "a stop's execution price is its trigger",
        returns("decisions.groups.stop_loss:execution_price", "trigger"),
    ),
    off("S3", "no variance is an issue", returns("decisions.positions.position_checks:_severity", NOTHING)),
    off("S4", "no expiry is watched", returns("decisions.positions.expiry_watch:watch_expiries", "()")),
    off("S5", "margin is not asked for", returns("actors.admission:Admission.refusal", "''")),
    off("S6", "no worst case", returns("decisions.groups.margining:_revaluable", "False")),
    off(
        "S7",
        "every trigger makes a hedge decision",
        edit("decisions.groups.group_hedging:hedge_shortfalls", ("moment.at_ns < due", "False")),
    ),
    off(
        "S8",
        "a late report moves the status back, and is not recorded",
        edit("decisions.orders.child_order:join", ("merged.verdict is Verdict.REGRESSION", "False")),
    ),
    off(
        "S9",
        "what was seen is taken again",
        returns("actors.cell_tree:CellTree._is_repeated", "False"),
    ),
    off("S10", "intents are not written", FORGET_INTENTS),
    off("S11", "a hedge's shortfall has no child", returns("decisions.groups.hedge:_hand_down", "state")),
    off(
        "S12",
        "deadlines run by the clock of the machine",
        edit(
            "actors.cell_tree:CellTree._note_time",
            (
                "self.clock_ns = max(self.clock_ns, message.broker_time_ns)",
                "import time\n            self.clock_ns = max(self.clock_ns, time.time_ns())",
            ),
        ),
    ),
    off(
        "S12 backwards",
        "time is what each tick says, backwards too",
        edit(
            "actors.cell_tree:CellTree._note_time",
            ("self.clock_ns = max(self.clock_ns, message.broker_time_ns)", "self.clock_ns = message.broker_time_ns"),
        ),
    ),
    off(
        "S8 fills",
        "the fill in a late report is lost",
        begins(
            "decisions.orders.child_order:join",
            "if merge(order.state, report).verdict is Verdict.REGRESSION:\n    return order",
        ),
    ),
    off(
        "S11 person", "nobody is called when hedging falls short", returns("decisions.groups.hedge:_escalate", NOTHING)
    ),
    off(
        "S6 prefixes",
        "only the whole plan is looked at, not its parts",
        edit(
            "domain.margin.worst_case:_corners",
            ("return tuple(found)", "return tuple(found[-1:])"),
            ("(leg_id, 0, quantity)", "(leg_id, quantity, quantity)"),
        ),
    ),
)
