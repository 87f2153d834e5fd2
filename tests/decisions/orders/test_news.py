"""Which news changes a parent order, and which changes nothing."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from order_cases import NOW, a_parent, at, canceled, new, submits, trade

from decisions.effects import MS, Effects, UnknownMessage
from decisions.orders.news import hear
from decisions.orders.working import Parent, work
from messages.orders import CancelResult, ModifyResult, News, OrderAbsent, OrderSent, Outcome, SubmitResult
from messages.records import IntentRecord

PARENT: Parent = work(a_parent(10), at(), Effects())
INTENT: IntentRecord = next(iter(PARENT.orders.values())).intent
ID = INTENT.client_order_id


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("kind", [CancelResult, ModifyResult])
def test_the_answers_to_requests_are_no_evidence_of_where_the_order_is(
    kind: type[CancelResult | ModifyResult], outcome: Outcome
) -> None:
    effects = Effects()
    answer = kind(client_order_id=ID, request_id="r", outcome=outcome, ts_ns=NOW)
    assert hear(PARENT, [answer], at(), effects) is PARENT
    assert not effects.records


@pytest.mark.parametrize(
    ("news", "filled", "live"),
    [
        (new(INTENT), 0, 10),
        (trade(INTENT, 4, 4), 4, 6),
        (trade(INTENT, 10, 10), 10, 0),
        (canceled(INTENT), 0, 0),
        (OrderSent(client_order_id=ID, ts_ns=NOW, checks=""), 0, 10),
        (SubmitResult(client_order_id=ID, outcome=Outcome.ACCEPTED, ts_ns=NOW), 0, 10),
        (SubmitResult(client_order_id=ID, outcome=Outcome.REFUSED, ts_ns=NOW), 0, 0),
        (SubmitResult(client_order_id=ID, outcome=Outcome.UNKNOWN, ts_ns=NOW), 0, 10),
        (OrderAbsent(ID, NOW + 2_000 * MS), 0, 10),
    ],
)
def test_the_sums_follow_the_order(news: News, filled: int, live: int) -> None:
    parent = hear(PARENT, [news], at(), Effects())
    assert (parent.filled, parent.live) == (filled, live)
    assert (parent.filled, parent.live) == (
        sum(order.filled for order in parent.orders.values()),
        sum(order.live for order in parent.orders.values()),
    )


@pytest.mark.parametrize(
    ("changes", "resent"),
    [({}, 1), ({"yielded": True}, 0), ({"authorized": 9}, 0), ({"authorized": 0}, 0), ({"authorized": 20}, 1)],
)
def test_an_absent_entry_is_sent_again_only_while_its_parent_wants_it(changes: dict[str, int], resent: int) -> None:
    effects = Effects()
    hear(replace(PARENT, **changes), [OrderAbsent(ID, NOW + 2_000 * MS)], at(2_000), effects)
    assert len(submits(effects)) == resent


def test_news_of_an_order_that_this_parent_never_placed_is_an_error() -> None:
    with pytest.raises(UnknownMessage, match="is not an order of"):
        hear(PARENT, [replace(new(INTENT), client_order_id="LK0NOBODY")], at(), Effects())
