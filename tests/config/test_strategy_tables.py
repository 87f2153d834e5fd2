"""The ``[[strategy]]`` tables of the configuration."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from config.errors import ConfigError
from config.load import load_config
from config.render import as_json, markdown, render_toml
from config.strategies import KEYS
from domain.strategies import StrategyRules
from domain.verticals import VerticalKind

WEEKLY = """
[[strategy]]
name = "weekly-puts"
kind = "bull_put"
underlying = "LEGK"
quantity = 10
short_distance_pct = 3
width = 5
min_credit = 0.35
"""
NAMED = StrategyRules(
    name="weekly-puts",
    kind=VerticalKind.BULL_PUT,
    underlying="LEGK",
    quantity=10,
    short_distance_pct=3.0,
    width=50_000,
    min_credit=3_500,
)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "legkeeper.toml"
    path.write_text(text)
    return path


def test_a_table_becomes_rules_with_prices_in_ten_thousandths_and_the_stated_defaults(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, WEEKLY), {})
    assert config.strategy == (NAMED,)
    assert (NAMED.profit_target_pct, NAMED.adjust_within_pct, NAMED.enabled) == (50.0, 20.0, True)


def test_what_is_rendered_is_read_back_and_json_says_the_same(tmp_path: Path) -> None:
    text = WEEKLY + WEEKLY.replace("weekly-puts", "calls").replace("bull_put", "bear_call").replace(
        "width = 5", "width_strikes = 2\nexit_time = '15:30'\nre_enter = true"
    )
    config = load_config(written(tmp_path, text), {})
    rendered = render_toml(config)
    assert load_config(written(tmp_path, rendered), {}) == config
    assert tomllib.loads(rendered) == as_json(config)


def test_the_reference_page_names_every_key() -> None:
    page = markdown()
    assert all(f"| `{key}` |" in page for key in KEYS)
    assert set(KEYS) == set(StrategyRules.__struct_fields__)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("bull_put", "iron_fly"), "kind = 'iron_fly' is not allowed; it must be 'bull_put' or 'bear_call'"),
        (("width = 5", "widht = 5"), "unknown key widht; did you mean width?"),
        (("width = 5", ""), "give one of width and width_strikes, not both"),
        (("width = 5", "width = 5\nwidth_strikes = 1"), "give one of width and width_strikes, not both"),
        (("short_distance_pct = 3", ""), "give one of short_distance_pct and short_delta, not both"),
        (("quantity = 10", "quantity = 0"), "quantity = 0 is not allowed; it must be a whole number from 1"),
        (("quantity = 10", "quantity = true"), "quantity = True is not allowed"),
        (("quantity = 10", ""), "missing key quantity: units of each leg"),
        (("min_credit = 0.35", "min_credit = nan"), "min_credit = nan is not allowed; it must be a price above 0"),
        (("min_credit = 0.35", "min_credit = 6"), "the premium asked for must be below the width = 5"),
        (("min_credit = 0.35", "max_debit = 2"), "bull_put receives a credit: use min_credit, not max_debit"),
        (("min_credit = 0.35", "min_days = 90"), "min_days = 90 must not exceed max_days = 60"),
        (("min_credit = 0.35", "exit_days_before_expiry = 7"), "else it would close what it has just entered"),
        (("min_credit = 0.35", "profit_target_pct = 0"), "profit_target_pct = 0 is not allowed"),
        (("min_credit = 0.35", "exit_time = '25:00'"), "it must be a time of the day such as '15:30'"),
        (("weekly-puts", "weekly puts"), "name = 'weekly puts' is not allowed; it must be 1 to 32 letters"),
        (("[[strategy]]", "[strategy]"), "strategy must be a list of tables, each written [[strategy]]"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    path = written(tmp_path, WEEKLY.replace(*change))
    with pytest.raises(ConfigError) as refused:
        load_config(path, {})
    assert says in str(refused.value)
    assert str(path) in str(refused.value)


def test_two_strategies_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="two strategies are called 'weekly-puts'"):
        load_config(written(tmp_path, WEEKLY + WEEKLY), {})
