"""The part of the broker contract that is about money."""

from __future__ import annotations

from contract_desk import ASK, Desk, Harness, Trading

from domain.execution import ExecType
from messages.market import Funds


class AccountContract(Trading):
    """What every broker says of its account."""

    def test_the_account_tells_its_funds_and_a_premium_paid_leaves_fewer_of_them(
        self, desk: Desk, harness: Harness
    ) -> None:
        desk.adapter.request_account()
        before = desk.next(Funds)
        assert before.available > 0
        assert before.used >= 0
        order = self.order(harness, price=ASK)
        self.send(desk, order)
        trade = desk.report(order, ExecType.TRADE)
        desk.events.clear()
        desk.adapter.request_account()
        after = desk.next(Funds)
        assert after.ts_ns >= trade.ts_ns
        assert after.available + after.used < before.available + before.used
