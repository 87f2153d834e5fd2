"""Any story of markets, deaths and commands: one vertical at a time, never a short without its long, and a true end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trader import Trader, contract, rules

from domain.strategies import Exit, StrategyStatus
from domain.verticals import VerticalKind
from messages.operator import CancelGroup, KillSwitch, OperateStrategy
from storage.port import CommitUnknown

events = st.one_of(
    st.tuples(st.just("move"), st.sampled_from((88.0, 92.0, 94.0, 96.0, 98.0, 100.0, 102.0, 104.0, 108.0, 112.0))),
    st.tuples(st.just("wait"), st.sampled_from((1, 3, 10))),
    st.tuples(st.just("die"), st.integers(1, 6)),
    st.tuples(st.just("size"), st.sampled_from((2, 7, 100))),
    st.tuples(st.just("kill"), st.booleans()),
    st.tuples(st.just("run"), st.booleans()),
    st.tuples(st.just("cancel"), st.none()),
)


class Story:
    """Tells one; a commit whose fate is unknown ends the cell, and the next one takes over."""

    def __init__(self, kind: VerticalKind) -> None:
        self.kind = kind
        self.world = Trader(
            rules(kind, retry_ms=500, max_adjustments=2, stop_loss_pct=150.0, re_enter=True, max_tries=100)
        )

    def tell(self, what: str, how: object) -> None:
        world = self.world
        try:
            match what:
                case "move":
                    world.move(float(str(how)))
                case "wait":
                    for _ in range(int(str(how))):
                        world.snapshot()
                        world.advance(1_000, step_ms=250, fresh=True)
                        self.look()
                case "die":
                    world.journal.fail_commit(int(str(how)), durable=bool(int(str(how)) % 2))
                case "size":
                    world.sizes = dict.fromkeys(world.sizes, int(str(how)))
                case "kill":
                    world.take([KillSwitch(on=bool(how))])
                case "run":
                    world.take([OperateStrategy("weekly", bool(how))])
                case "cancel":
                    group_id = world.strategy().group_id
                    world.take([CancelGroup(group_id)] if group_id and world.journal.group(group_id) else [])
        except CommitUnknown:
            world.restart()
        self.look()

    def look(self) -> None:
        """What must hold at any moment."""
        held = self.world.positions()
        assert sum(held.values()) >= 0, f"a short without its long: {held}"
        assert sum(quantity for quantity in held.values() if quantity > 0) <= 10, f"more than one vertical: {held}"

    def end(self) -> None:
        """All faults end, and a person stops the strategy."""
        self.world.journal.fail_commit(0, durable=False)
        for what, how in (("size", 100), ("kill", False), ("move", 100.0), ("run", False), ("wait", 30)):
            self.tell(what, how)


@pytest.mark.parametrize("kind", VerticalKind)
@settings(max_examples=12, deadline=None)
@given(story=st.lists(events, max_size=14))
def test_any_story_ends_flat_and_its_books_are_the_accounts(
    kind: VerticalKind, story: list[tuple[str, object]]
) -> None:
    told = Story(kind)
    told.tell("wait", 1)
    for what, how in story:
        told.tell(what, how)
    told.end()
    world = told.world
    record, verticals = world.strategy(), world.verticals()
    assert world.positions() == {}, record
    assert (record.status, record.crashes) == (StrategyStatus.FLAT, 0)
    assert all(vertical.closed_ns and vertical.exit is not Exit.NONE for vertical in verticals)
    brought = sum(
        -r.side.sign * r.last_qty * r.last_px * 100 for r in world.exchange.executions() if r.side is not None
    )
    assert record.realised == sum(vertical.realised for vertical in verticals) == brought
    assert {order.symbol for order in world.orders()} <= {contract(kind, strike) for strike in range(80, 125, 5)}
