"""The window of batches between processes: nothing is forgotten, nothing overtakes, and at most two are under way."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.window import BATCH, RESEND_MS, WINDOW, Arrival, InWindow, OutWindow

Sent = list[tuple[int, tuple[int, ...]]]


def a_window() -> tuple[OutWindow[int], Sent]:
    sent: Sent = []
    return OutWindow(lambda number, _oldest, items: sent.append((number, items))), sent


def test_what_is_put_waits_for_the_flush_and_goes_in_one_batch() -> None:
    window, sent = a_window()
    window.put(1, 2)
    window.put(3)
    assert not sent
    window.flush(0)
    assert sent == [(1, (1, 2, 3))]
    assert len(window) == 3


def test_at_most_two_batches_are_under_way_and_the_rest_goes_together() -> None:
    window, sent = a_window()
    for item in range(5):
        window.put(item)
        window.flush(0)
    assert sent == [(1, (0,)), (2, (1,))]
    assert len(sent) == WINDOW
    window.taken(1, 0)
    assert sent[2:] == [(3, (2, 3, 4))]
    window.taken(2, 0)
    window.taken(3, 0)
    assert len(window) == 0


def test_what_a_batch_held_is_told_once_when_it_is_taken_and_owed_until_then() -> None:
    window, _ = a_window()
    window.put(1, 2)
    window.flush(0)
    window.put(3)
    assert [window.owes(item) for item in (1, 3, 4)] == [True, True, False]
    assert [window.taken(1, 0), window.taken(1, 0)] == [(1, 2), ()]
    assert [window.owes(item) for item in (1, 3)] == [False, True]


def test_a_batch_has_a_largest_size() -> None:
    window, sent = a_window()
    window.put(*range(BATCH + 1))
    window.flush(0)
    assert [len(items) for _, items in sent] == [BATCH, 1]


def test_what_is_not_taken_in_time_is_sent_again_under_its_number() -> None:
    window, sent = a_window()
    window.put(7)
    window.flush(0)
    window.resend(RESEND_MS - 1)
    assert len(sent) == 1
    window.resend(RESEND_MS)
    assert sent == [(1, (7,)), (1, (7,))]
    window.resend(RESEND_MS + 1)
    assert len(sent) == 2, "its time starts again"


def test_taking_twice_or_something_unknown_changes_nothing() -> None:
    window, sent = a_window()
    window.put(1)
    window.flush(0)
    window.taken(1, 0)
    window.taken(1, 0)
    window.taken(99, 0)
    assert (len(window), sent) == (0, [(1, (1,))])


def test_a_new_incarnation_gets_what_is_worth_it_in_order() -> None:
    window, old = a_window()
    for item in range(4):
        window.put(item)
        window.flush(0)
    new: Sent = []
    window.retarget(lambda number, _oldest, items: new.append((number, items)))
    window.drop(lambda item: item != 1)
    window.flush(0)
    assert [items for _, items in new] == [(0, 2, 3)]
    assert min(number for number, _ in new) > max(number for number, _ in old)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["put", "take first", "take last", "resend", "drop"]), max_size=40))
def test_everything_arrives_at_least_once_and_first_copies_in_order(story: list[str]) -> None:
    window, sent = a_window()
    put = 0
    for now_ms, step in enumerate(story):
        if step == "put":
            window.put(put)
            put += 1
        elif step == "drop":
            window.drop(lambda _: True)
        elif step == "resend":
            window.resend(now_ms, older_than_ms=0)
        elif sent:
            window.taken(sent[0 if step == "take first" else -1][0], now_ms)
        window.flush(now_ms)
    while len(window):
        for number, _ in list(sent):
            window.taken(number, 0)
    firsts = list(dict.fromkeys(item for _, items in sent for item in items))
    assert firsts == list(range(put))


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["put", "deliver", "lose", "again"]), st.integers(0, 9)), max_size=60))
def test_whatever_the_wire_does_a_receiver_takes_everything_once_and_in_order(story: list[tuple[str, int]]) -> None:
    wire: list[tuple[int, int, tuple[int, ...]]] = []
    window: OutWindow[int] = OutWindow(lambda *batch: wire.append(batch))
    arrivals, taken, put = InWindow(), list[int](), 0

    def deliver(batch: tuple[int, int, tuple[int, ...]]) -> None:
        number, oldest, items = batch
        arrival = arrivals.arrives(number, oldest)
        if arrival is Arrival.NEXT:
            taken.extend(items)
        if arrival is not Arrival.EARLY:
            window.taken(number, 0)

    for now_ms, (step, place) in enumerate(story):
        if step == "put":
            window.put(put)
            put += 1
        elif step == "again":
            window.resend(now_ms, older_than_ms=0)
        elif wire and step == "deliver":
            deliver(wire.pop(place % len(wire)))
        elif wire:
            wire.pop(place % len(wire))
        window.flush(now_ms)
    while len(window):
        window.resend(0, older_than_ms=-1_000)
        for batch in wire[::-1]:
            deliver(batch)
        wire.clear()
    assert taken == list(range(put))
