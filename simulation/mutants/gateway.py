"""Bugs at the door and between the processes: controls, pace, kill switch, batches, alerts."""

from __future__ import annotations

from typing import Final

from simulation.aims import AT_ONCE, DOUBLES, KILLED, MANY, PACED, only
from simulation.mutants.catalogue import Mutant
from simulation.mutants.planting import edit, returns, together, without

_UNHEARD: Final = edit("actors.desk:Desk.on_kill_switch", ("if command.on:", "if False:"))
_E9: Final = without("decisions.gateway.controls:CONTROLS", lambda row: row.name == "E9")

MUTANTS: Final = (
    Mutant(  # held twice: by the numbers of the batches, and by the ids of the orders
        "copy-is-sent",
        "a batch that comes twice is sent twice",
        ("R7",),
        together(
            edit(
                "decisions.gateway.controls:Controls.judge",
                ("if ledger.knows(order.client_order_id) and not order.resend:", "if False:"),
            ),
            edit("actors.window:InWindow.arrives", ("if number <= self._taken:", "if False:")),
        ),
        only("F.actors.duplicate") | DOUBLES,
    ),
    Mutant(
        "parent-without-limit",
        "orders of a parent are not added up, and neither does the leg",
        ("I25", "I3", "I4"),
        together(
            without("decisions.gateway.controls:CONTROLS", lambda row: row.name == "E6"),
            edit(
                "decisions.orders.child_order:ChildOrder.fate",
                ("if state.is_settled:", "if state.is_settled or self.intent.status is IntentStatus.SENT:"),
            ),
        ),
    ),
    Mutant(  # held twice: by who decides, and by the door
        "orders-at-night",
        "orders are decided and leave although the session is over",
        ("I25",),
        together(
            edit("decisions.orders.working:place", ("if moment.waits:", "if False:")),
            without("decisions.gateway.controls:CONTROLS", lambda row: row.name == "E4"),
        ),
        only("F.broker.session_end", "F.operator.cancel"),
    ),
    Mutant(
        "the-dead-are-traded",
        "orders are decided in contracts that have expired, and hedges too, until their news comes",
        ("E17",),
        together(
            edit("decisions.orders.working:place", ("if moment.expired(parent.instrument):", "if False:")),
            edit("decisions.groups.group_hedging:hedge_shortfalls", (" or moment.expired(leg.instrument)", "")),
        ),
        only("F.broker.expiry", "F.operator.cancel", "F.market.dry"),
    ),
    Mutant(
        "list-of-the-first-session",
        "gateway and cells go by the first list of contracts for ever",
        ("I25",),
        edit(
            "actors.broker_session:BrokerSession.on_instruments",
            (
                "found = InstrumentList(complete(",
                "found = self.instruments if self.instruments.instruments else InstrumentList(complete(",
            ),
        ),
        only("F.broker.relist", "F.wire.logged_out", "F.operator.cancel"),
    ),
    Mutant(
        "reserve-for-anybody",
        "new risk uses the tokens that are reserved for repairs",
        ("I25",),
        returns("decisions.gateway.lanes:Lanes._limit", "self._tokens"),
    ),
    Mutant(
        "no-pace",
        "requests leave as fast as they come",
        ("I25",),
        returns("decisions.gateway.lanes:Lanes.free", "True"),
    ),
    Mutant(
        "tokenless-controls",
        "the cancels that controls make by themselves do not wait for a token",
        ("I25",),
        edit("actors.order_door:OrderDoor.ask_cancel", ("self._line_up(", "self.adapter.cancel(")),
    ),
    Mutant(
        "tokenless-crossings",
        "a repair that waited for a crossing leaves without a token",
        ("I25",),
        edit("actors.order_door:OrderDoor.let_out", ("self._spends(self.submit(held), now)", "self.submit(held)")),
    ),
    Mutant(  # held four times: the door drops what waits, two controls refuse it, and its group cancels it
        "kill-misses-what-waits",
        "what waits at the door when the kill switch is turned on still leaves, and no group hears of it",
        ("I26", "I25"),
        together(
            _E9,
            _UNHEARD,
            returns("actors.order_door:OrderDoor.drop_entries", "None"),
            returns("actors.account_door:AccountDoor.forbids", '""'),
        ),
        only("F.operator.kill_switch") | KILLED | PACED | MANY,
    ),
    Mutant(
        "kill-leaves-entries",
        "the kill switch cancels no working entry",
        ("I26",),
        together(
            returns("actors.order_door:OrderDoor.cancel_entries", "0"),
            _UNHEARD,
        ),
        only("F.operator.kill_switch")
        | KILLED
        | MANY
        | AT_ONCE
        | {"size": 1, "an entry works for, ms": 30_000, "entry patience, ms": 20_000, "under fire for, ms": 16_000},
    ),
    Mutant(
        "kill-forgotten",
        "a gateway that is started again does not look for the kill switch",
        ("I26",),
        edit("actors.trading:Trading.__init__", ("door.killed = kill_file.exists()", "door.killed = False")),
    ),
    Mutant(
        "kill-off-without-room",
        "a kill switch whose file could not be written goes off again, as if somebody had removed the file",
        ("I26",),
        edit("actors.trading:Trading._write_kill_file", ("unwritten = on and not written\n", "unwritten = False\n")),
        only("F.operator.kill_switch", "F.storage.full") | KILLED,
    ),
    Mutant(
        "kill-not-looked-for-again",
        "a gateway that came back without its journal does not look for the kill switch when it can read it",
        ("I25", "I26"),
        edit("actors.trading:Trading.look", ("elif self.is_unwritten:", "elif False:")),
        only("F.operator.kill_switch", "F.storage.full", "F.process.kill")
        | KILLED
        | {
            "times of F.storage.full": 1,
            "F.storage.full after, ms": 1_200,
            "for, ms": 1_300,
            "times of F.process.kill": 4,
            "F.process.kill after, ms": 2_200,
            "submit at, ms": 4_000,
            "under fire for, ms": 16_000,
        },
    ),
    Mutant(
        "kill-file-not-looked-for",
        "a gateway that comes back without its journal does not look for the kill switch's file either",
        ("I26",),
        edit(
            "actors.trading:Trading.__init__",
            ("door.killed = kill_file.exists()", "door.killed = (kill_file.exists() and not memory.problem)"),
        ),
        only("F.operator.kill_switch", "F.storage.full_at_opening", "F.process.kill", "F.storage.busy") | KILLED,
    ),
    Mutant(
        "overtaken-is-taken",
        "a batch that overtook a lost one makes that pass for a copy",
        ("I26", "I12", "L1", "I10"),
        edit("actors.window:InWindow.arrives", ("if number > max(self._taken + 1, oldest):", "if False:")),
        only("F.actors.drop") | MANY,
    ),
    Mutant(
        "batch-sent-once",
        "what was lost between two processes is not sent again",
        ("L1", "L2"),
        returns("actors.window:OutWindow.resend", "None"),
    ),
    Mutant(
        "greeting-once",
        "a greeting that was lost is not repeated",
        ("L1",),
        edit("actors.cell:Cell.on_wakeup", ("if now - self.heard_ms > GREET_AGAIN_MS:", "if False:")),
        only("F.actors.drop", "F.process.kill"),
    ),
    Mutant(
        "alert-sent-once",
        "an alert that was lost is not sent again",
        ("L5",),
        edit("actors.cell:Cell.on_wakeup", ("if late:", "if False:")),
        only("F.actors.overflow", "F.broker.forget", "F.broker.bust") | MANY,
    ),
    Mutant(
        "stop-told-once",
        "that something is disabled is announced once, by the gateway that did it, whether or not a cell has taken it",
        ("L5",),
        edit(
            "actors.standing_alerts:StandingAlerts.look",
            (
                "self.cells.announce(alert)",
                "self.cells.announce(alert)\n            self.memory.record(told(stopped))",
            ),
        ),
        only("F.process.kill", "F.process.commit_after", "F.storage.slow")
        | MANY
        | AT_ONCE
        | {
            "controls": {"repeat_limit": 1},
            "cells": 1,
            "submit at, ms": 1_000,
            "times of F.process.kill": 4,
            "F.process.kill after, ms": 1_500,
        },
    ),
    Mutant(
        "alert-confirmed-early",
        "an alert counts as filed although the alert log could not be written",
        ("L5",),
        edit(
            "actors.notifier:Notifier.file_alerts", ("        return\n    self.file_problem", "    self.file_problem")
        ),
        only("F.storage.alert_log_full", "F.operator.kill_switch") | KILLED | MANY,
    ),
    Mutant(
        "poll-off",
        "the broker is never asked for its state again",
        ("L1", "L2", "R20"),
        edit(
            "actors.broker_session:BrokerSession.on_heartbeat",
            ("if self.clock_ns - self.polled_ns >=", "if False and self.clock_ns - self.polled_ns >="),
        ),
    ),
    Mutant(
        "snapshot-without-fills",
        "a snapshot's executions are not looked at",
        ("I12", "L1"),
        edit(
            "decisions.orders.snapshots:sort_out",
            ("chain(snapshot.executions, snapshot.orders)", "snapshot.orders"),
        ),
    ),
    Mutant(
        "never-restarted",
        "a process that died is not started again",
        ("L1", "I24"),
        returns("supervisors.supervisor:Supervisor.restart", "None"),
        only("F.process.kill", "F.broker.bust"),
    ),
    Mutant(
        "hang-not-noticed",
        "a process that was stopped is not killed, and its messages wait",
        ("L1", "I24"),
        returns("decisions.supervision:hung", "False"),
        only("F.process.hang_for_good"),
    ),
    Mutant(
        "cut-tags-are-accepted",
        "a house that keeps only the beginning of client order ids is logged in to",
        ("I1",),
        edit(
            "brokers.embedded.adapter:broken_promises",
            ("promised.max_tag_length >= declared.max_client_order_id_length", "True"),
        ),
        aim=only("F.broker.tag_truncated", "F.market.dry"),
    ),
)
