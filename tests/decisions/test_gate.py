"""The gate: closed at the start, opened by a snapshot of the present session only (I22, I26, I28)."""

from __future__ import annotations

from itertools import product

import pytest
from msgspec.structs import replace

from decisions.gate import Gate, turn
from messages.market import BrokerSilent, BrokerUp, Tick
from messages.operator import KillSwitch
from messages.orders import Snapshot

RECONCILED = Gate(session=1, reconciled=1)


def snapshot(session: int) -> Snapshot:
    return Snapshot(as_of_ns=1, session=session, orders=(), executions=(), positions=())


def test_it_starts_closed_and_a_session_alone_does_not_open_it() -> None:
    assert not Gate().may_send
    assert not turn(Gate(), BrokerUp(1)).may_send
    opened = turn(turn(Gate(), BrokerUp(1)), snapshot(1))
    assert opened.may_send
    assert opened.may_open


def test_a_new_session_closes_it_until_its_own_snapshot() -> None:
    again = turn(RECONCILED, BrokerUp(2))
    assert not again.may_send
    assert turn(again, snapshot(2)).may_send


def test_silence_forbids_new_risk_and_a_lost_link_everything() -> None:
    silent = turn(RECONCILED, BrokerSilent("no clock"))
    assert (silent.may_send, silent.may_open) == (True, False)
    down = turn(RECONCILED, BrokerSilent("no link", link_down=True))
    assert (down.may_send, down.may_open) == (False, False)
    assert turn(silent, snapshot(1)).may_open
    assert not turn(silent, Tick(1)).may_open


def test_the_kill_switch_forbids_new_risk_and_never_repairs() -> None:
    killed = turn(RECONCILED, KillSwitch(on=True))
    assert (killed.may_send, killed.may_open) == (True, False)
    assert not turn(killed, snapshot(1)).may_open, "a snapshot must not undo a kill"
    assert turn(killed, KillSwitch(on=False)).may_open


@pytest.mark.parametrize("facts", list(product([False, True], repeat=5)))
def test_new_risk_needs_every_fact_and_repairs_only_the_session(facts: tuple[bool, ...]) -> None:
    silent, killed, frozen, storage_low, behind = facts
    gate = replace(
        RECONCILED, silent=silent, killed=killed, frozen=frozen, storage_low=storage_low, behind=behind
    )  # fmt: skip
    assert gate.may_send
    assert gate.may_open == (not any(facts))
    assert not replace(gate, session=0).may_open
    assert not replace(gate, session=0, reconciled=0).may_send


@pytest.mark.parametrize(
    ("gate", "says"),
    [
        (Gate(), "no session with the broker"),
        (Gate(session=2, reconciled=1), "not been compared with the broker's snapshot"),
        (replace(RECONCILED, killed=True, silent=True), "the kill switch is on; 'kill-switch off' ends that"),
        (replace(RECONCILED, frozen=True), "'ack' ends that"),
        (replace(RECONCILED, storage_low=True), "the disk is full, or was"),
        (replace(RECONCILED, silent=True), "the broker is silent"),
        (replace(RECONCILED, behind=True), "clock is far behind the journal's"),
    ],
)
def test_a_closed_gate_says_what_closed_it(gate: Gate, says: str) -> None:
    assert says in gate.shut_by
    assert RECONCILED.shut_by == ""
