"""The mischief's decisions: repeatable by seed, as often as asked, and within what the server promises."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from venue.nasty import (
    LISTED_AFTER_MS,
    MAX_STALE_MS,
    PRESETS,
    RATES,
    Fate,
    HangUp,
    Kind,
    Mischief,
    Nasty,
    SnapshotFate,
    preset,
)

ORDERS = [f"o{n}" for n in range(5)]


def one(name: str, rate: float = 1.0) -> Nasty:
    return msgspec.structs.replace(Nasty(), **{name: rate})


def decisions(nasty: Nasty, seed: int) -> list[object]:
    mischief = Mischief(nasty, seed)
    return [(mischief.fate(kind), mischief.deliveries(3), mischief.snapshot(ORDERS, 0)) for kind in list(Kind) * 20]


@given(st.integers())
def test_the_same_seed_decides_the_same(seed: int) -> None:
    assert decisions(PRESETS["full"], seed) == decisions(PRESETS["full"], seed)


def test_another_seed_decides_otherwise() -> None:
    assert decisions(PRESETS["full"], 1) != decisions(PRESETS["full"], 2)


@given(st.integers(), st.integers(0, 9))
def test_switched_off_it_changes_nothing(seed: int, reports: int) -> None:
    mischief = Mischief(preset("off"), seed)
    assert all(mischief.fate(kind) == Fate() for kind in Kind)
    assert [(d.index, d.delay_s) for d in mischief.deliveries(reports)] == [(n, 0.0) for n in range(reports)]
    assert mischief.snapshot(ORDERS, 0) == SnapshotFate()


@pytest.mark.parametrize(
    ("name", "kind", "fate"),
    [
        ("lose_request", Kind.SUBMIT, Fate(execute=False, answered=False, reported=False)),
        ("forget", Kind.MODIFY, Fate(answered=False)),
        ("lose_ack", Kind.CANCEL, Fate(answered=False, reported=False)),
        ("refuse", Kind.CANCEL, Fate()),
        ("cancel_refused", Kind.SUBMIT, Fate()),
        ("lose_ack", Kind.QUERY, Fate()),
    ],
)
def test_each_fault_strikes_the_requests_that_it_is_about_and_no_others(name: str, kind: Kind, fate: Fate) -> None:
    assert Mischief(one(name), 0).fate(kind) == fate


@pytest.mark.parametrize(("name", "kind"), [("refuse", Kind.SUBMIT), ("cancel_refused", Kind.CANCEL)])
def test_a_spurious_refusal_is_answered_and_not_executed(name: str, kind: Kind) -> None:
    fate = Mischief(one(name), 0).fate(kind)
    assert not fate.execute
    assert fate.answered
    assert fate.refusal


@given(st.integers())
def test_delays_are_within_their_ranges(seed: int) -> None:
    assert 2.5 <= Mischief(one("answer_late"), seed).fate(Kind.SUBMIT).delay_s <= 4.0
    assert 0.002 <= Mischief(one("delay"), seed).fate(Kind.QUERY).delay_s <= 0.15
    assert all(0.002 <= d.delay_s <= 0.15 for d in Mischief(one("delay"), seed).deliveries(4))


def test_a_disconnect_comes_before_and_after_the_answer() -> None:
    mischief = Mischief(one("disconnect"), 0)
    assert {mischief.fate(Kind.SUBMIT).hang_up for _ in range(50)} == {HangUp.BEFORE_ANSWER, HangUp.AFTER_ANSWER}


def test_dropped_reports_never_come_and_duplicates_come_twice() -> None:
    assert Mischief(one("drop_report"), 0).deliveries(5) == []
    assert sorted(d.index for d in Mischief(one("duplicate_report"), 0).deliveries(3)) == [0, 0, 1, 1, 2, 2]


@given(st.integers(), st.integers(1, 8))
def test_reordering_loses_and_invents_nothing(seed: int, reports: int) -> None:
    plan = Mischief(one("reorder_reports"), seed).deliveries(reports)
    assert sorted(d.index for d in plan) == list(range(reports))
    assert [d.index for d in plan] != list(range(reports)) or any(d.delay_s for d in plan)


@given(st.integers())
def test_an_order_is_left_out_of_the_snapshots_of_a_span_and_then_listed_for_good(seed: int) -> None:
    mischief = Mischief(one("order_missing_from_snapshot"), seed)
    told = [(at_ms, mischief.snapshot(ORDERS, at_ms).hidden) for at_ms in range(0, 6_000, 500)]
    for order in ORDERS:
        missed = [at_ms for at_ms, hidden in told if order in hidden]
        assert missed == list(range(missed[0], missed[0] + LISTED_AFTER_MS, 500))


@given(st.integers())
def test_by_the_times_that_snapshots_say_a_list_lags_for_no_longer_than_the_span(seed: int) -> None:
    nasty = Nasty(order_missing_from_snapshot=0.5, stale_snapshot=0.5)
    mischief, missed = Mischief(nasty, seed), dict[str, list[int]]()
    for at_ms in range(0, 12_000, 300):
        fate = mischief.snapshot(ORDERS, at_ms)
        for order in fate.hidden:
            missed.setdefault(order, []).append(at_ms + fate.age_ms)
    assert all(max(times) - min(times) < LISTED_AFTER_MS for times in missed.values())


def test_an_order_that_was_left_out_is_left_out_no_longer_by_other_mischief() -> None:
    every = Nasty(order_missing_from_snapshot=1.0)
    mischief = Mischief(every, 1)
    (first,) = mischief.snapshot(ORDERS, 0).hidden
    other = mischief.instead(every, 2)
    told = [other.snapshot(ORDERS, at_ms).hidden for at_ms in (LISTED_AFTER_MS - 1, LISTED_AFTER_MS)]
    assert [first in hidden for hidden in told] == [True, False]


@given(st.integers())
def test_a_stale_snapshot_is_never_older_than_what_is_promised(seed: int) -> None:
    assert 50 <= Mischief(one("stale_snapshot"), seed).snapshot(ORDERS, 0).age_ms <= MAX_STALE_MS


@pytest.mark.parametrize("name", RATES)
def test_every_fault_strikes_about_as_often_as_it_was_told(name: str) -> None:
    mischief, calm = Mischief(one(name, 0.3), 7), (Fate(), [0], SnapshotFate(), False, 0.0, 0)
    kind = Kind.CANCEL if name == "cancel_refused" else Kind.SUBMIT
    strikes = 0
    for n in range(1000):
        plan, snapshot = mischief.deliveries(1), mischief.snapshot([f"o{n}"], n * LISTED_AFTER_MS)
        plain = [d.index for d in plan if not d.delay_s]
        told = mischief.nameless(), mischief.again_s(), mischief.replayed(9)
        strikes += (mischief.fate(kind), plain, snapshot, *told) != calm or len(plan) != 1
    expected = 510 if name == "delay" else 300  # a delay is drawn for the answer and for the report
    assert abs(strikes - expected) < 60


def test_the_presets_grow_worse() -> None:
    for name in RATES:
        rates = [getattr(preset(level), name) for level in ("off", "some", "full")]
        assert rates == sorted(set(rates))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"delay": 1.5}, "delay is 1.5; give a chance from 0 to 1"),
        ({"forget": -0.1}, "forget is -0.1"),
        ({"forget": float("nan")}, "forget is nan"),
        ({"delay_ms": (5, 2)}, "the smaller one first"),
        ({"late_ms": (-1, 2)}, "the smaller one first"),
        ({"stale_ms": (0, 5000)}, "1000 is the most that is promised"),
    ],
)
def test_impossible_settings_are_refused_in_words(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Nasty(**settings)  # type: ignore[arg-type]


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'awful'; choose one of off, some, full"):
        preset("awful")
