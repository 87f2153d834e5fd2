"""Restart policy: who restarts with whom, when, and when it is enough."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.supervision import (
    Care,
    ChildSpec,
    GiveUp,
    History,
    Leave,
    Restart,
    RestartAfter,
    Strategy,
    SupervisorSpec,
    Verdict,
    hung,
    on_beat,
    on_exit,
)

# Not in start order on purpose: positions decide, not the place in the tuple.
NAMES = ("gateway", "cells", "notifier")
CHILDREN = (
    ChildSpec(name="cells", restart=Restart.PERMANENT, position=2, actor="supervisors.cells.CellSupervisor"),
    ChildSpec(name="gateway", restart=Restart.PERMANENT, position=1, actor="actors.gateway.BrokerGateway"),
    ChildSpec(name="notifier", restart=Restart.TRANSIENT, position=3, actor="actors.notifier.Notifier"),
)
TEMPORARY = ChildSpec(name="probe", restart=Restart.TEMPORARY, position=4, actor="actors.probe.Probe")


def a_spec(strategy: Strategy = Strategy.ONE_FOR_ONE, **changes: Any) -> SupervisorSpec:
    settings: dict[str, Any] = {
        "strategy": strategy,
        "intensity": 3,
        "period_ms": 1_000,
        "backoff_ms": 50,
        "backoff_max_ms": 120,
        "children": CHILDREN,
    }
    return SupervisorSpec(**{**settings, **changes})


def crash(
    spec: SupervisorSpec, child: str, now_ms: int = 0, history: History = (), **how: Any
) -> tuple[Verdict, History]:
    return on_exit(spec, history, child, now_ms, **{"normal": False, "permanent_failure": False, **how})


RESTART_TABLE = [
    (Restart.PERMANENT, True, True),
    (Restart.PERMANENT, False, True),
    (Restart.TRANSIENT, True, False),
    (Restart.TRANSIENT, False, True),
    (Restart.TEMPORARY, True, False),
    (Restart.TEMPORARY, False, False),
]


@pytest.mark.parametrize(("restart", "normal", "restarted"), RESTART_TABLE)
def test_the_restart_type_says_which_exits_are_mended(restart: Restart, normal: bool, restarted: bool) -> None:
    spec = a_spec(children=(ChildSpec(name="one", restart=restart, position=0, actor="a.B"),))
    verdict, history = crash(spec, "one", normal=normal)
    assert verdict == (RestartAfter(("one",), 0) if restarted else Leave())
    assert history == ((("one", 0),) if restarted else ())


STRATEGY_TABLE: list[tuple[Strategy, str, tuple[str, ...], tuple[str, ...]]] = [
    (Strategy.ONE_FOR_ONE, "gateway", ("gateway",), ()),
    (Strategy.ONE_FOR_ONE, "notifier", ("notifier",), ()),
    (Strategy.REST_FOR_ONE, "gateway", NAMES, ("probe", "notifier", "cells")),
    (Strategy.REST_FOR_ONE, "cells", ("cells", "notifier"), ("probe", "notifier")),
    (Strategy.REST_FOR_ONE, "notifier", ("notifier",), ("probe",)),
    (Strategy.ONE_FOR_ALL, "cells", NAMES, ("probe", "notifier", "gateway")),
]


@pytest.mark.parametrize(("strategy", "child", "names", "stop"), STRATEGY_TABLE)
def test_the_strategy_says_who_stops_and_who_starts_in_which_order(
    strategy: Strategy, child: str, names: tuple[str, ...], stop: tuple[str, ...]
) -> None:
    verdict, history = crash(a_spec(strategy, children=(*CHILDREN, TEMPORARY)), child)
    assert verdict == RestartAfter(names, 0, stop)
    assert history == tuple((name, 0) for name in names)


def test_the_first_restart_is_at_once_and_further_ones_wait_doubling_up_to_the_maximum() -> None:
    spec, delays = a_spec(intensity=5), []
    history: History = ()
    for _ in range(5):
        verdict, history = crash(spec, "cells", 0, history)
        assert isinstance(verdict, RestartAfter)
        delays.append(verdict.delay_ms)
    assert delays == [0, 50, 100, 120, 120]


def test_more_restarts_than_the_intensity_within_the_period_is_giving_up() -> None:
    spec = a_spec()
    full = (("cells", 0), ("cells", 10), ("cells", 20))
    verdict, history = crash(spec, "cells", 999, full, reason="bad frame")
    assert isinstance(verdict, GiveUp)
    assert "cells was restarted 3 times within 1000 ms" in verdict.reason
    assert "bad frame" in verdict.reason
    assert history == full
    assert isinstance(crash(spec, "cells", 999, full[:2])[0], RestartAfter)


def test_a_restart_counts_until_just_before_the_period_has_passed() -> None:
    full = (("cells", 0), ("cells", 10), ("cells", 20))
    assert isinstance(crash(a_spec(), "cells", 999, full)[0], GiveUp)
    verdict, history = crash(a_spec(), "cells", 1_000, full)
    assert verdict == RestartAfter(("cells",), 100)
    assert history == (("cells", 10), ("cells", 20), ("cells", 1_100))


def test_after_a_quiet_period_the_next_restart_is_at_once_again() -> None:
    verdict, history = crash(a_spec(), "cells", 5_000, (("cells", 0), ("cells", 100)))
    assert verdict == RestartAfter(("cells",), 0)
    assert history == (("cells", 5_000),)


def test_one_childs_crashes_do_not_spend_the_budget_of_another() -> None:
    full = (("cells", 0), ("cells", 10), ("cells", 20))
    assert crash(a_spec(), "gateway", 30, full)[0] == RestartAfter(("gateway",), 0)


def test_those_who_are_restarted_along_are_bounded_too() -> None:
    full = (("notifier", 0), ("notifier", 10), ("notifier", 20))
    verdict, _ = crash(a_spec(Strategy.REST_FOR_ONE), "gateway", 30, full)
    assert isinstance(verdict, GiveUp)
    assert verdict.reason.startswith("notifier was restarted 3 times")
    assert "gateway has exited" in verdict.reason


def test_without_any_budget_the_first_crash_is_giving_up() -> None:
    assert isinstance(crash(a_spec(intensity=0), "cells")[0], GiveUp)


def test_a_permanent_failure_is_giving_up_at_once_with_the_childs_own_reason() -> None:
    verdict, history = crash(a_spec(), "gateway", permanent_failure=True, reason="the journal is of a newer version")
    assert verdict == GiveUp("gateway cannot run: the journal is of a newer version")
    assert history == ()
    assert crash(a_spec(), "gateway", permanent_failure=True)[0] == GiveUp("gateway cannot run: it gave no reason")


def test_a_child_that_nobody_restarts_may_also_fail_for_good() -> None:
    spec = a_spec(children=(*CHILDREN, TEMPORARY))
    assert crash(spec, "probe", permanent_failure=True, reason="no such file")[0] == Leave()


def test_an_unknown_child_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(KeyError, match="no child 'celsl'; there are cells, gateway, notifier"):
        crash(a_spec(), "celsl")


@pytest.mark.parametrize(
    ("name", "position", "what"), [("cells", 9, "name: 'cells'"), ("other", 2, "position: 2")], ids=["name", "position"]
)
def test_children_must_differ(name: str, position: int, what: str) -> None:
    twin = ChildSpec(name=name, restart=Restart.PERMANENT, position=position, actor="a.B")
    with pytest.raises(ValueError, match=f"must not share a {what}"):
        a_spec(children=(*CHILDREN, twin))


@pytest.mark.parametrize(("silence_ms", "expected"), [(0, False), (4_999, False), (5_000, True), (9_000, True)])
def test_a_child_is_hung_when_it_has_not_answered_for_the_whole_timeout(silence_ms: int, expected: bool) -> None:
    assert hung(100, 100 + silence_ms, 5_000) is expected


@given(
    st.sampled_from(Strategy),
    st.integers(0, 5),
    st.sampled_from([(0, 0), (50, 2_000), (700, 700)]),
    st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 400)), max_size=60),
)
def test_no_child_is_restarted_more_than_intensity_times_in_any_period(
    strategy: Strategy, intensity: int, backoff: tuple[int, int], exits: list[tuple[str, int]]
) -> None:
    spec = a_spec(strategy, intensity=intensity, backoff_ms=backoff[0], backoff_max_ms=backoff[1])
    history: History = ()
    restarted: dict[str, list[int]] = {name: [] for name in NAMES}
    now_ms = 0
    for child, pause_ms in exits:
        now_ms += pause_ms
        verdict, history = crash(spec, child, now_ms, history)
        assert all(at_ms > now_ms - spec.period_ms for _, at_ms in history)  # bounded: the past is forgotten
        if isinstance(verdict, RestartAfter):
            assert child in verdict.names
            for name in verdict.names:
                restarted[name].append(now_ms + verdict.delay_ms)
    for times in map(sorted, restarted.values()):
        assert all(later - first >= spec.period_ms for first, later in zip(times, times[intensity:], strict=False))


@given(st.integers(1, 40), st.integers(0, 100), st.integers(0, 5_000))
def test_delays_never_shrink_nor_pass_the_maximum_while_crashes_go_on(
    intensity: int, backoff_ms: int, backoff_max_ms: int
) -> None:
    spec = a_spec(intensity=intensity, backoff_ms=backoff_ms, backoff_max_ms=backoff_max_ms)
    history: History = ()
    delays = []
    for _ in range(intensity):
        verdict, history = crash(spec, "cells", 0, history)
        assert isinstance(verdict, RestartAfter)
        delays.append(verdict.delay_ms)
    assert delays[0] == 0
    assert all(earlier <= later <= backoff_max_ms for earlier, later in pairwise(delays))


BEATS = [  # heard, killed, now, called
    (1_000, None, 5_999, False, Care.ASK),
    (1_000, None, 6_000, False, Care.KILL),
    (1_000, 6_000, 6_500, False, Care.WAIT),
    (1_000, 6_000, 7_999, False, Care.WAIT),
    (1_000, 6_000, 8_000, False, Care.CALL),
    (1_000, 6_000, 8_500, True, Care.WAIT),
    (8_400, 6_000, 8_500, True, Care.WAIT),  # whatever was heard after it was killed
    (0, 0, 2_000, False, Care.CALL),
]


@pytest.mark.parametrize(("heard_ms", "killed_ms", "now_ms", "called", "care"), BEATS)
def test_a_child_that_hangs_is_killed_once_and_a_person_called_once_when_it_does_not_end(
    heard_ms: int, killed_ms: int | None, now_ms: int, called: bool, care: Care
) -> None:
    assert on_beat(heard_ms, killed_ms, now_ms, patience_ms=5_000, timeout_ms=2_000, called=called) is care
