"""Bugs in what is remembered, and in what is made of it after a death: journal, epochs, inbox, absence."""

from __future__ import annotations

from typing import Final

from simulation.aims import AT_ONCE, DOUBLES, GUARDED, MANY, RESTS, certain, one_group, only
from simulation.mutants.catalogue import Mutant
from simulation.mutants.planting import edit, returns, together

_ONE_ABSENCE: Final = edit("decisions.orders.recovery:resolve", ("min(absences, 2)", "2 * min(absences, 1)"))
_HIDDEN: Final = (
    only(
        "F.broker.order_missing_from_snapshot", "F.broker.forget", "F.broker.lose_ack", "F.broker.drop_report",
        "F.market.dry",
    )
    | DOUBLES
    | {"poll, ms": 4_000, "groups": 1, "shape": "bull_call", "quantity": 60}
)  # fmt: skip


def _forgets(record: str) -> tuple[str, str]:
    return (
        "records = tuple(record for _, record in turn.records)",
        f'records = tuple(record for _, record in turn.records if type(record).__name__ != "{record}")',
    )


MUTANTS: Final = (
    Mutant(
        "send-before-persist",
        "orders leave before the turn that decided them is durable",
        ("I1", "S10"),
        together(
            edit(
                "actors.cell:Cell.on_start",
                (
                    "self.measures = self.tree.measures",
                    "self.measures = self.tree.measures\n"
                    "    self.tree.early = lambda requests: (self.orders.put(*requests), self.orders.flush(now_ms()))",
                ),
            ),
            edit(
                "actors.cell_tree:CellTree.run",
                (
                    "self.journal.commit(JournalTurn(",
                    'getattr(self, "early", len)(tuple(request for _, request in turn.requests))\n'
                    "        self.journal.commit(JournalTurn(",
                ),
            ),
        ),
        only("F.process.commit_before") | MANY,
    ),
    Mutant(
        "commit-error-is-success",
        "a commit that failed is taken for done",
        ("I1", "I16"),
        edit(
            "actors.cell_tree:CellTree.run",
            (
                "self.journal.commit(JournalTurn(",
                'with __import__("contextlib").suppress(Exception): self.journal.commit(JournalTurn(',
            ),
        ),
        only("F.storage.commit_fails"),
    ),
    Mutant(
        "full-disk-is-no-reason",
        "new risk is decided although the disk has no room",
        ("I28",),
        edit("decisions.gate:Gate.shut_by", ("(self.storage_low,", "(False,")),
        only("F.storage.full") | MANY,
    ),
    Mutant(
        "ended-orders-are-deleted",
        "the row of an order that has ended is taken out of its table",
        ("I2", "I20"),
        edit(
            "storage.memory:_Disk.write",
            (
                "self._index(table, key, record)",
                "self._index(table, key, record)\n"
                "            if table is INTENTS and record.terminal_ns:\n"
                "                del self.rows[table][key]",
            ),
        ),
        only(),
    ),
    Mutant(
        "commit-error-is-absence",
        "a commit that failed is decided again by the same cell, as if it had not become durable",
        ("I16", "S10"),
        edit("actors.cell:Cell.turn", ("machine().die()", "self.tree._turn.clear()")),
        only("F.storage.commit_fails"),
    ),
    Mutant(
        "stop-not-written",
        "a stop-loss is not in the journal",
        ("I8", "L1"),
        edit("actors.cell_tree:CellTree.run", _forgets("StopRecord")),
        only("F.process.kill") | GUARDED,
    ),
    Mutant(
        "hedge-not-written",
        "a hedge is not in the journal",
        ("I5",),
        edit("actors.cell_tree:CellTree.run", _forgets("HedgeRecord")),
    ),
    Mutant(
        "execution-not-written",
        "fills are counted and not recorded",
        ("I11", "I29"),
        edit("actors.cell_tree:CellTree.run", _forgets("ExecutionRecord")),
    ),
    Mutant(
        "state-not-written",
        "what is known of an order is forgotten at a restart",
        ("I12",),
        edit("actors.cell_tree:CellTree.run", _forgets("ExecutionStateRecord")),
    ),
    Mutant(
        "older-copy-unnoticed",
        "orders of ours that an older copy of the journal has forgotten are taken for somebody else's",
        ("I1", "I2", "I30", "R22"),
        returns("actors.foreign:Foreign.made_here", "False"),
        only("F.storage.older_copy"),
    ),
    Mutant(
        "taken-twice",
        "what the inbox holds is taken again",
        ("I23", "S9"),
        returns("actors.cell_tree:CellTree._is_repeated", "False"),
    ),
    Mutant(
        "processed-before-its-effects",
        "what was taken is marked as processed in a commit of its own, before that of its effects",
        ("S9", "I12", "L1", "L2"),
        edit(
            "actors.cell_tree:CellTree.run",
            (
                "self.journal.commit(JournalTurn(",
                'marks = tuple(record for record in records if type(record).__name__ == "ProcessedEventRecord")\n'
                "        if marks:\n"
                "            self.journal.commit(JournalTurn("
                "epoch=self.journal.epoch, at_ns=self.clock_ns, records=marks))\n"
                "        self.journal.commit(JournalTurn(",
            ),
            (
                "at_ns=self.clock_ns, records=records)",
                "at_ns=self.clock_ns, records=tuple(record for record in records if record not in marks))",
            ),
        ),
        only("F.process.commit_before", "F.broker.expiry") | certain("F.broker.expiry") | MANY,
    ),
    Mutant(
        "first-record-wins",
        "the tables keep the first record of a turn under each key",
        ("I20", "I12"),
        edit(
            "storage.tables:coalesce",
            ("last[table][table.identity(record)] = record", "last[table].setdefault(table.identity(record), record)"),
        ),
        only(),
    ),
    Mutant(
        "turn-skipped",
        "the log leaves a number out",
        ("I19",),
        edit("storage.log:stored", ("number = head.turn + 1", "number = head.turn + 1 + (head.turn > 5)")),
    ),
    Mutant(
        "chain-unbound",
        "a turn is not bound to the one before it",
        ("I19",),
        edit("storage.log:link", ("digest = blake2b(prev_hash, digest_size=32)", "digest = blake2b(digest_size=32)")),
    ),
    Mutant(
        "recovery-without-epoch",
        "a journal that is opened again keeps its epoch",
        ("I17",),
        edit("storage.memory:MemoryJournal.__init__", ("self._disk.epoch += 1", "self._disk.epoch = 1")),
    ),
    Mutant(
        "old-epoch-may-send",
        "what a dead incarnation of a cell had asked for still leaves",
        ("I18",),
        together(
            returns("actors.fan_out:FanOut.is_current", "cell in self._cells"),
            returns("actors.order_door:OrderDoor.drop_older", "None"),
        ),
    ),
    Mutant(
        "open-before-reconciled",
        "new risk leaves before the journal was compared with the broker",
        ("I22",),
        together(
            returns("decisions.gate:Gate.may_send", "self.session > 0"),
            edit("decisions.gate:Gate.shut_by", ("(self.reconciled != self.session,", "(False,")),
        ),
    ),
    Mutant(
        "one-absence-is-enough",
        "one snapshot without an order proves that it is not there",
        ("I15", "I3", "R7"),
        _ONE_ABSENCE,
        _HIDDEN,
    ),
    Mutant(
        "no-horizon",
        "a snapshot as old as the order proves its absence",
        ("I15", "R7"),
        edit("decisions.orders.child_order:on_absence", (") + horizon_ns:", "):")),
    ),
    Mutant(
        "one-snapshot-twice",
        "a snapshot that comes twice is two absences",
        ("I15",),
        edit(
            "decisions.orders.child_order:on_absence",
            ("if as_of_ns >= order.absent_ns + horizon_ns:", "if True:"),
            (") + horizon_ns:", "):"),
        ),
    ),
    Mutant(
        "two-looks-at-one-list",
        "two snapshots are two absences however close together they were taken, though one list lags in both",
        ("I15", "I3", "I4"),
        edit(
            "decisions.orders.child_order:on_absence",
            ("if as_of_ns >= order.absent_ns + horizon_ns:", "if as_of_ns > order.absent_ns:"),
        ),
        only(
            "F.broker.order_missing_from_snapshot",
            "F.broker.forget",
            "F.broker.lose_ack",
            "F.broker.drop_report",
            "F.broker.lose_request",
            "F.broker.answer_late",
            "F.process.kill",
        )
        | DOUBLES
        | RESTS
        | {"groups": 2, "poll, ms": 4_000, "cells": 2, "answer timeout, ms": 500},
    ),
    Mutant(
        "absent-before-it-left",
        "snapshots that were taken before an order left prove its absence",
        ("I15", "I7", "R7"),
        edit("decisions.orders.awaited:Awaited.waits", ("return bool(gateway) and", "return False and")),
        only("F.process.hang", "F.process.kill") | DOUBLES | {"groups": 2, "quantity": 60},
    ),
    Mutant(
        "taken-for-ever",
        "what an answer took and no snapshot shows counts as live for ever",
        ("L2",),
        edit("decisions.orders.order_changes:must_cancel", (" or order.has_vanished", "")),
        only("F.broker.accept_refused", "F.broker.drop_report") | GUARDED,
    ),
    Mutant(  # held twice: two absences beyond the horizon prove that the first copy is not there
        "resend-without-promise",
        "an order that one snapshot leaves out is sent again to a broker that makes a second one of it",
        ("R7",),
        together(
            _ONE_ABSENCE,
            edit(
                "decisions.orders.child_order:on_absence",
                ("moment.deduplicates and not order.barred", "not order.barred"),
            ),
        ),
        _HIDDEN,
    ),
    Mutant(
        "resend-without-asking",
        "after a restart an order in doubt is sent again at once, before the broker is asked whether it is there",
        ("R7", "I3", "I4"),
        edit(
            "actors.cell:Cell.on_peers",
            (
                "self.greet()",
                "self.greet()\n"
                "        from decisions.orders.child_order import submit_request\n"
                "        rows = self.journal.groups(self.journal.open_groups())\n"
                "        doubtful = [i for row in rows if row for i in row.intents "
                'if i.status.value in ("INTENT_PERSISTED", "SENT", "UNRESOLVED")]\n'
                '        moment = self.tree._moment("restart")\n'
                "        self.orders.put(*(submit_request(i, moment, resend=True) for i in doubtful))\n"
                "        self.orders.flush(now_ms())",
            ),
        ),
        only("F.process.kill") | DOUBLES | MANY,
    ),
    Mutant(
        "retried-by-symbol",
        "before an order is tried again the broker's list is searched for its symbol, side and quantity, not its tag",
        ("R23", "L1", "L2", "I11", "I12"),
        edit(
            "actors.snapshots:Snapshots.on_snapshot",
            (
                "self.absent = found.absent",
                "from msgspec.structs import replace\n"
                "    alike = {(r.symbol, r.side, r.order_qty): r for r in snapshot.orders}\n"
                "    for absent in list(found.absent):\n"
                "        rows = self.nursery.journal.group(self.nursery.owner(absent.client_order_id))\n"
                "        intents = rows.intents if rows else ()\n"
                "        looks = [(i.symbol, i.side, i.quantity) for i in intents "
                "if i.client_order_id == absent.client_order_id]\n"
                "        if looks and looks[0] in alike:\n"
                "            found.absent.remove(absent)\n"
                "            found.reports.append(replace(alike[looks[0]], client_order_id=absent.client_order_id))\n"
                "    self.absent = found.absent",
            ),
        ),
        only("F.broker.lose_request", "F.broker.forget") | MANY,
    ),
    Mutant(
        "resend-of-the-unwanted",
        "an entry is sent again although its group closes or new risk is forbidden",
        ("I10", "I26"),
        edit(
            "decisions.orders.child_order:on_absence",
            (" and wanted and (intent.role not in ENTRY_ROLES or moment.may_open)", ""),
        ),
        only("F.broker.lose_request", "F.operator.cancel")
        | certain("F.operator.cancel")
        | MANY
        | AT_ONCE
        | {"ids are deduplicated": True},
    ),
    Mutant(
        "resend-as-market-buy",
        "what is sent again is a market order to buy",
        ("I30",),
        edit(
            "decisions.orders.child_order:submit_request",
            ("side=intent.side,", "side=type(intent.side).BUY if resend else intent.side,"),
            (
                "order_type=intent.order_type,",
                "order_type=type(intent.order_type).MARKET if resend else intent.order_type,",
            ),
            ("price=intent.price,", "price=0 if resend else intent.price,"),
        ),
    ),
    Mutant(
        "absence-changes-nothing",
        "what the broker does not list is waited for for ever",
        ("L1", "L2"),
        returns("decisions.orders.child_order:on_absence", "order"),
    ),
    Mutant(
        "lost-timer",
        "a timer that never rang is waited for for ever: a gateway does not look at its link again",
        ("L1",),
        returns("actors.alarms:Alarms.overdue", "[]"),
        aim=only("F.time.timer_lost", "F.wire.reset"),
    ),
    Mutant(
        "accepted-and-rolled-back",
        "a plan is answered as accepted although its group was rolled back",
        ("S10",),
        edit("actors.turn:Turn.answer", ("reply[0] != command_id", "True")),
        aim=only("F.actors.group_raises"),
    ),
    Mutant(  # held twice: at once, and by the patience that a group has when it is opened again
        "gone-and-then-busted",
        "a group of which more went without an order than it ever had is left as it is",
        ("L1",),
        together(
            returns("decisions.groups.group_levels:Tally.overdrawn", '""'),
            edit("decisions.groups.group:_too_late", ("if moment.waits and not before:", "if not before:")),
        ),
        aim={**only("F.broker.liquidation", "F.broker.bust"), **one_group("naked_call", 1)},
    ),
    Mutant(
        "two-gateways",
        "a gateway starts although the one before it lives on",
        ("I17",),
        edit("actors.gateway:BrokerGateway.open", ("if not machine().claim(", "if not machine().claim or False and (")),
        aim=only("F.process.two_instances"),
    ),
)
