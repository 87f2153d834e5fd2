"""S4, E17: who asks for what in contracts that have expired, and until when the broker's word is waited for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from order_cases import alerts, at, canceled, submits
from test_group import decide, hedged, opened, told
from test_group_levels import LONG, a_hedge, progress
from test_hedge import TIMEOUT_MS, handed_down, orders
from test_hedge import opened as hedge_of

from decisions.effects import MS
from decisions.groups import hedge as hedge_core
from decisions.groups.group_routes import hedge_name
from domain.calendar import CALENDARS, NS, death_ns, settled_ns
from domain.execution import Side
from messages.group import CloseGroup, Cover, Review, StartHedge
from messages.records import HedgeStatus

A_YEAR_MS = 365 * 86_400_000


@pytest.mark.parametrize("flatten", [True, False])
@pytest.mark.parametrize(("side", "filled", "live"), [(Side.BUY, 2, 0), (Side.BUY, 2, 1), (Side.SELL, 0, 0)])
def test_a_hedge_is_let_go_with_what_it_has_and_what_still_works(
    flatten: bool, side: Side, filled: int, live: int
) -> None:
    """In every mode: the group that only reduces waited for it for ever."""
    state, _ = decide(opened(), progress(LONG, entry_filled=3), at())
    state, _ = decide(state, a_hedge(LONG, 7, filled, hedge_id="h", live=live, side=side), at(1))
    state, _ = decide(state, CloseGroup("test", flatten=flatten), at(2))
    _, effects = decide(state, Review(), at(A_YEAR_MS))
    letters = [one for one in told(effects, hedge_name("h")) if isinstance(one, Cover)]
    assert letters == [Cover(filled + live)], "one level: between two it would go to and fro"
    assert not [letter for _, letter in effects.letters if isinstance(letter, StartHedge)]


def test_the_time_of_a_hedge_stands_still_until_it_is_let_go() -> None:
    """Its own news may come before the group's look; a person could not buy it either."""
    state, _ = hedge_of()
    (order,) = orders(state)
    state, effects = hedge_core.decide(state, canceled(order), at(A_YEAR_MS + TIMEOUT_MS))
    assert state.record.status is HedgeStatus.WORKING
    assert not handed_down(effects) + submits(effects)


def test_the_word_on_an_expiry_is_late_so_long_after_the_opening_that_follows() -> None:
    calendar, expiry = at().calendar, LONG.instrument.expiry
    died = death_ns(calendar, expiry)
    patience_ms = at().config.alerts.expiry_news_ms
    _, effects = decide(hedged(), Review(), at(1))
    assert effects.wake_ns == died
    into_ms = (died - at().at_ns) // MS
    _, effects = decide(hedged(), Review(), at(into_ms))
    assert effects.wake_ns == died + patience_ms * MS
    assert not alerts(effects)
    _, effects = decide(hedged(), Review(), at(into_ms + patience_ms))
    assert {alert.kind for alert in alerts(effects)} == {"EXPIRY_UNTOLD"}


@pytest.mark.parametrize(("name", "opens"), [("us_options", "2026-01-20T14:30"), ("nse", "2026-01-19T03:45")])
def test_an_expiry_is_settled_by_the_opening_that_follows(name: str, opens: str) -> None:
    """2026-01-16 was a Friday, and the Monday after it a holiday in the United States."""
    settled = datetime.fromtimestamp(settled_ns(CALENDARS[name], "2026-01-16") // NS, UTC)
    assert settled.isoformat().startswith(opens)


def test_a_market_that_never_closes_settles_an_expiry_at_once() -> None:
    calendar = CALENDARS["always"]
    assert settled_ns(calendar, "2026-01-16") == death_ns(calendar, "2026-01-16")
