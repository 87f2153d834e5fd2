"""Bugs in how orders are worked and in what is known of them."""

from __future__ import annotations

from typing import Final

from simulation.aims import AT_ONCE, GUARDED, MANY, at_level, only
from simulation.mutants.catalogue import Mutant
from simulation.mutants.planting import edit, returns, together

DENIED_COUNTS: Final = edit(
    "domain.fills:count", ("return _doubted(_sum(executions), executions)", "return _sum(executions)")
)

MUTANTS: Final = (
    Mutant(
        "late-partial-dropped",
        "a late partial fill is dropped with the status that it may not move",
        ("I11", "I12", "S8"),
        edit(
            "decisions.orders.child_order:join",
            (
                "if merged.state is order.state or merged.state == order.state:",
                "if merged.state == order.state or merged.verdict is Verdict.REGRESSION:",
            ),
        ),
    ),
    Mutant(
        "late-fill-ignored",
        "a fill after a cancel is taken for nothing",
        ("I12", "R10", "R11"),
        edit(
            "decisions.orders.child_order:join",
            (
                "merged = merge(order.state, report)",
                "if order.state.ended is not None and report.exec_type in FILLS:\n"
                "        return order\n    merged = merge(order.state, report)",
            ),
        ),
    ),
    Mutant(
        "bust-ignored",
        "a busted trade goes on counting",
        ("I12", "I29"),
        edit(
            "decisions.orders.child_order:join",
            (
                "merged = merge(order.state, report)",
                "if report.exec_type is ExecType.TRADE_CANCEL:\n        return order\n"
                "    merged = merge(order.state, report)",
            ),
        ),
    ),
    Mutant(
        "fill-counted-twice",
        "a copy of a fill under another id counts again, and so does what the broker's own count denies",
        ("I11", "I12"),
        together(
            edit(
                "domain.orders:_joined",
                (
                    "new = from_report(report, execution_id(report))",
                    "new = from_report(report, execution_id(report) + str(state.count.qty))",
                ),
            ),
            DENIED_COUNTS,
        ),
    ),
    Mutant(
        "denied-fills-count",
        "a trade that the broker's own later count denies goes on counting: its bust was lost",
        ("I4", "I5", "I9"),
        DENIED_COUNTS,
        # most fills are told, and so are those after the bust: the order works on
        only("F.broker.bust", "F.broker.drop_report")
        | at_level("F.broker.drop_report", 0.25)
        | AT_ONCE
        | {
            "groups": 3,
            "quantity": 25,
            "size": 2,
            "limits of so many legs, and by how much above the mid": (0, 0),
            "an entry works for, ms": 30_000,
            "under fire for, ms": 5_000,
            "poll, ms": 4_000,
            "controls": {},
        },
    ),
    Mutant(
        "nameless-fill-known-by-its-time",
        "a fill without exec id that is told again under a new time counts again",
        ("I9", "I11", "I12", "I29"),
        edit(
            "domain.report_ids:execution_id",
            (
                'return f"#{report.cum_qty}/{report.last_qty}@',
                'return f"#{report.cum_qty}/{report.ts_ns}/{report.last_qty}@',
            ),
        ),
        only("F.broker.nameless", "F.broker.repeat_report") | {"quantity": 25, "size": 2},
    ),
    Mutant(
        "last-word-of-a-repetition",
        "what is told again under a new time is the last word on an order",
        ("I11", "I12", "I13", "I14"),
        edit("domain.retold:told_with", ("_precedence(held[at]) <= _precedence(new)", "held[at] >= new")),
        only("F.broker.nameless", "F.broker.repeat_report", "F.broker.correct") | {"quantity": 25, "size": 2},
    ),
    Mutant(
        "answer-settles-nothing",
        "without exec ids a trade that repeats one from before a bust stays unknown, though the broker was asked",
        ("I12",),
        edit("domain.orders:_joined", ("judged = answered(executions, asked)", "judged = executions")),
        only("F.broker.nameless", "F.broker.repeat_report", "F.broker.bust", "F.broker.correct")
        | {"quantity": 25, "size": 2},
    ),
    Mutant(
        "status-counts-as-fill",
        "what a status says has filled is taken for executions",
        ("I11", "I12"),
        returns("domain.orders:OrderState.cum_qty", "max(self.count.qty, self.reported[2])"),
        only("F.broker.drop_report", "F.wire.delay"),
    ),
    Mutant(
        "older-snapshot-wins",
        "the last report wins, however old",
        ("I13",),
        edit(
            "domain.orders:_spoken",
            ("reported = claim if claim > reported else reported", "reported = claim"),
            ("described = description if description > described else described", "described = description"),
        ),
    ),
    Mutant(
        "end-is-not-an-end",
        "a later status takes an order's end away",
        ("I14",),
        edit("domain.orders:_ended", ("return max(ended, claim, key=_ENDS.index)", "return claim")),
        only("F.broker.delay", "F.broker.reorder_reports", "F.broker.duplicate_report", "F.broker.stale_snapshot"),
    ),
    Mutant(
        "pending-cancel-is-canceled",
        "CANCEL PENDING is taken for confirmed",
        ("I3", "I4", "I9", "I14", "R2"),
        edit(
            "domain.orders:_joined",
            (
                "ended = _ended(state.ended, report, facts) if facts.ends else state.ended",
                "ended = _ended(state.ended, report, facts) if facts.ends else state.ended\n"
                "    if report.ord_status is OrdStatus.PENDING_CANCEL:\n        ended = OrdStatus.CANCELED",
            ),
        ),
        {"cancel latency, ms": 900},
    ),
    Mutant(
        "cancel-trusted",
        "a cancel that was asked for counts as done",
        ("I3", "I4", "R2"),
        edit(
            "decisions.orders.child_order:ChildOrder.fate",
            ("if state.is_settled:", "if state.is_settled or self.intent.cancel_requests:"),
        ),
    ),
    Mutant(
        "unknown-is-rejected",
        "no answer in time is taken for a refusal",
        ("I3", "I4", "I15", "R4"),
        edit(
            "decisions.orders.child_order:on_submit_result",
            ("elif _is_definitive(order, result):", "elif not order.resent_ns:"),
        ),
        only("F.broker.lose_ack", "F.broker.delay", "F.wire.delay") | MANY,
    ),
    Mutant(
        "unresolved-counts-as-nothing",
        "an order of unknown fate does not count as live",
        ("I3", "I4"),
        edit(
            "decisions.orders.child_order:ChildOrder.fate",
            ("if state.is_settled:", "if state.is_settled or self.intent.status is IntentStatus.UNRESOLVED:"),
        ),
        only("F.broker.lose_ack", "F.broker.answer_late", "F.broker.drop_report"),
    ),
    Mutant(
        "ended-before-its-fills",
        "an order that ended counts as over before the fills that the broker counts are known",
        ("I3", "I4", "R2"),
        returns("domain.orders:OrderState.is_settled", "self.is_terminal"),
        only("F.broker.drop_report", "F.broker.delay", "F.broker.reorder_reports", "F.wire.delay") | {"quantity": 60},
    ),
    Mutant(
        "next-attempt-too-early",
        "attempt n + 1 leaves while the cancel of attempt n is under way",
        ("I3",),
        together(
            edit(
                "decisions.orders.child_order:ChildOrder.live",
                ("if self.fate is _ENDED", "if self.intent.cancel_requests"),
            ),
            edit(
                "decisions.orders.slots:Slot.remainder",
                ("self.last.fate is Fate.LIVE", "self.last.fate is Fate.LIVE and not self.last.intent.cancel_requests"),
            ),
        ),
    ),
    Mutant(
        "cancel-asked-once",
        "a cancel without an answer is never asked for again",
        ("L1", "R25"),
        edit(
            "decisions.orders.order_changes:request_cancel",
            ("if intent.cancel_requests and moment.at_ns < again:", "if intent.cancel_requests:"),
        ),
    ),
    Mutant(
        "price-of-its-own",
        "the order that leaves has another price than its intent",
        ("I30",),
        edit(
            "decisions.orders.child_order:submit_request",
            ("price=intent.price,", "price=intent.price and intent.price + 500,"),
        ),
    ),
    Mutant(
        "splitter-loops",
        "a slice that is refused is tried for ever",
        ("L4", "L1"),
        returns("decisions.orders.working:Parent.gives_up", "False"),
        only("F.broker.refuse") | {"groups": 1, "quantity": 60, "attempts": 1},
    ),
    Mutant(
        "rearm-storm",
        "a refused stop-loss is sent again at once",
        ("L4", "R14"),
        returns("decisions.groups.stop_loss:_rearm_at", "0"),
        only() | GUARDED | {"stop-loss trigger": 30_000, "price band, %": 40.0},  # the house refuses such a trigger
    ),
    Mutant(
        "no-cause",
        "an intent does not say which event led to it",
        ("I29",),
        edit("decisions.orders.working:place", ("cause=moment.cause,", 'cause="",')),
    ),
)
