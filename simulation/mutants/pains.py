"""What keeps the user pains R1 to R25 away, switched off."""

from __future__ import annotations

from typing import Final

from simulation.mutants.planting import begins, edit, returns, together
from simulation.mutants.switching import FORGET_INTENTS, NOTHING, RELEASE_AT_ONCE, off

_MATCH_BY_LOOKS: Final = begins(
    "actors.foreign:Foreign.hear",
    """
from msgspec.structs import replace
for group_id in list(self.nursery):
    for intent in self.nursery.journal.group(group_id).intents:
        if (intent.symbol, intent.side, intent.quantity) == (report.symbol, report.side, report.order_qty):
            ours = replace(report, client_order_id=intent.client_order_id)
            return self.nursery.give(group_id, ours)
""",
)

MUTANTS: Final = (
    off(
        "R1",
        "a triggered stop waits for ever",
        edit("decisions.groups.stop_loss:_work_limit", ("and moment.at_ns >= deadline", "and False")),
    ),
    off(
        "R1 early",
        "the timer of a stop runs before its trigger",
        edit(
            "decisions.groups.stop_loss:_work_limit",
            ("deadline = record.triggered_ns", "deadline = record.armed_ns"),
            ("late = record.status is StopStatus.TRIGGERED", "late = record.status is not StopStatus.DONE"),
        ),
    ),
    off(
        "R2",
        "the market exit does not wait for the stop's end",
        edit(
            "decisions.groups.stop_loss:_work_market",
            ("and state.limit.live == 0", ""),
            ("- state.limit.filled - state.limit.live", "- state.limit.filled"),
        ),
    ),
    off(
        "R3",
        "a position without its stop is nobody's business",
        returns("decisions.groups.stop_window:_bound", NOTHING),
    ),
    off("R3 measure", "the window is not measured", returns("decisions.groups.stop_window:measure", "record")),
    off(
        "R4",
        "a cancel that was asked for counts as done",
        edit(
            "decisions.orders.child_order:ChildOrder.fate",
            ("if state.is_settled:", "if self.intent.cancel_requests:"),
        ),
    ),
    off(
        "R5",
        "a snapshot without positions is believed at once",
        edit(
            "decisions.positions.reconciler:Reconciler._is_sure",
            ("suspect.seen >= 2", "True"),
            ("as_of_ns - suspect.first_ns >= patience_ms * MS", "True"),
        ),
    ),
    off(
        "R6",
        "a fill that comes again counts again",
        edit(
            "domain.orders:_joined",
            ("total = recount(total, state.executions, executions, new)", "pass"),
            (
                "if executions is not state.executions:",
                "total = Count(total.qty + new.qty, total.notional, False, False)\n        if False:",
            ),
        ),
    ),
    off(
        "R7",
        "one absence is proof enough",
        edit("decisions.orders.recovery:resolve", ("[min(absences, 2)]", "[2 if absences else 0]")),
    ),
    off(
        "R7 resend",
        "an order is sent again although the broker does not deduplicate",
        edit("decisions.orders.child_order:on_absence", ("moment.deduplicates and ", "")),
    ),
    off("R8", "intents are not written", FORGET_INTENTS),
    off(
        "R9",
        "a second hedge is opened beside the one in flight",
        edit(
            "decisions.groups.group_hedging:hedge_shortfalls",
            ("elif working and working[0].level < max(2, moment.config.hedge.depth):", "elif False:"),
            ("elif not working:", "else:"),
        ),
    ),
    off(
        "R9 window",
        "triggers do not coalesce",
        edit("decisions.groups.group_hedging:hedge_shortfalls", ("moment.at_ns < due", "False")),
    ),
    off(
        "R10",
        "a fill after a cancel was asked for is not heard",
        begins(
            "decisions.orders.child_order:join",
            "if order.intent.cancel_requests and report.exec_type in FILLS:\n    return order",
        ),
    ),
    off(
        "R11",
        "an order that has ended is not listened to any more",
        begins("decisions.orders.child_order:join", "if order.state.is_settled:\n    return order"),
    ),
    off(
        "R12",
        "exits that are open already are not counted",
        edit("decisions.groups.stop_loss:_arm", ("record.quantity - parent.filled - parent.live", "record.quantity")),
    ),
    off(
        "R12 close",
        "a close does not count what a stop-loss may still exit",
        edit("decisions.groups.group_levels:_closing", ("own.stop_filled + own.stop_committed", "own.stop_filled")),
    ),
    off("R13", "a group is halted and nobody is told", returns("decisions.groups.group:_alert_halt", NOTHING)),
    off(
        "R14",
        "a broker that refuses is asked again at once",
        together(
            returns("decisions.groups.stop_loss:_rearm_at", "0"), returns("decisions.orders.working:_retry_at", "0")
        ),
    ),
    off("R14 session", "a closed session holds nothing up", returns("decisions.gateway.session:repair_refusal", "''")),
    off("R15", "any quote will do", returns("decisions.effects:Moment.quote", "self.quotes.get(symbol)")),
    off("R16", "shorts are released without their protection", RELEASE_AT_ONCE),
    off("R17", "orders are not sliced", returns("domain.slices:slices", "[quantity]")),
    off("R18", "what the broker stored is not read back", returns("decisions.orders.read_back:difference", "''")),
    off(
        "R19",
        "a journal may have two writers",
        edit("storage.ownership:OwnerLock.__init__", ("fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)", "pass")),
    ),
    off(
        "R19 partial",
        "a refused leg makes the group forget what was accepted",
        begins(
            "actors.turn:OrderIndex.follow",
            "if type(record) is IntentRecord and record.status is IntentStatus.REFUSED:\n"
            "    self.orders[record.group_id] = {}",
        ),
    ),
    off(
        "R19 over",
        "a group that turns back counts as over, whatever is held",
        begins(
            "decisions.groups.group_status:outcome_of",
            "if record.mode is Mode.FLATTENING:\n    return GroupOutcome.FLAT",
        ),
    ),
    off(
        "I21",
        "what an owner of the journal who is dead decided counts as sent, and nobody looks for it any more",
        begins("decisions.orders.child_order:on_absence", "if order.intent.epoch != moment.epoch:\n    return order"),
    ),
    off(
        "I21 twice",
        "a cell that is started for the third time turns the groups back that it finds half in",
        edit(
            "actors.nursery:Nursery.load_all",
            (
                "self._start(group_id, message)",
                "back = replace(message.record, mode=type(message.record.mode).FLATTENING)\n"
                "                again = self.turn.moment.epoch > 2\n"
                "                self._start(group_id, replace(message, record=back) if again else message)",
            ),
        ),
    ),
    off("R20", "snapshots are not read", begins("actors.snapshots:Snapshots.on_snapshot", "return")),
    off(
        "R20 poll",
        "the poll is switched off",
        edit(
            "actors.broker_session:BrokerSession.on_heartbeat",
            ("self.clock_ns - self.polled_ns >= min(config.poll_ms, config.positions_ms) * MS", "False"),
        ),
    ),
    off("R21", "no change of a position is explained", returns("decisions.positions.position_changes:explain", "[]")),
    off(
        "R22",
        "longs are sold while shorts remain",
        returns("decisions.groups.group_levels:_still_needed", "dict.fromkeys(longs, 0)"),
    ),
    off("R23", "an order that no intent explains is taken for one that looks the same", _MATCH_BY_LOOKS),
    off(
        "R24",
        "the kill switch cancels whatever works",
        returns("decisions.gateway.ledger:Ledger.open_entries", "self.open_orders()"),
    ),
    off("R25", "new risk may take the last tokens", returns("decisions.gateway.lanes:Lanes._limit", "self._tokens")),
    off(
        "R25 stuck",
        "a cancel that is never answered is asked for for ever",
        edit("decisions.orders.order_changes:request_cancel", ("requests > config.max_cancels", "False")),
    ),
    off(
        "R25 budget",
        "a spent restart budget halts nothing",
        returns("supervisors.root:RootSupervisor.give_up", NOTHING),
    ),
    off(
        "R5 unknown",
        "an answer of unknown fate counts as a refusal",
        edit(
            "decisions.orders.child_order:on_submit_result",
            ("_is_definitive(order, result)", "True"),
        ),
    ),
    off("R15 lots", "ratios need not divide into lots", returns("decisions.groups.validation:_lot_problems", "[]")),
    off(
        "R24 proof",
        "the kill switch asks nobody whether entries still work",
        edit("actors.trading:Trading.verify", ("self.session.ask(Query.SNAPSHOT)", "pass")),
    ),
    off(
        "R24 belief",
        "the kill switch believes in its own cancels",
        edit("actors.trading:Trading.stop_entries", ("self.entries_left = -1", "self.entries_left = 0")),
    ),
    off(
        "R21 guess",
        "a change without evidence is taken for an assignment",
        edit(
            "decisions.positions.position_changes:_of_option",
            ('return PositionKind.UNEXPLAINED, "no activity and no evidence", 0', 'return exercised, "a guess", 0'),
        ),
    ),
)
