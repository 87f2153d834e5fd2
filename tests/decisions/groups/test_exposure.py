"""The clock of an exposure, and who is told of it (I6)."""

from __future__ import annotations

from msgspec.structs import replace
from order_cases import CONFIG, NOW, a_leg, alerts, at, option

from config.schema import AlertsConfig
from decisions.effects import MS, Effects, Moment
from decisions.groups.exposure import Taken, looked, taken_back, watch
from decisions.thresholds import Thresholds, margin_use, watch_exposure, watch_margin
from domain.execution import ExecType, ExecutionReport, OrdStatus, Side
from domain.groups import Group, GroupOutcome, GroupStatus, Mode, Policy
from messages.group import GroupSettled
from messages.market import Funds
from messages.positions import PositionChange, PositionsMoved
from messages.records import EscalationRecord, ExposureRecord, GroupRecord, PositionKind, Severity

ALERTS = AlertsConfig(hedge_lag_ms=500, uncovered_ms=2_000, exposure_units=100, margin_use_pct=85)
GROUP = Group(group_id="g", strategy="custom", policy=Policy.COMPLETE, allow_naked=False, legs=())
TRADE = ExecType.TRADE
SHORT = a_leg(1, Side.SELL)
BARE = replace(GROUP, legs=(SHORT,))
OPEN = ExposureRecord(group_id="g", opened_ns=NOW, symbol="X", quantity=5, covered_ns=0)


def moment(ms: float = 0, cell: int = 0) -> Moment:
    return at(at_ns=NOW + int(ms * MS), config=replace(CONFIG, alerts=ALERTS), cell=cell)


def bare(units: int) -> dict[str, int]:
    return {SHORT.leg_id: units}


def raised(effects: Effects) -> list[tuple[Severity, str]]:
    return [(r.severity, r.kind) for r in effects.records if isinstance(r, EscalationRecord)]


def test_an_exposure_remembers_its_beginning_and_the_most_that_was_uncovered() -> None:
    effects = Effects()
    state = watch(OPEN, bare(3), BARE, moment(1), effects)
    assert (state, effects.records) == (OPEN, [])
    state = watch(state, bare(8), BARE, moment(2), effects)
    assert state == replace(OPEN, quantity=8)
    assert effects.records == [state]


def test_its_end_is_recorded_in_broker_time() -> None:
    effects = Effects()
    assert watch(OPEN, bare(0), BARE, moment(80), effects) is None
    assert effects.records == [replace(OPEN, covered_ns=NOW + 80 * MS)]


def test_nothing_uncovered_is_nothing_to_record() -> None:
    effects = Effects()
    assert watch(None, bare(0), BARE, moment(), effects) is None
    assert (effects.records, effects.wake_ns) == ([], None)


def test_a_warning_comes_when_the_hedge_is_late_and_a_person_is_called_when_it_is_very_late() -> None:
    for ms, told, wake_ms in (
        (499, [], 500),
        (500, [(Severity.WARNING, "HEDGE_LAG")], 2_000),
        (1_999, [(Severity.WARNING, "HEDGE_LAG")], 2_000),
        (2_000, [(Severity.WARNING, "HEDGE_LAG"), (Severity.CRITICAL, "UNCOVERED_EXPOSURE")], None),
    ):
        effects = Effects()
        watch(OPEN, bare(5), BARE, moment(ms), effects)
        assert raised(effects) == told
        assert effects.wake_ns == (None if wake_ms is None else NOW + wake_ms * MS)


def test_what_the_broker_took_back_before_it_was_heard_has_been_uncovered_since_then() -> None:
    effects = Effects()
    state = watch(None, bare(5), BARE, moment(2_000), effects, taken_ns=NOW)
    assert state == replace(OPEN, symbol=SHORT.instrument.symbol)
    assert raised(effects) == [(Severity.WARNING, "HEDGE_LAG"), (Severity.CRITICAL, "UNCOVERED_EXPOSURE")]


