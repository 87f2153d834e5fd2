"""Whatever stands stopped has its alert (L5), whichever gateway or cell dies before anybody has journaled one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gateway_door import DAY_NS, LONG, NOW_NS, Clock, Door, door, lets_out, order, put, report

from actors.machine import running_on
from actors.standing_alerts import AGAIN_MS
from decisions.gateway.repeats import strategy_subject, subject_of
from decisions.gateway.standing import LOSS, TOLD
from domain.execution import ExecType, Side
from domain.strategies import StrategyRules, strategy_group_id
from domain.verticals import VerticalKind
from messages import wire
from messages.controls import AskControls, ControlAlert, EnableControl
from messages.operator import CommandDone
from messages.orders import Position
from messages.supervision import EventBatch, EventBatchTaken, Hello

WEEKLY = StrategyRules(name="weekly", kind=VerticalKind.BULL_PUT, underlying="XYZ", quantity=1)
SETTINGS: dict[str, Any] = {"strategies": (WEEKLY,), "max_loss": 80, "repeat_limit": 3, "strategy_limit": 3}
BOUGHT = [order(LONG, Side.BUY, group_id=f"g{number}") for number in range(4)]
SYMBOL, STRATEGY = subject_of(LONG.symbol, Side.BUY), strategy_subject("weekly")


def loses(gateway: Door) -> None:
    """90.00 are lost today."""
    gateway.quotes(bid=500, ask=1_500)
    told = report(BOUGHT[0], ExecType.TRADE, 1, NOW_NS, last_qty=1, last_px=BOUGHT[0].price)
    gateway.snapshot(executions=(told,), positions=(Position(LONG.symbol, 1, 1_0000),))
    gateway.passes(1_000)


def repeats(gateway: Door) -> None:
    """The same is bought again and again."""
    told = [report(each, ExecType.TRADE, 1, NOW_NS, last_qty=1, last_px=each.price) for each in BOUGHT]
    gateway.snapshot(executions=tuple(told))


def applies(gateway: Door) -> None:
    """A strategy opens one group too many."""
    groups = [strategy_group_id("weekly", number, (1,)) for number in range(4)]
    for number, group_id in enumerate(groups):
        gateway.hear(order(put(80 + 5 * number), Side.BUY, group_id=group_id))


CASES = [
    (loses, LOSS, "LOSS_LIMIT"),
    (repeats, SYMBOL, "REPEATED_EXECUTION"),
    (applies, STRATEGY, "REPEATED_EXECUTION"),
]


@pytest.mark.parametrize(("stops", "subject", "kind"), CASES, ids=["loss", "symbol", "strategy"])
def test_l5_a_gateway_that_died_before_a_cell_had_its_alert_is_made_good_by_the_next(
    tmp_path: Path, stops: Callable[[Door], None], subject: str, kind: str
) -> None:
    with door(tmp_path, **SETTINGS) as first:
        first.deaf = True
        stops(first)
        assert [record.subject for record in first.memory.standing.untold(first.now_ns)] == [subject]
    with door(tmp_path, **SETTINGS) as second:
        assert [alert.kind for alert in second.alerts] == [kind]
        second.passes(100)
        assert second.memory.is_durable(TOLD + subject)
    with door(tmp_path, **SETTINGS) as third:
        third.passes(10_000)
        assert third.alerts == [], "a cell is known to keep it"


@pytest.mark.parametrize(("stops", "subject", "kind"), CASES, ids=["loss", "symbol", "strategy"])
def test_l5_it_is_announced_once_and_is_no_control_in_force(
    tmp_path: Path, stops: Callable[[Door], None], subject: str, kind: str
) -> None:
    clock = Clock()
    with running_on(clock), door(tmp_path, **SETTINGS) as gateway:
        clock.settle(gateway)
        stops(gateway)
        for _ in range(20):
            clock.ns += 1_000 * 10**6
            gateway.passes(1_000)
        assert [alert.kind for alert in gateway.alerts] == [kind]
        told = gateway.memory.standing.last(TOLD + subject)
        stopped = gateway.memory.standing.last(subject)
        assert told is not None and stopped is not None and told.at_ns == stopped.at_ns
        assert not any(TOLD in line for line in gateway.told(AskControls()).lines)


def test_l5_the_texts_say_what_is_stopped_and_what_ends_it(tmp_path: Path) -> None:
    with door(tmp_path, **SETTINGS) as gateway:
        applies(gateway)
        repeats(gateway)
        other, one = gateway.alerts
        assert one.text.endswith(f"new risk in it is stopped until 'controls enable \"{SYMBOL}\"'")
        assert other.text.endswith(f"new risk of it is stopped until 'controls enable \"{STRATEGY}\"'")
        assert (one.symbol, other.symbol) == (LONG.symbol, "")


def test_l5_what_stops_a_second_time_is_told_a_second_time(tmp_path: Path) -> None:
    with door(tmp_path, **SETTINGS) as gateway:
        for again in range(2):
            gateway.passes(1_000)
            for number in range(4):
                lets_out(gateway, each := order(LONG, Side.BUY, group_id=f"{again}/{number}"))
                gateway.fills(each)
            gateway.passes(1_000)
            assert isinstance(gateway.told(EnableControl(SYMBOL, "meant it", "maria")), CommandDone)
        assert len({alert.subject for alert in gateway.alerts}) == 2


def test_l5_what_a_person_has_enabled_and_a_loss_of_yesterday_are_told_no_more(tmp_path: Path) -> None:
    with door(tmp_path, **SETTINGS) as gateway:
        gateway.deaf = True
        loses(gateway)
        repeats(gateway)
        standing = gateway.memory.standing
        assert {record.subject for record in standing.untold(gateway.now_ns)} == {LOSS, SYMBOL}
        assert [record.subject for record in standing.untold(gateway.now_ns + DAY_NS)] == [SYMBOL]
        gateway.passes(1_000)
        gateway.operator.carry_out(EnableControl(SYMBOL, "meant it", "maria"))
        assert [record.subject for record in standing.untold(gateway.now_ns)] == [LOSS]


class Post:
    """Takes what is sent to two cells; who is not ``alive`` takes nothing."""

    def __init__(self, gateway: Door, alive: set[str]) -> None:
        self.gateway, self.alive = gateway, alive
        self.alerts: dict[str, list[ControlAlert]] = {"cell": [], "cell1": []}

    def send(self, target: Any, message: Any) -> None:
        if isinstance(message, EventBatch) and target in self.alerts:
            events = wire.events(message.events)
            self.alerts[target] += [event for event in events if isinstance(event, ControlAlert)]
            if target in self.alive:
                self.gateway.cells.taken(EventBatchTaken(message.gateway, message.number), target)


@pytest.mark.parametrize("dead_ms", [0, 60_000])
def test_l5_a_cell_that_takes_nothing_does_not_keep_the_alert_from_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dead_ms: int
) -> None:
    """It may hang as the alert is made, or may have been gone for long: then nothing is left to it."""
    clock = Clock()
    with running_on(clock), door(tmp_path, **SETTINGS) as gateway:
        clock.settle(gateway)
        post = Post(gateway, {"cell1"})
        monkeypatch.setattr(gateway.cells, "_send", post.send)
        gateway.on_hello(Hello(1, 1, frozenset()), "cell1")

        def passes(ms: int) -> None:
            for _ in range(ms // 500):
                clock.ns += 500 * 10**6
                gateway.passes(500)

        passes(dead_ms)
        loses(gateway)
        if dead_ms:
            assert [alert.kind for alert in post.alerts["cell1"]] == ["LOSS_LIMIT"], "at once"
        passes(AGAIN_MS + 500)
        assert [alert.kind for alert in post.alerts["cell1"]] == ["LOSS_LIMIT"]
        passes(10 * AGAIN_MS)
        assert len(post.alerts["cell1"]) == 1
        if dead_ms:
            assert post.alerts["cell"] == []


def test_l5_a_cell_that_owes_it_is_not_owed_it_twice(tmp_path: Path) -> None:
    clock = Clock()
    with running_on(clock), door(tmp_path, **SETTINGS) as gateway:
        clock.settle(gateway)
        gateway.deaf = True
        loses(gateway)
        for _ in range(20):
            clock.ns += 1_000 * 10**6
            gateway.on_wakeup(gateway.look_ms)
        gateway.deaf = False
        gateway.posted.clear()
        clock.ns += 1_000 * 10**6
        gateway.cells.resend()
        gateway.heard()
        assert [alert.kind for alert in gateway.alerts] == ["LOSS_LIMIT"]
