"""What every journal promises its owner; run against the SQLite journal and its twin in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_data import (
    SYMBOL,
    T0,
    commit,
    escalation_record,
    event_record,
    group_record,
    hedge_record,
    intent_record,
    leg_record,
    one_of_each,
    replaced,
    state_record,
    stop_record,
)

from domain.groups import GroupOutcome, group_tag
from messages.records import HedgeStatus, IntentStatus, Severity, StopStatus
from storage.memory import MemoryJournal
from storage.port import Journal, JournalError, JournalLocked, Turn
from storage.sqlite import open_journal
from storage.tables import LIVE_INTENTS

Opener = Callable[[], Journal]


def sqlite_opener(path: Path, **options: Any) -> Opener:
    return lambda: open_journal(path, **options)


def memory_opener() -> Opener:
    journals: list[MemoryJournal] = []

    def opener() -> Journal:
        journals.append(journals[-1].reopen() if journals else MemoryJournal())
        return journals[-1]

    return opener


@pytest.fixture(params=["sqlite", "memory"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Opens the same journal again and again; what a test leaves open is closed behind it."""
    make = memory_opener() if request.param == "memory" else sqlite_opener(tmp_path / "cell.db")
    with ExitStack() as stack:

        def opener() -> Journal:
            journal = make()
            stack.callback(journal.close)
            return journal

        yield opener


def test_turns_are_numbered_from_one_without_a_gap(opened: Opener) -> None:
    journal = opened()
    assert [commit(journal, event_record(f"e{n}")) for n in range(3)] == [1, 2, 3]
    journal.close()
    assert commit(opened()) == 4


def test_every_opening_has_a_higher_epoch(opened: Opener) -> None:
    epochs = []
    for _ in range(3):
        journal = opened()
        epochs.append(journal.epoch)
        assert not journal.storage_low
        journal.close()
    assert epochs == [1, 2, 3]


def test_r19_a_journal_has_one_owner_at_a_time(opened: Opener) -> None:
    opened()
    with pytest.raises(JournalLocked):
        opened()


def test_a_group_comes_back_whole_after_reopening(opened: Opener) -> None:
    journal = opened()
    commit(journal, *one_of_each("g1"), *one_of_each("g2"))
    before = journal.group("g1")
    journal.close()
    rows = opened().group("g1")
    assert rows is not None
    assert rows == before
    assert rows.group == group_record("g1")
    assert (rows.legs, rows.intents) == ((leg_record(),), (intent_record(),))
    assert (rows.execution_states, rows.hedges, rows.stops) == ((state_record(),), (hedge_record(),), (stop_record(),))


def test_groups_that_are_read_together_are_the_same_and_in_order(opened: Opener) -> None:
    journal = opened()
    commit(journal, *one_of_each("g1"), *one_of_each("g2"))
    assert journal.groups(["g2", "g3", "g1"]) == [journal.group("g2"), None, journal.group("g1")]


def test_an_unknown_group_is_none_and_not_empty(opened: Opener) -> None:
    journal = opened()
    commit(journal, intent_record("g1"))
    assert journal.group("g1") is None
    assert journal.group_by_tag(group_tag("g1")) is None


def test_a_group_is_found_by_the_tag_in_its_orders(opened: Opener) -> None:
    journal = opened()
    commit(journal, group_record("g1"), group_record("g2"))
    assert journal.group_by_tag(group_tag("g2")) == "g2"


def test_the_last_record_of_a_key_wins_within_a_turn_and_between_turns(opened: Opener) -> None:
    journal = opened()
    first, second, third = (replaced(intent_record(), quantity=n) for n in (1, 2, 3))
    commit(journal, group_record(), first, second)
    rows = journal.group("g1")
    assert rows is not None and rows.intents == (second,)
    commit(journal, third)
    rows = journal.group("g1")
    assert rows is not None and rows.intents == (third,)


def test_what_is_read_is_not_what_was_written_by_reference(opened: Opener) -> None:
    journal = opened()
    written = group_record()
    commit(journal, written)
    one, two = journal.group("g1"), journal.group("g1")
    assert one is not None and two is not None
    assert one.group == written == two.group
    assert one.group is not written and one.group.group is not two.group.group


def test_seen_gives_those_ids_that_were_processed(opened: Opener) -> None:
    journal = opened()
    commit(journal, event_record("e1"), event_record("e2"))
    assert journal.seen(["e1", "e3"]) == {"e1"}
    assert journal.seen([]) == set()
    journal.close()
    assert opened().seen(iter(["e2", "e4", "e1"])) == {"e1", "e2"}


@pytest.mark.parametrize("status", list(IntentStatus))
def test_a_finished_group_is_open_while_an_order_lives(opened: Opener, status: IntentStatus) -> None:
    journal = opened()
    commit(journal, replaced(group_record(), outcome=GroupOutcome.FLAT), replaced(intent_record(), status=status))
    live = {"INTENT_PERSISTED", "SENT", "LIVE", "UNRESOLVED"}
    assert journal.open_groups() == (["g1"] if status.value in live else [])


def test_live_orders_come_oldest_first_with_what_is_known_of_each(opened: Opener) -> None:
    journal = opened()
    young, old = replaced(intent_record(slice_no=1), decided_ns=T0 + 9), intent_record()
    ended = [
        replaced(intent_record(slice_no=2, attempt=n), status=status)
        for n, status in enumerate(set(IntentStatus) - LIVE_INTENTS)
    ]
    commit(journal, group_record(), young, old, *ended, state_record(), state_record(slice_no=2))
    assert journal.live_orders() == [(old, state_record()), (young, None)]
    commit(journal, replaced(old, status=IntentStatus.CANCELED))
    journal.close()
    assert opened().live_orders() == [(young, None)]