def test_it_goes_by_the_contract_of_which_most_is_bare() -> None:
    other = a_leg(2, Side.SELL, instrument=option(100))
    both = replace(GROUP, legs=(SHORT, other))
    state = watch(None, {SHORT.leg_id: 0, other.leg_id: 4}, both, moment(), Effects())
    assert state == replace(OPEN, symbol=other.instrument.symbol, quantity=4)


def test_no_exposure_begins_later_than_it_is_seen_and_one_that_stands_keeps_its_beginning() -> None:
    early = watch(None, bare(5), BARE, moment(), Effects(), taken_ns=NOW + MS)
    assert early == replace(OPEN, symbol=SHORT.instrument.symbol)
    assert watch(OPEN, bare(5), BARE, moment(5), Effects(), taken_ns=NOW - MS) == OPEN


def test_the_earliest_bust_correction_or_move_without_an_order_counts_and_nothing_else_does() -> None:
    fill, busted, corrected = (
        ExecutionReport(
            client_order_id="o", exec_type=kind, ord_status=OrdStatus.CANCELED, exec_id=kind.value, ts_ns=ts_ns,
            order_qty=5, cum_qty=0, leaves_qty=0,
        )
        for kind, ts_ns in ((TRADE, NOW - 9), (ExecType.TRADE_CANCEL, NOW - 5), (ExecType.TRADE_CORRECT, NOW - 7))
    )  # fmt: skip
    assert taken_back(Taken(), [fill]) == Taken()
    known = taken_back(Taken(), [fill, busted, corrected])
    assert known.since_ns == NOW - 7
    assert taken_back(looked(known), [fill, busted, corrected]).since_ns == 0, "a snapshot tells it again"
    sold = PositionChange(symbol="X", leg_id="buy0", quantity=-5, kind=PositionKind.MANUAL, evidence="")
    changes = tuple(replace(sold, ts_ns=ts_ns) for ts_ns in (0, NOW - 8, NOW))
    assert taken_back(known, [PositionsMoved(group_id="g", cell=0, after=0, changes=changes)]).since_ns == NOW - 8


def settled(uncovered: int) -> GroupSettled:
    record = GroupRecord(
        group_id="g", cell=0, strategy="custom", status=GroupStatus.HEDGED, mode=Mode.ENTERING,
        outcome=GroupOutcome.OPEN, reason="", group=GROUP, hedges_placed=0, crashes=0, quarantined=False,
        created_ns=NOW, updated_ns=NOW,
    )  # fmt: skip
    return GroupSettled("g", record, uncovered, 0)


def test_a_person_is_called_once_each_time_that_too_much_is_uncovered() -> None:
    state, told = Thresholds(), []
    for ms, total in enumerate((100, 101, 150, 100, 102)):
        effects = Effects()
        state = watch_exposure(state, total, settled(total), moment(ms), effects)
        told += [(ms, *entry) for entry in raised(effects)]
    call = (Severity.CRITICAL, "UNHEDGED_EXPOSURE")
    assert told == [(1, *call), (4, *call)]


def test_the_call_is_about_the_group_that_it_names() -> None:
    effects = Effects()
    watch_exposure(Thresholds(), 101, settled(101), moment(), effects)
    (call,) = alerts(effects)
    assert (call.group_id, call.quantity) == ("g", 101)


def test_margin_use_is_told_once_by_the_first_cell() -> None:
    told = []
    for cell in (0, 1):
        state = Thresholds()
        for used in (85, 86, 95, 50, 90):
            effects = Effects()
            state = watch_margin(state, Funds(100 - used, used, NOW), moment(cell=cell), effects)
            told += [(cell, used, *entry) for entry in raised(effects)]
    call = (Severity.CRITICAL, "MARGIN_USE")
    assert told == [(0, 86, *call), (0, 90, *call)]


def test_margin_use_is_a_share_of_all_funds() -> None:
    assert margin_use(Funds(75, 25, NOW)) == 0.25
    assert margin_use(Funds(0, 0, NOW)) == 0
    assert margin_use(Funds(-50, 50, NOW)) == 1
    assert margin_use(Funds(-10, 50, NOW)) == 1.25
