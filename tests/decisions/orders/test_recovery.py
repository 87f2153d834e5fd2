"""The recovery table: every cell is there, does what is written here, and for this reason."""

from __future__ import annotations

from itertools import product

import pytest

from decisions.orders.recovery import STATUS, TABLE, Action, BrokerSays, JournalSays, resolve
from messages.records import IntentStatus

J, B, A = JournalSays, BrokerSays, Action

# (journal, broker) -> action when it may be resent, when it may not, and why.
CELLS: dict[tuple[JournalSays, BrokerSays], tuple[Action, Action, str]] = {
    (J.UNACKNOWLEDGED, B.LISTED): (A.ADOPT, A.ADOPT, "the broker has it: its word is the evidence"),
    (J.UNACKNOWLEDGED, B.NOTHING): (A.ASK_AGAIN, A.ASK_AGAIN, "a failed query is no evidence (R5)"),
    (J.UNACKNOWLEDGED, B.ABSENT_ONCE): (A.RESEND, A.ASK_AGAIN, "a copy is refused where ids are deduplicated (R7)"),
    (J.UNACKNOWLEDGED, B.ABSENT_AGAIN): (A.RESEND, A.VOID, "absence is proven twice, past the horizon (R7, I15)"),
    (J.UNRESOLVED, B.LISTED): (A.ADOPT, A.ADOPT, "the unknown is resolved"),
    (J.UNRESOLVED, B.NOTHING): (A.ASK_AGAIN, A.ASK_AGAIN, "unknown stays unknown"),
    (J.UNRESOLVED, B.ABSENT_ONCE): (A.RESEND, A.ASK_AGAIN, "it may still be on its way"),
    (J.UNRESOLVED, B.ABSENT_AGAIN): (A.RESEND, A.VOID, "absence is proven twice"),
    (J.TAKEN, B.LISTED): (A.ADOPT, A.ADOPT, "its listing is its first report"),
    (J.TAKEN, B.NOTHING): (A.ASK_AGAIN, A.ASK_AGAIN, "no news"),
    (J.TAKEN, B.ABSENT_ONCE): (A.ASK_AGAIN, A.ASK_AGAIN, "one snapshot may leave it out"),
    (J.TAKEN, B.ABSENT_AGAIN): (A.CANCEL, A.CANCEL, "refused after all, or left out twice: its cancel tells which"),
    (J.ACKNOWLEDGED, B.LISTED): (A.ADOPT, A.ADOPT, "plain news"),
    (J.ACKNOWLEDGED, B.NOTHING): (A.ASK_AGAIN, A.ASK_AGAIN, "no news"),
    (J.ACKNOWLEDGED, B.ABSENT_ONCE): (A.ASK_AGAIN, A.ASK_AGAIN, "a stale snapshot must not end a live order (I13)"),
    (J.ACKNOWLEDGED, B.ABSENT_AGAIN): (A.ALERT, A.ALERT, "the broker lost what it had: count as live, tell a person"),
    (J.OUTLIVED, B.LISTED): (A.ADOPT, A.ADOPT, "the broker tells how it ended"),
    (J.OUTLIVED, B.NOTHING): (A.ASK_AGAIN, A.ASK_AGAIN, "no news"),
    (J.OUTLIVED, B.ABSENT_ONCE): (A.ASK_AGAIN, A.ASK_AGAIN, "one snapshot may leave it out"),
    (J.OUTLIVED, B.ABSENT_AGAIN): (
        A.CANCEL,
        A.CANCEL,
        "no day order works now: its cancel finds none, or tells its end",
    ),
    (J.ENDED, B.LISTED): (A.ADOPT, A.ADOPT, "a late fill still counts (R11)"),
    (J.ENDED, B.NOTHING): (A.NONE, A.NONE, "it is over"),
    (J.ENDED, B.ABSENT_ONCE): (A.NONE, A.NONE, "it is over"),
    (J.ENDED, B.ABSENT_AGAIN): (A.NONE, A.NONE, "it is over"),
}


def test_every_cell_is_in_the_table_and_none_besides() -> None:
    assert set(TABLE) == set(product(JournalSays, BrokerSays, (True, False)))
    assert set(CELLS) == set(product(JournalSays, BrokerSays))


@pytest.mark.parametrize(("journal", "broker"), CELLS, ids=lambda says: says.value)
@pytest.mark.parametrize("may_resend", [True, False])
def test_the_cell_says(journal: JournalSays, broker: BrokerSays, may_resend: bool) -> None:
    resent, otherwise, why = CELLS[journal, broker]
    assert TABLE[journal, broker, may_resend] is (resent if may_resend else otherwise), why


def test_nothing_is_ever_voided_or_resent_without_evidence_of_absence() -> None:
    for (journal, broker, _), action in TABLE.items():
        if action in (A.VOID, A.RESEND):
            assert broker in (B.ABSENT_ONCE, B.ABSENT_AGAIN)
            assert journal in (J.UNACKNOWLEDGED, J.UNRESOLVED)


def test_every_status_of_an_intent_is_mapped() -> None:
    assert set(STATUS) == set(IntentStatus)


@pytest.mark.parametrize("status", IntentStatus)
@pytest.mark.parametrize("absences", [0, 1, 2, 3, 100])
@pytest.mark.parametrize("may_resend", [True, False])
def test_resolve_reads_the_table(status: IntentStatus, absences: int, may_resend: bool) -> None:
    broker = (B.NOTHING, B.ABSENT_ONCE, B.ABSENT_AGAIN)[min(absences, 2)]
    kinds = {"acknowledged": False, "outlived": False, "ended": False, "absences": absences, "may_resend": may_resend}
    assert resolve(status, **kinds) is TABLE[STATUS[status], broker, may_resend]  # type: ignore[arg-type]
    kinds["acknowledged"] = True
    assert resolve(status, **kinds) is TABLE[J.ACKNOWLEDGED, broker, may_resend]  # type: ignore[arg-type]
    kinds["outlived"] = True
    assert resolve(status, **kinds) is TABLE[J.OUTLIVED, broker, may_resend]  # type: ignore[arg-type]
    kinds["ended"] = True
    assert resolve(status, **kinds) is TABLE[J.ENDED, broker, may_resend]  # type: ignore[arg-type]
