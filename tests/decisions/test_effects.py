"""What a decision is made of: the moment, and what is asked for."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from order_cases import CONFIG, NOW, QUOTES, alerts, at, option

from config.schema import Config, OrdersConfig
from decisions.effects import MS, Effects
from messages.group import Review
from messages.records import Severity

SYMBOL = option().symbol
QUOTE = QUOTES[SYMBOL]


@pytest.mark.parametrize(("age_ns", "usable"), [(0, True), (1_000 * MS, True), (1_000 * MS + 1, False)])
def test_a_quote_is_fresh_up_to_its_age_and_not_a_nanosecond_longer(age_ns: int, usable: bool) -> None:
    config = Config(orders=OrdersConfig(quote_max_age_ms=1_000))
    moment = at(config=config, quotes={SYMBOL: replace(QUOTE, ts_ns=NOW - age_ns)})
    assert (moment.quote(SYMBOL) is not None) == usable


@pytest.mark.parametrize("changes", [{"bid": 0}, {"ask": 0}, {"bid": 21_000}])
def test_a_one_sided_or_crossed_quote_is_none(changes: dict[str, int]) -> None:
    assert at(quotes={SYMBOL: replace(QUOTE, **changes)}).quote(SYMBOL) is None
    assert at(quotes={}).quote(SYMBOL) is None


def test_the_earliest_wish_to_look_again_wins() -> None:
    effects = Effects()
    assert effects.wake_ns is None
    for wish in (30, 10, 20):
        effects.wake(wish)
    assert effects.wake_ns == 10


def test_letters_keep_their_order() -> None:
    effects = Effects()
    effects.tell("leg/a", Review())
    effects.tell("parent", Review())
    assert [name for name, _ in effects.letters] == ["leg/a", "parent"]


def test_the_id_of_an_alert_is_made_of_what_it_is_about() -> None:
    effects = Effects()
    moment = at(config=CONFIG)
    effects.alert(moment, Severity.CRITICAL, "KIND", "text", group_id="g", symbol="S", quantity=3, subject="x")
    effects.alert(moment, Severity.INFO, "KIND", "text")
    first, second = alerts(effects)
    assert (first.escalation_id, second.escalation_id) == ("KIND:g:x", "KIND")
    assert (first.raised_ns, first.quantity, first.repeats, first.acknowledged_ns) == (NOW, 3, 0, 0)
