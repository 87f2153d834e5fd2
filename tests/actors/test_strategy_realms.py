"""Each new group of a strategy goes by the share of its moment, and never to both realms nor to none."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from trader import rules
from two_realms import TwoRealms, number_of

from domain.groups import GroupOutcome
from domain.rollout import Realm, bucket, leader, realm_for
from domain.strategies import Exit, Standing, StrategyStatus
from messages.operator import CancelGroup
from messages.strategy_records import StrategyRecord

OFTEN = rules(retry_ms=500, re_enter=True, max_tries=1_000)
REACHED = 110.0  # the underlying, where the profit target is


def round_trip(both: TwoRealms) -> tuple[Realm, str]:
    """Let the strategy enter one vertical and take its profit; where, and as what."""
    before = len(both.entered())
    both.wait_until(lambda: len(both.entered()) > before)
    both.move(REACHED)
    both.wait_until(lambda: not both.holding())
    both.move(100.0)
    return both.entered()[before]


def records(both: TwoRealms) -> dict[Realm, StrategyRecord]:
    return {realm: side.strategy() for realm, side in both.sides.items()}


def test_every_group_goes_where_the_hash_of_its_id_sends_it_at_the_share_of_its_moment() -> None:
    both = TwoRealms(OFTEN, share=50)
    shares = []
    for share in (50, 50, 50, 0, 0, 100, 100, 25, 75, 50):
        both.share = share
        realm, group_id = round_trip(both)
        assert realm is realm_for(group_id, share), f"{group_id} of bucket {bucket(group_id)} at {share} %"
        shares.append(realm)
    assert set(shares) == set(Realm)
    numbers = [number_of(group_id) for _, group_id in both.entered()]
    assert numbers == list(range(1, len(numbers) + 1)), "one count for both realms"


def test_what_is_open_stays_where_it_is_and_is_closed_there_when_the_share_changes() -> None:
    both = TwoRealms(OFTEN, share=100)
    both.wait(6)
    assert both.holding() == [Realm.LIVE]
    both.share = 0
    both.wait(10)
    assert both.holding() == [Realm.LIVE]
    held = both.sides[Realm.LIVE].positions()
    assert sorted(held.values()) == [-10, 10]
    both.move(REACHED)
    both.wait(3)
    assert both.sides[Realm.LIVE].positions() == {}
    assert not any(request.symbol in held for request in both.sides[Realm.PAPER].orders())
    both.move(100.0)
    both.wait(6)
    assert both.holding() == [Realm.PAPER]
    assert [realm for realm, _ in both.entered()] == [Realm.LIVE, Realm.PAPER]


def test_a_decision_that_was_not_let_in_before_the_share_changed_is_taken_back() -> None:
    """It is decided at 100 %, and offered by the next look, when the share is 0."""
    both = TwoRealms(OFTEN, share=100)
    live = both.sides[Realm.LIVE]
    while live.strategy().status is StrategyStatus.FLAT:
        live.advance(100)
    assert live.strategy().status is StrategyStatus.ENTERING and live.journal.group(live.strategy().group_id) is None
    both.share = 0
    both.wait(6)
    assert [realm for realm, _ in both.entered()] == [Realm.PAPER]
    assert not live.orders()
    assert live.verticals()[0].exit is Exit.NOT_ENTERED
    assert "at a share of 0 %" in live.verticals()[0].exit_reason
    assert both.sides[Realm.PAPER].strategy().tries == live.strategy().tries == 0, "no failure of the strategy's"


def test_a_roll_goes_by_the_share_too_and_takes_its_rule_along() -> None:
    both = TwoRealms(rules(retry_ms=500, adjust_within_pct=20.0, re_enter=True), share=100)
    both.wait(6)
    both.share = 0
    both.move(96.0)
    both.wait(10)
    (first, one), (second, two) = both.entered()
    assert (first, second) == (Realm.LIVE, Realm.PAPER)
    old, new = (both.sides[realm].verticals()[-1] for realm in (first, second))
    assert (old.exit, new.rolled_from, two) == (Exit.ADJUSTMENT, one, new.group_id)
    assert new.short_strike < old.short_strike
    assert both.sides[Realm.PAPER].strategy().adjustments == 1


def test_while_the_other_realm_cannot_be_read_nothing_is_entered_and_the_strategy_says_why() -> None:
    both = TwoRealms(OFTEN, share=100)
    both.problem = "where its next group goes is not known: the record of the share is damaged"
    both.wait(5)
    assert both.verticals() == []
    assert {record.reason for record in records(both).values()} == {f"waits: {both.problem}"}
    both.problem = ""
    both.wait(5)
    assert both.holding() == [Realm.LIVE]


def test_a_stopped_strategy_enters_in_neither_realm_and_a_started_one_goes_on_where_it_was_to() -> None:
    both = TwoRealms(OFTEN, share=100)
    round_trip(both)
    both.run(run=False)
    both.share = 0
    both.wait(10)
    assert both.holding() == [] and {record.standing for record in records(both).values()} == {Standing.STOPPED}
    both.run(run=True)
    both.wait(6)
    assert both.holding() == [Realm.PAPER]


def test_of_a_strategy_that_gives_up_in_one_realm_the_other_enters_nothing() -> None:
    both = TwoRealms(rules(retry_ms=500, re_enter=False), share=100)
    round_trip(both)
    both.share = 0
    both.wait(10)
    assert len(both.entered()) == 1
    assert records(both)[Realm.LIVE].standing is Standing.ENDED


def test_failures_are_counted_over_both_realms() -> None:
    """Nothing fills anywhere, and every attempt is made on the other side than the one before."""
    both = TwoRealms(rules(retry_ms=100, re_enter=True, max_tries=4), share=100)
    for side in both.sides.values():
        side.sizes = dict.fromkeys(side.sizes, 0)
        side.show()
    for attempt in range(6):
        both.share = 100 if attempt % 2 == 0 else 0
        for _ in range(40):
            if len(both.verticals()) > attempt:
                break
            both.each(lambda side: side.advance(1_000, step_ms=500))
            both.each(lambda side: side.show())
    assert [realm for realm, _ in both.verticals()] == [Realm.LIVE, Realm.PAPER] * 2
    assert [record.standing for record in records(both).values()] == [Standing.ACTIVE, Standing.ENDED]
    assert "STRATEGY_GAVE_UP" in both.sides[Realm.PAPER].kinds()


class TestOneRealmThatRunsAlone:
    def test_takes_the_lead_and_the_other_yields_when_it_is_back(self) -> None:
        both = TwoRealms(OFTEN, share=0)
        round_trip(both)
        both.start("live")
        assert round_trip(both)[0] is Realm.LIVE
        both.share = 100
        both.start("rollout")
        assert round_trip(both)[0] is Realm.LIVE
        both.share = 0
        assert round_trip(both)[0] is Realm.PAPER
        terms = {record.term for record in records(both).values()}
        assert len(terms) == 1 and leader(terms.pop()) is Realm.PAPER

    def test_and_what_it_left_open_there_holds_new_entries_back_until_it_is_closed(self) -> None:
        """Mode live leaves a vertical on paper; back in rollout nothing is entered before it is closed."""
        both = TwoRealms(OFTEN, share=0)
        both.wait(6)
        assert both.holding() == [Realm.PAPER]
        held = both.sides[Realm.PAPER].strategy().group_id
        both.judge = lambda: None  # type: ignore[method-assign]  # in this mode nobody looks after paper
        both.start("live")
        both.wait(6)
        assert both.holding() == list(Realm)
        live = both.sides[Realm.LIVE]
        both.run(run=False)
        while live.strategy().status is not StrategyStatus.FLAT:
            live.advance(1_000, fresh=True)
        before = len(both.entered())
        both.share = 100
        both.start("rollout")
        both.run(run=True)
        both.wait(8)
        assert len(both.entered()) == before
        assert live.strategy().reason == f"waits: {held} is open on paper"
        both.sides[Realm.PAPER].take([CancelGroup(held)])
        both.wait(8)
        assert len(both.entered()) == before + 1


def commits(both: TwoRealms) -> dict[Realm, int]:
    return {realm: len(side.journal.turns()) for realm, side in both.sides.items()}


def changing_hands(die_in: Realm | None = None, die_at: int = 0, *, durable: bool = False) -> TwoRealms:
    """Live, then paper, then live again; one cell dies at its ``die_at``-th commit."""
    both = TwoRealms(OFTEN, share=100)
    if die_in is not None:
        both.sides[die_in].journal.fail_commit(die_at, durable=durable)
    for share in (100, 0, 100):
        both.share = share
        round_trip(both)
    return both


@pytest.mark.parametrize("durable", [False, True], ids=["lost", "durable"])
@pytest.mark.parametrize("realm", Realm)
def test_either_cell_may_die_at_every_commit_while_the_lead_changes_hands(realm: Realm, durable: bool) -> None:
    whole = changing_hands()
    assert [where for where, _ in whole.entered()][:3] == [Realm.LIVE, Realm.PAPER, Realm.LIVE]
    for die_at in range(1, commits(whole)[realm] - commits(TwoRealms(OFTEN, share=100))[realm]):
        both = changing_hands(realm, die_at, durable=durable)
        assert both.deaths == 1, f"commit {die_at} never came"
        assert [where for where, _ in both.entered()][:3] == [Realm.LIVE, Realm.PAPER, Realm.LIVE]


events = st.one_of(
    st.tuples(st.just("share"), st.sampled_from((0, 10, 50, 90, 100))),
    st.tuples(st.just("move"), st.sampled_from((92.0, 96.0, 100.0, 104.0, REACHED))),
    st.tuples(st.just("wait"), st.sampled_from((1, 2, 5))),
    st.tuples(st.just("live dies"), st.integers(1, 6)),
    st.tuples(st.just("paper dies"), st.integers(1, 6)),
    st.tuples(st.just("hide"), st.sampled_from(("", "the record of the share is damaged"))),
    st.tuples(st.just("run"), st.booleans()),
    st.tuples(st.just("size"), st.sampled_from((3, 100))),
)


def tell(both: TwoRealms, what: str, how: object) -> None:
    match what:
        case "share":
            both.share = int(str(how))
        case "move":
            both.move(float(str(how)))
        case "wait":
            both.wait(int(str(how)))
        case "hide":
            both.problem = str(how)
        case "run":
            both.run(run=bool(how))
        case "size":
            for side in both.sides.values():
                side.sizes = dict.fromkeys(side.sizes, int(str(how)))
        case _:
            nth, realm = int(str(how)), Realm(what.split(maxsplit=1)[0])
            both.sides[realm].journal.fail_commit(nth, durable=bool(nth % 2))


@settings(max_examples=12, deadline=None)
@example([("live dies", 2), ("run", False)], 0)
@example([("wait", 1), ("move", 92.0), ("wait", 1)], 0)
@given(st.lists(events, max_size=10), st.sampled_from((0, 30, 100)))
def test_any_story_of_shares_deaths_and_markets_has_one_vertical_at_a_time_and_goes_on(
    story: list[tuple[str, object]], share: int
) -> None:
    both = TwoRealms(rules(retry_ms=500, re_enter=True, max_tries=1_000, max_adjustments=0), share)
    for what, how in story:
        tell(both, what, how)
    # Whatever happened: visible and started again, it closes what it has, and enters where the share says.
    both.problem, both.share = "", 100 - share
    for _ in range(2):  # a command that met the death of its cell got no answer, and is given again
        both.run(run=True)
    for side in both.sides.values():
        side.sizes = dict.fromkeys(side.sizes, 100)
    both.move(REACHED)
    both.wait(6)
    both.move(100.0)
    before = len(both.entered())
    both.wait_until(lambda: bool(both.entered()) and both.holding() == [both.entered()[-1][0]], 80)
    where, group_id = both.entered()[-1]
    assert realm_for(group_id, both.share) is where or len(both.entered()) == before
    assert both.outcomes() <= {GroupOutcome.HEDGED, GroupOutcome.FLAT}