def test_orders_whose_end_no_report_need_have_told_come_with_their_end(opened: Opener) -> None:
    journal = opened()
    ended = [
        replaced(intent_record(slice_no=n), status=status, terminal_ns=T0 + n, decided_ns=T0 + n)
        for n, status in enumerate(IntentStatus)
    ]
    untold = [intent for intent in ended if intent.status.value in ("VOID", "REFUSED", "EXPIRED")]
    commit(journal, replaced(group_record(), outcome=GroupOutcome.FLAT), *ended)
    assert journal.ended_untold(T0) == untold
    assert journal.ended_untold(untold[1].terminal_ns) == untold[1:]


@pytest.mark.parametrize("status", list(HedgeStatus))
def test_a_finished_group_is_open_while_a_hedge_works(opened: Opener, status: HedgeStatus) -> None:
    journal = opened()
    commit(journal, replaced(group_record(), outcome=GroupOutcome.HALTED), replaced(hedge_record(), status=status))
    assert journal.open_groups() == (["g1"] if status is HedgeStatus.WORKING else [])


@pytest.mark.parametrize("status", list(StopStatus))
def test_a_finished_group_is_open_while_a_stop_lives(opened: Opener, status: StopStatus) -> None:
    journal = opened()
    commit(journal, replaced(group_record(), outcome=GroupOutcome.HEDGED), replaced(stop_record(), status=status))
    ended = {StopStatus.DONE, StopStatus.RELEASED}
    assert journal.open_groups() == ([] if status in ended else ["g1"])


def test_open_groups_come_oldest_first_and_leave_when_all_is_over(opened: Opener) -> None:
    journal = opened()
    commit(journal, group_record("young", T0 + 9), group_record("b", T0), group_record("a", T0))
    assert journal.open_groups() == ["a", "b", "young"]
    commit(journal, replaced(group_record("b", T0), outcome=GroupOutcome.HEDGED))
    assert journal.open_groups() == ["a", "young"]


def test_alerts_stay_open_until_delivered_and_critical_ones_until_acknowledged(opened: Opener) -> None:
    journal = opened()
    critical = escalation_record(escalation_id="critical")
    info = replaced(escalation_record(escalation_id="info"), severity=Severity.INFO, raised_ns=T0)
    commit(journal, critical, info)
    assert journal.open_escalations() == [info, critical]
    commit(journal, replaced(critical, delivered_ns=T0), replaced(info, delivered_ns=T0))
    assert journal.open_escalations() == [replaced(critical, delivered_ns=T0)]
    commit(journal, replaced(critical, delivered_ns=T0, acknowledged_ns=T0, acknowledged_by="jo"))
    assert journal.open_escalations() == []


def test_a_turn_of_another_epoch_is_refused_and_nothing_is_written(opened: Opener) -> None:
    journal = opened()
    with pytest.raises(JournalError, match="epoch 7"):
        journal.commit(Turn(epoch=7, at_ns=T0, records=(group_record(),)))
    assert journal.group("g1") is None
    assert commit(journal, group_record()) == 1


def test_two_groups_with_one_tag_are_refused_and_the_journal_stays_usable(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("storage.tables", "storage.memory"):
        monkeypatch.setattr(f"{module}.group_tag", lambda group_id: "SAMETAG0")
    journal = opened()
    commit(journal, group_record("g1"))
    with pytest.raises(JournalError, match="nothing was written"):
        commit(journal, event_record("e1"), group_record("g2"))
    assert journal.seen(["e1"]) == set()
    assert commit(journal, replaced(group_record("g1"), crashes=1)) == 2


def test_a_closed_journal_says_so_and_closing_twice_is_fine(opened: Opener) -> None:
    journal = opened()
    journal.close()
    journal.close()
    for use in (lambda: commit(journal), journal.open_groups, lambda: journal.seen(["e"])):
        with pytest.raises(JournalError, match="closed"):
            use()


prices = st.integers(min_value=-(10**15), max_value=10**15)
numbers = st.integers(min_value=-(2**63), max_value=2**63 - 1)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(max_examples=60, deadline=None)
@given(turns=st.lists(st.lists(st.tuples(st.integers(0, 3), prices, numbers, words), max_size=5), max_size=4))
def test_any_values_come_back_equal_from_both_journals(
    tmp_path_factory: pytest.TempPathFactory, turns: list[list[tuple[int, int, int, str]]]
) -> None:
    path = tmp_path_factory.mktemp("journal") / "cell.db"
    for make in (sqlite_opener(path), memory_opener()):
        journal = make()
        expected = {}
        commit(journal, group_record())
        for turn in turns:
            intents = [
                replaced(intent_record("g1", slice_no), price=price, decided_ns=ns, reason=word, symbol=SYMBOL + word)
                for slice_no, price, ns, word in turn
            ]
            commit(journal, *intents)
            expected.update({intent.client_order_id: intent for intent in intents})
        journal.close()
        journal = make()
        rows = journal.group("g1")
        journal.close()
        assert rows is not None
        assert {intent.client_order_id: intent for intent in rows.intents} == expected
        assert list(rows.intents) == sorted(rows.intents, key=lambda i: (i.decided_ns, i.client_order_id))
