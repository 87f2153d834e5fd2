"""S8: a status never moves back, whatever the order of the reports; what did not move it is kept, and its fills count.

The exchange tells everything, and a postman between it and the cell keeps it and hands it over as each test says.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest
from msgspec.structs import replace
from world import BROKER_SAYS, LONG, SHORT, World, bull_put

from domain.execution import ExecType, ExecutionReport, OrdStatus
from domain.groups import GroupOutcome, Role
from messages.records import ExecutionStateRecord, IntentStatus
from storage.tables import EXECUTIONS


class Postman(World):
    """A world in which what the exchange says of orders is kept until a test hands it over."""

    def __init__(self) -> None:
        self.kept: list[msgspec.Struct] = []
        self.keeping = False
        super().__init__(size=0)

    def take(self, inputs: Iterable[msgspec.Struct]) -> None:
        if not self.keeping:
            super().take(inputs)
            return
        inputs = list(inputs)
        self.kept += [message for message in inputs if isinstance(message, BROKER_SAYS)]
        super().take([message for message in inputs if not isinstance(message, BROKER_SAYS)])

    def carry_out(self, released: object) -> list[msgspec.Struct]:
        answers = super().carry_out(released)  # type: ignore[arg-type]
        if not self.keeping:
            return answers
        self.kept += answers
        return []

    def reports(self, exec_type: ExecType) -> list[ExecutionReport]:
        """What was kept of one kind, in the order in which it happened."""
        return [m for m in self.kept if isinstance(m, ExecutionReport) and m.exec_type is exec_type]

    def hand_over(self, *messages: msgspec.Struct) -> None:
        """These reach the cell now; what it then asks for reaches the exchange, whose answers are kept."""
        self.carry_out(self.cell.run(messages))

    def protection(self) -> ExecutionStateRecord:
        """What the journal knows of the first long order."""
        order = self.orders(Role.PROTECTION)[0]
        return next(s for s in self.group().execution_states if s.client_order_id == order.client_order_id)


@pytest.fixture
def bought_in_three() -> Postman:
    """Ten longs are bought in 3 + 3 + 4, and the cell has heard of nothing since it asked for them."""
    world = Postman()
    world.keeping = True
    world.submit(bull_put(quantity=10))
    for size in (3, 3, 4):
        world.quote(LONG, 20_000, 20_500, size)
    world.sizes[LONG] = 0
    world.sizes[SHORT] = 100
    world.show()
    assert [report.last_qty for report in world.reports(ExecType.TRADE)] == [3, 3, 4]
    return world


class TestEventOrdering:
    def test_a_fill_before_its_acknowledgement_counts_at_once(self, bought_in_three: Postman) -> None:
        world = bought_in_three
        first, *_ = world.reports(ExecType.TRADE)
        world.hand_over(first)
        assert world.protection().cum_qty == 3
        assert [order.quantity for order in world.orders(Role.RISK)] == [3]

    def test_an_acknowledgement_after_the_fill_does_not_make_the_order_new_again(
        self, bought_in_three: Postman
    ) -> None:
        world = bought_in_three
        world.hand_over(*world.reports(ExecType.TRADE))
        (acknowledgement,) = world.reports(ExecType.NEW)[:1]
        world.hand_over(acknowledgement)
        assert (world.protection().ord_status, world.protection().cum_qty) == (OrdStatus.FILLED, 10)
        assert world.group().intents[0].status is IntentStatus.FILLED

    def test_a_partial_fill_after_the_last_one_does_not_move_the_status_back_and_counts(
        self, bought_in_three: Postman
    ) -> None:
        world = bought_in_three
        first, second, last = world.reports(ExecType.TRADE)
        world.hand_over(first, last)
        assert world.protection().ord_status is OrdStatus.FILLED
        world.hand_over(second)
        assert (world.protection().ord_status, world.protection().cum_qty) == (OrdStatus.FILLED, 10)
        assert world.protection().avg_px == 20_500
        assert {e.exec_id for e in world.journal.rows(EXECUTIONS) if e.symbol == LONG} == {
            report.exec_id for report in (first, second, last)
        }

    def test_what_did_not_move_the_status_is_recorded_with_current_incoming_and_reason(
        self, bought_in_three: Postman
    ) -> None:
        world = bought_in_three
        first, second, last = world.reports(ExecType.TRADE)
        world.hand_over(first, last, second)
        (rejected,) = world.rejected()
        assert (rejected.client_order_id, rejected.group_id) == (first.client_order_id, "bp")
        assert (rejected.current, rejected.incoming) == ("filled", "trade/partially_filled")
        assert rejected.reason
        assert world.acted("S8") == 1

    def test_fills_in_any_order_release_each_short_once(self, bought_in_three: Postman) -> None:
        world = bought_in_three
        for report in reversed(world.reports(ExecType.TRADE)):
            world.hand_over(report)
        assert [order.quantity for order in world.orders(Role.RISK)] == [4, 3, 3]
        world.hand_over(*world.kept)
        world.hand_over(*world.kept)
        assert world.group().group.outcome is GroupOutcome.HEDGED
        assert (world.position(LONG), world.position(SHORT)) == (10, -10)

    def test_a_canceled_order_that_fills_after_all_is_filled(self, bought_in_three: Postman) -> None:
        world = bought_in_three
        first, second, last = world.reports(ExecType.TRADE)
        canceled = replace(
            first, exec_type=ExecType.CANCELED, ord_status=OrdStatus.CANCELED, exec_id="C", last_qty=0, leaves_qty=0
        )
        world.hand_over(first, canceled)
        assert world.protection().ord_status is OrdStatus.CANCELED
        world.hand_over(second, last)
        assert (world.protection().ord_status, world.protection().cum_qty) == (OrdStatus.FILLED, 10)
        assert "ORDER_REVIVAL" in world.kinds()

    def test_a_restart_between_two_reports_changes_nothing_of_all_this(self, bought_in_three: Postman) -> None:
        world = bought_in_three
        first, second, last = world.reports(ExecType.TRADE)
        world.hand_over(last)
        world.die()
        world.hand_over(first)
        world.die()
        world.hand_over(second, *world.reports(ExecType.NEW))
        assert (world.protection().ord_status, world.protection().cum_qty) == (OrdStatus.FILLED, 10)
