"""A group's decisions from letters alone: levels, modes, the limiter, and the end."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from order_cases import GROUP, NOW, a_group, a_leg, alerts, at
from test_group_levels import LONG, PAIR, SHORT, a_hedge, progress, record

from decisions.effects import MS, SELF, Effects, Moment, UnknownMessage
from decisions.groups import group as group_core
from decisions.groups.group_routes import hedge_name, leg_name, stop_name
from decisions.groups.group_state import GroupState
from decisions.groups.hedge import open_record
from domain.execution import Side
from domain.groups import Group, GroupOutcome, GroupStatus, Mode, Policy, client_order_id, parent_tag
from messages.group import (
    Bulletin,
    CloseGroup,
    Cover,
    GroupSettled,
    LegProgressed,
    OpenGroup,
    RestoreGroup,
    Review,
    Settle,
    StartHedge,
    StartLeg,
    StartStop,
    StopProgressed,
    WorkLeg,
)
from messages.market import Tick
from messages.orders import OrderSent
from messages.records import GroupRecord, HedgeStatus, StopStatus

WINDOW_MS = 500


def opened(group: Group = PAIR) -> GroupState:
    state, _ = group_core.start(OpenGroup(group), at())
    for leg in group.legs:
        state, _ = decide(state, progress(leg, entry_authorized=0), at())
    return state


def decide(state: GroupState, message: group_core.Message, moment: Moment) -> tuple[GroupState, Effects]:
    """Decide, and deliver the letters that the group posts to itself."""
    state, effects = group_core.decide(state, message, moment)
    while own := [letter for name, letter in effects.letters if name == SELF]:
        effects.letters = [letter for letter in effects.letters if letter[0] != SELF]
        for letter in own:
            assert isinstance(letter, Settle)
            state, more = group_core.decide(state, letter, moment)
            effects.letters += more.letters
            effects.records += more.records
            effects.requests += more.requests
            effects.safeguards += more.safeguards
            if more.wake_ns is not None:
                effects.wake(more.wake_ns)
    return state, effects


def told(effects: Effects, name: str) -> list[object]:
    return [letter for recipient, letter in effects.letters if recipient == name]


def heard(state: GroupState, ms: float, *reports: LegProgressed) -> tuple[GroupState, Effects]:
    for one in reports[:-1]:
        state, _ = decide(state, one, at(ms))
    return decide(state, reports[-1], at(ms))


def hedged(group: Group = PAIR) -> GroupState:
    state, _ = heard(opened(group), 1, *(progress(leg, entry_filled=10) for leg in group.legs))
    assert state.record.outcome is GroupOutcome.HEDGED
    return state


class TestOpening:
    def test_it_is_recorded_and_its_legs_are_hired(self) -> None:
        state, effects = group_core.start(OpenGroup(PAIR), at())
        (row,) = effects.records
        assert isinstance(row, GroupRecord)
        assert (row.status, row.mode, row.outcome) == (GroupStatus.VALIDATED, Mode.ENTERING, GroupOutcome.OPEN)
        assert [name for name, _ in effects.letters] == [leg_name("buy0"), leg_name("sell1")]
        assert all(isinstance(letter, StartLeg) for _, letter in effects.letters)
        assert state.awaited == {leg_name("buy0"), leg_name("sell1")}

    def test_nothing_is_decided_before_every_child_has_reported(self) -> None:
        state, _ = group_core.start(OpenGroup(PAIR), at())
        state, effects = decide(state, progress(LONG), at())
        assert not effects.letters
        _, effects = decide(state, progress(SHORT), at())
        assert told(effects, leg_name("buy0")) == [
            WorkLeg(entry_qty=10, close_qty=0, entering=True, reason="plan bull_put: PROTECTION")
        ]
        assert [letter.entry_qty for letter in told(effects, leg_name("sell1")) if isinstance(letter, WorkLeg)] == [0]

    def test_a_level_is_told_once(self) -> None:
        state = opened()
        _, effects = decide(state, Review(), at(10))
        assert not [letter for _, letter in effects.letters if isinstance(letter, WorkLeg)]


class TestTheEnd:
    def test_hedged_is_completed_and_told_to_the_desk(self) -> None:
        state, effects = heard(opened(), 1, progress(LONG, entry_filled=10), progress(SHORT, entry_filled=10))
        assert (state.record.outcome, state.record.status) == (GroupOutcome.HEDGED, GroupStatus.COMPLETED)
        (settled,) = told(effects, "parent")
        assert isinstance(settled, GroupSettled)
        assert (settled.uncovered_qty, settled.live_qty) == (0, 0)

    def test_a_guarded_group_is_hedged_and_not_completed(self) -> None:
        group = a_group(LONG, replace(SHORT, stop_trigger=25_000))
        state, effects = heard(
            opened(group), 1, progress(LONG, entry_filled=10), progress(group.legs[1], entry_filled=10)
        )
        assert isinstance(told(effects, stop_name("sell1"))[0], StartStop)
        armed = StopProgressed(leg_id="sell1", filled=0, live=10, committed=10, unresolved=0, status=StopStatus.ARMED)
        state, _ = decide(state, armed, at(2))
        assert state.record.status is GroupStatus.HEDGED

    def test_a_bust_takes_the_outcome_away_and_keeps_the_state(self) -> None:
        state = hedged()
        state, effects = decide(state, progress(LONG, entry_filled=4, entry_live=6), at(10))
        assert (state.record.outcome, state.record.status) == (GroupOutcome.OPEN, GroupStatus.COMPLETED)
        (settled,) = told(effects, "parent")
        assert isinstance(settled, GroupSettled)
        assert settled.uncovered_qty == 6

    def test_a_halt_calls_a_person_once_with_what_is_held(self) -> None:
        state, _ = heard(opened(), 1, progress(LONG, entry_filled=3), progress(SHORT, entry_filled=3))
        state, effects = decide(state, CloseGroup("kill switch", flatten=False), at(2))
        state, _ = heard(state, 3, *(progress(leg, entry_filled=3, entry_authorized=0) for leg in PAIR.legs))
        assert state.record.outcome is GroupOutcome.HALTED
        assert [alert.kind for alert in alerts(effects)] == ["GROUP_HALTED"]
        bought, sold = f"buy 3 of 10 {LONG.instrument.symbol} (buy0)", f"sell 3 of 10 {SHORT.instrument.symbol} (sell1)"
        assert f"held {bought}, {sold}" in alerts(effects)[0].text
        _, again = decide(state, Review(), at(4))
        assert not alerts(again)


class TestClosing:
    @pytest.mark.parametrize(
        ("mode", "flatten", "expected"),
        [
            (Mode.ENTERING, True, Mode.FLATTENING),
            (Mode.ENTERING, False, Mode.REDUCING),
            (Mode.REDUCING, True, Mode.FLATTENING),
            (Mode.REDUCING, False, Mode.REDUCING),
            (Mode.FLATTENING, True, Mode.FLATTENING),
            (Mode.FLATTENING, False, Mode.FLATTENING),
        ],
    )
    def test_a_mode_only_ever_asks_for_more(self, mode: Mode, flatten: bool, expected: Mode) -> None:
        state = opened()
        state = replace(state, record=replace(state.record, mode=mode))
        state, _ = decide(state, CloseGroup("asked", flatten=flatten), at(5))
        assert state.record.mode is expected

    def test_a_certified_group_is_reopened_only_on_purpose(self) -> None:
        kept, _ = decide(hedged(), CloseGroup("kill switch", flatten=False), at(5))
        assert (kept.record.mode, kept.record.outcome) == (Mode.ENTERING, GroupOutcome.HEDGED)
        closed, _ = decide(hedged(), CloseGroup("asked", flatten=True), at(5))
        assert (closed.record.mode, closed.record.outcome) == (Mode.FLATTENING, GroupOutcome.OPEN)

    def test_an_exiting_stop_flattens_the_group(self) -> None:
        state = hedged(a_group(LONG, replace(SHORT, stop_trigger=25_000)))
        exiting = StopProgressed(
            leg_id="sell1", filled=0, live=10, committed=10, unresolved=0, status=StopStatus.TRIGGERED
        )
        state, _ = decide(state, exiting, at(10))
        assert state.record.mode is Mode.FLATTENING
        assert state.record.reason == "stop-loss of sell1"

    def test_an_escalated_hedge_makes_the_group_reduce_only(self) -> None:
        state = hedged()
        lost = a_hedge(LONG, 4, status=HedgeStatus.ESCALATED)
        state, _ = decide(replace(state, hedges={lost.hedge_id: lost}), Review(), at(10))
        assert state.record.mode is Mode.REDUCING

    def test_a_shortfall_under_the_policy_flatten_flattens(self) -> None:
        state = opened(a_group(LONG, SHORT, policy=Policy.FLATTEN))
        state, effects = decide(state, progress(LONG, entry_filled=3, entry_abandoned=7), at(10))
        assert (state.record.mode, state.record.reason) == (Mode.FLATTENING, "buy0 could not be filled")
        assert not [letter for _, letter in effects.letters if isinstance(letter, StartHedge)]


class TestABulletin:
    def test_of_several_children_none_goes_on_before_the_group_has_looked(self) -> None:
        state = opened()
        long, short = (parent_tag(0, GROUP, "E", index, 0) for index in (0, 1))
        news = tuple(
            OrderSent(client_order_id=client_order_id(one, 0, 1), ts_ns=NOW, checks="x") for one in (long, short)
        )
        state, effects = group_core.decide(state, Bulletin(news), at(1))
        assert [letter.hold for _, letter in effects.letters if isinstance(letter, Bulletin)] == [True, True]
        state, effects = group_core.decide(state, replace(progress(LONG, entry_filled=4), waits=True), at(1))
        assert not effects.letters, "the other one has not answered"
        state, _ = group_core.decide(state, Settle(1), at(1))
        _, effects = group_core.decide(state, Settle(0), at(1))
        assert told(effects, leg_name("buy0")) == [Review()]
        assert [letter.entry_qty for letter in told(effects, leg_name("sell1")) if isinstance(letter, WorkLeg)] == [4]

    def test_a_hedge_that_has_held_back_goes_on_behind_its_level(self) -> None:
        state, hedge_id = TestTheLimiter().hedging()
        waits = replace(a_hedge(LONG, 7, hedge_id=hedge_id), waits=True)
        late = progress(LONG, entry_filled=5, entry_abandoned=0, entry_authorized=3)
        state, _ = decide(replace(state, settling=True), late, at(1_000))
        _, effects = decide(replace(state, settling=False), waits, at(1_000))
        assert told(effects, hedge_name(hedge_id)) == [Cover(5, eased=True), Review()]


class TestTheLimiter:
    SHORTFALL = progress(LONG, entry_filled=3, entry_abandoned=7)

    def hedging(self) -> tuple[GroupState, str]:
        """A group that has just opened a hedge of 7."""
        state, effects = decide(opened(), self.SHORTFALL, at(10))
        (start,) = [letter for _, letter in effects.letters if isinstance(letter, StartHedge)]
        assert (start.record.needed_qty, start.record.level, start.record.side) == (7, 1, Side.BUY)
        assert state.record.hedges_placed == 1
        hedge_id = start.record.hedge_id
        state, _ = decide(state, a_hedge(LONG, 7, hedge_id=hedge_id, live=7), at(10))
        return state, hedge_id

    @pytest.mark.parametrize(("late_ns", "decided"), [(-1, False), (0, True)])
    def test_a_second_decision_waits_for_the_end_of_the_window_and_is_not_dropped(
        self, late_ns: int, decided: bool
    ) -> None:
        state, hedge_id = self.hedging()
        busted = progress(LONG, entry_filled=1, entry_abandoned=9)
        state, effects = decide(state, busted, at(100))
        assert not told(effects, hedge_name(hedge_id))
        due = NOW + (10 + WINDOW_MS) * MS
        assert effects.wake_ns is not None
        assert effects.wake_ns <= due
        _, effects = decide(state, Review(), at(at_ns=due + late_ns))
        assert told(effects, hedge_name(hedge_id)) == [Cover(9)] * decided + [Review()]

    def test_one_hedge_is_in_flight_and_a_new_one_only_after_it_has_ended(self) -> None:
        state, hedge_id = self.hedging()
        done = a_hedge(LONG, 7, 7, hedge_id=hedge_id, status=HedgeStatus.FILLED)
        state, _ = decide(state, done, at(1_000))
        busted = progress(LONG, entry_filled=1, entry_abandoned=2, entry_authorized=3)
        _, effects = decide(state, busted, at(2_000))
        (start,) = [letter for _, letter in effects.letters if isinstance(letter, StartHedge)]
        assert start.record.needed_qty == 2
        assert start.record.hedge_id != hedge_id

    @pytest.mark.parametrize(("live", "eased"), [(0, None), (6, None), (7, None), (7, 6), (7, 5)])
    def test_a_fill_that_comes_after_all_eases_the_hedge_of_it(self, live: int, eased: int | None) -> None:
        state, hedge_id = self.hedging()
        at_work = replace(a_hedge(LONG, 7, hedge_id=hedge_id, live=live, level=2), eased=eased)
        state, _ = decide(state, at_work, at(1_000))
        late = progress(LONG, entry_filled=5, entry_abandoned=0, entry_authorized=3)
        _, effects = decide(state, late, at(1_100))
        assert told(effects, hedge_name(hedge_id)) == [Cover(5, eased=True)] * (eased != 5)

    def test_it_is_eased_by_a_group_that_only_reduces_too(self) -> None:
        hedge_id = "h"
        state, _ = decide(opened(), progress(LONG, entry_filled=3), at())
        state, _ = decide(state, a_hedge(LONG, 7, hedge_id=hedge_id, live=7), at())
        state, _ = decide(state, CloseGroup("test", flatten=False), at())
        _, effects = decide(state, progress(LONG, entry_filled=4), at())
        assert told(effects, hedge_name(hedge_id)) == [Cover(6, eased=True)]

    def test_it_is_eased_while_nothing_may_leave_too(self) -> None:
        """When the gate opens the hedge works before the group has looked again: at the level that it knows by then."""
        state, hedge_id = self.hedging()
        state, _ = decide(state, a_hedge(LONG, 7, hedge_id=hedge_id), at(1_000))
        late = progress(LONG, entry_filled=10, entry_abandoned=0, entry_authorized=3)
        _, effects = decide(state, late, at(1_100, may_send=False, may_open=False))
        assert told(effects, hedge_name(hedge_id)) == [Cover(0, eased=True)]

    def test_a_group_that_closes_stops_its_hedges_as_soon_as_no_short_is_uncovered(self) -> None:
        state, hedge_id = self.hedging()
        state, _ = decide(state, a_hedge(LONG, 7, 2, hedge_id=hedge_id, live=5), at(1_000))
        naked = progress(SHORT, entry_filled=6, entry_live=0)
        state, _ = decide(state, naked, at(1_050))
        state, effects = decide(state, CloseGroup("test", flatten=True), at(1_100))
        assert not [one for one in told(effects, hedge_name(hedge_id)) if isinstance(one, Cover)]
        _, effects = decide(state, replace(naked, close_filled=1), at(1_200))
        assert [one for one in told(effects, hedge_name(hedge_id)) if isinstance(one, Cover)][-1:] == [Cover(2)]

    @pytest.mark.parametrize(("late", "level"), [(0, None), (1, 5), (2, 4)])
    def test_what_a_close_filled_after_all_is_taken_off_the_hedge_that_reverses_its_leg(
        self, late: int, level: int | None
    ) -> None:
        """R12: what works beyond what is held would sell what is not there."""
        state, _ = heard(opened(), 1, progress(LONG, entry_filled=10))
        state, _ = decide(state, CloseGroup("test", flatten=True), at(2))
        closing = progress(LONG, entry_filled=10, entry_authorized=0, close_filled=4, close_authorized=10)
        state, effects = decide(state, replace(closing, close_abandoned=6), at(1_000))
        (start,) = [letter for _, letter in effects.letters if isinstance(letter, StartHedge)]
        assert (start.record.needed_qty, start.record.side) == (6, Side.SELL)
        hedge_id = start.record.hedge_id
        at_work = a_hedge(LONG, 6, hedge_id=hedge_id, side=Side.SELL, live=6)
        state, _ = decide(state, at_work, at(1_010))
        filled = replace(closing, close_filled=4 + late, close_authorized=4)
        _, effects = decide(state, filled, at(2_000))
        assert told(effects, hedge_name(hedge_id)) == ([] if level is None else [Cover(level)])

    def test_what_was_too_much_and_is_closed_already_is_not_taken_off_the_hedge(self) -> None:
        """A bust may reopen a hedge whose excess was sold: it is needed for as much as was sold."""
        state, hedge_id = self.hedging()
        state, _ = decide(state, a_hedge(LONG, 7, hedge_id=hedge_id, live=7), at(1_000))
        sold = progress(LONG, entry_filled=10, entry_authorized=3, close_filled=6)
        _, effects = decide(state, sold, at(1_100))
        assert set(told(effects, hedge_name(hedge_id))) == {Cover(6, eased=True)}

    def test_what_a_hedge_was_eased_of_and_is_missing_again_is_its_level_again(self) -> None:
        state, hedge_id = self.hedging()
        at_work = replace(a_hedge(LONG, 7, hedge_id=hedge_id, live=7), eased=5)
        state, _ = decide(state, at_work, at(1_000))
        _, effects = decide(state, progress(LONG, entry_filled=3, entry_authorized=3), at(1_100))
        assert told(effects, hedge_name(hedge_id)) == [Cover(7, eased=True)]

    def test_the_same_shortfall_told_twice_is_hedged_once(self) -> None:
        state, _ = self.hedging()
        for ms in (20, 600, 1_200):
            state, effects = decide(state, replace(self.SHORTFALL, unresolved=0), at(ms))
            assert not [letter for _, letter in effects.letters if isinstance(letter, StartHedge | Cover)]

    def test_nothing_is_opened_without_a_broker(self) -> None:
        _, effects = decide(opened(), self.SHORTFALL, at(10, may_send=False))
        assert not [letter for _, letter in effects.letters if isinstance(letter, StartHedge)]


class TestRestoring:
    def test_the_limiter_and_the_ordinals_survive(self) -> None:
        root = open_record(
            LONG, group_id=PAIR.group_id, ordinal=11, level=1, parent_hedge_id="", needed_qty=7, closing=False,
            trigger="x", moment=at(),
        )  # fmt: skip
        child = open_record(
            LONG, group_id=PAIR.group_id, ordinal=12, level=2, parent_hedge_id=root.hedge_id, needed_qty=7,
            closing=False, trigger="x", moment=at(5_000),
        )  # fmt: skip
        message = RestoreGroup(record=record(PAIR), intents=(), execution_states=(), hedges=(child, root), stops=())
        state, effects = group_core.start(message, at(6_000))
        assert state.opened_ns == {LONG.instrument.symbol: NOW}
        assert state.rounds == 2
        assert state.awaited == {leg_name("buy0"), leg_name("sell1"), hedge_name(root.hedge_id)}
        (letter,) = told(effects, hedge_name(root.hedge_id))
        assert isinstance(letter, StartHedge)
        assert letter.chain == (root, child)


def test_a_message_without_a_rule_is_an_error() -> None:
    with pytest.raises(UnknownMessage, match="has no rule for"):
        decide(opened(), Tick(1), at())  # type: ignore[arg-type]


def test_a_short_leg_that_cannot_be_filled_flattens_whatever_the_policy() -> None:
    state, _ = heard(
        opened(), 5, progress(LONG, entry_filled=10), progress(a_leg(1, Side.SELL), entry_filled=2, entry_abandoned=8)
    )
    assert state.record.mode is Mode.FLATTENING


def test_a_group_whose_contracts_expired_while_a_part_was_missing_does_not_wait_for_it_for_ever() -> None:
    """As when a fill is busted at the close: nothing can be bought or sold any more, so that nothing would end it."""
    a_year_ms = 365 * 86_400_000
    state = opened()
    state, _ = decide(state, progress(LONG, entry_authorized=10, entry_filled=10), at())
    assert state.record.mode is Mode.ENTERING
    later, _ = decide(state, Review(), at(a_year_ms))
    assert later.record.mode is Mode.FLATTENING
    assert later.record.reason == "sell1 expired before the group held all of it"
    whole, _ = decide(opened(), progress(LONG, entry_authorized=10, entry_filled=10), at())
    whole, _ = decide(whole, progress(SHORT, entry_authorized=10, entry_filled=10), at())
    whole, _ = decide(whole, Review(), at(a_year_ms))
    assert whole.record.mode is Mode.ENTERING, "what is whole is settled by its expiry"


def test_one_dead_leg_is_enough_where_the_legs_expire_one_after_the_other() -> None:
    """A short that expired while it was missing is not waited for because its long lives on."""
    lives_on = replace(LONG, instrument=replace(LONG.instrument, expiry="2027-12-17"))
    state = opened(replace(PAIR, legs=(lives_on, SHORT)))
    state, _ = decide(state, progress(lives_on, entry_authorized=10, entry_filled=10), at())
    state, _ = decide(state, Review(), at(365 * 86_400_000))
    assert state.record.mode is Mode.FLATTENING
