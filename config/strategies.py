"""Reads the ``[[strategy]]`` tables of the configuration file, and writes them back.

Prices are decimals in currency units (``min_credit = 0.50``); they are kept in ten-thousandths.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import time
from typing import Any, NamedTuple

import msgspec

from config.errors import nearest
from config.values import WrongValue, flag, one_of, price
from domain.instruments import canonical_symbol
from domain.money import to_decimal
from domain.plans import MAX_QUANTITY
from domain.strategies import STRATEGY_NAME, StrategyRules
from domain.verticals import VerticalKind


def _name(value: Any) -> str:
    if not isinstance(value, str) or not STRATEGY_NAME.fullmatch(value):
        raise WrongValue("1 to 32 letters, digits, '_' or '-'")
    return value


def _underlying(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > 64:
        raise WrongValue("the underlying's symbol")
    return canonical_symbol(value)


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise WrongValue(f"a whole number from {low:,} to {high:,}")
        return value

    return read


def _number(low: float, high: float) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise WrongValue(f"a number from {low:g} to {high:g}")
        return float(value)

    return read


def _clock(value: Any) -> str:
    try:
        if isinstance(value, str) and len(value) == 5:
            return time.fromisoformat(value).strftime("%H:%M")
    except ValueError:
        pass
    raise WrongValue("a time of the day such as '15:30'")


class Key(NamedTuple):
    """How one key is read and what it means."""

    read: Callable[[Any], Any]
    meaning: str


KEYS: Mapping[str, Key] = {
    "name": Key(_name, "its name; its groups are called NAME.1, NAME.2, …"),
    "kind": Key(one_of(VerticalKind), "bull_put, bear_call (for a credit), bull_call or bear_put (for a debit)"),
    "underlying": Key(_underlying, "the underlying's symbol as the broker lists it"),
    "quantity": Key(_whole(1, MAX_QUANTITY), "units of each leg; whole lots"),
    "short_distance_pct": Key(
        _number(0.01, 90.0), "short strike: the nearest one so many per cent out of the money, or further"
    ),
    "short_delta": Key(_number(0.01, 0.5), "or: the nearest one whose delta is at most this"),
    "width": Key(price, "distance of the two strikes, in currency units"),
    "width_strikes": Key(_whole(1, 100), "or: in strikes of the chain"),
    "min_days": Key(_whole(0, 3_650), "expiry: the nearest one with at least so many days to go"),
    "max_days": Key(_whole(0, 3_650), "and at most so many"),
    "min_credit": Key(price, "enter only for at least this credit per unit (credit kinds)"),
    "max_debit": Key(price, "enter only for at most this debit per unit (debit kinds)"),
    "profit_target_pct": Key(
        _number(1.0, 100.0), "close when so much of the maximum profit is earned; of a credit kind that is the credit"
    ),
    "stop_loss_pct": Key(_number(0.0, 10_000.0), "close when so much of the premium is lost; 0: never"),
    "adjust_within_pct": Key(
        _number(0.0, 99.0),
        "adjust when the underlying has come so near to the short strike: per cent of its distance at entry; 0: never "
        "(credit kinds)",
    ),
    "max_adjustments": Key(_whole(0, 100), "so often it is rolled further out; then an adjustment only closes"),
    "exit_days_before_expiry": Key(_whole(0, 3_650), "close so many days before expiry"),
    "exit_time": Key(_clock, "from this time of that day on, by the clocks of `broker.calendar`"),
    "re_enter": Key(flag, "enter anew after a vertical was closed"),
    "retry_ms": Key(
        _whole(100, 86_400_000), "pause after a failed attempt to enter; it doubles, up to 64 times (broker)"
    ),
    "max_tries": Key(_whole(1, 1_000), "failed attempts in a row, after which it gives up and a person is told"),
    "enabled": Key(flag, "false: enter nothing; what is open is still watched and closed by the rules"),
}
PRICES = frozenset({"width", "min_credit", "max_debit"})
OPTIONAL = PRICES | {"short_distance_pct", "short_delta", "width_strikes"}
_FIELDS = {field.name: field for field in msgspec.structs.fields(StrategyRules)}


def read_strategies(tables: Any, problems: list[str]) -> tuple[StrategyRules, ...]:
    """The strategies of the file's ``strategy`` tables; what is wrong goes to ``problems``, one sentence each."""
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        problems.append("strategy must be a list of tables, each written [[strategy]]")
        return ()
    found = [_read(number, table, problems) for number, table in enumerate(tables, 1)]
    names = Counter(table.get("name") for table in tables if isinstance(table.get("name"), str))
    problems += [f"two strategies are called {name!r}; give each its own name" for name, n in names.items() if n > 1]
    return tuple(rules for rules in found if rules is not None)


def _read(number: int, table: Mapping[str, Any], problems: list[str]) -> StrategyRules | None:
    given = table.get("name")
    where = f"strategy {given!r}" if isinstance(given, str) else f"strategy number {number}"
    wrong = [f"{where}: unknown key {key}; {nearest(key, KEYS)}" for key in table if key not in KEYS]
    values: dict[str, Any] = {}
    for key, entry in KEYS.items():
        if key in table:
            try:
                values[key] = entry.read(table[key])
            except WrongValue as rule:
                wrong.append(f"{where}: {key} = {table[key]!r} is not allowed; it must be {rule}")
        elif _FIELDS[key].required:
            wrong.append(f"{where}: missing key {key}: {entry.meaning}")
    if not wrong:
        rules = StrategyRules(**values)
        wrong = [f"{where}: {text}" for text in contradictions(rules)]
    problems += wrong
    return None if wrong else rules


def contradictions(rules: StrategyRules) -> list[str]:
    """Values that are allowed alone and make no sense together."""
    credit = rules.kind.for_credit
    table = (
        (
            (rules.short_distance_pct > 0) == (rules.short_delta > 0),
            "give one of short_distance_pct and short_delta, not both: it chooses the short strike",
        ),
        ((rules.width > 0) == (rules.width_strikes > 0), "give one of width and width_strikes, not both"),
        (rules.min_days > rules.max_days, f"min_days = {rules.min_days} must not exceed max_days = {rules.max_days}"),
        (
            rules.min_days <= rules.exit_days_before_expiry,
            f"min_days = {rules.min_days} must exceed exit_days_before_expiry = {rules.exit_days_before_expiry}: else "
            "it would close what it has just entered",
        ),
        (credit and rules.max_debit > 0, f"{rules.kind.value} receives a credit: use min_credit, not max_debit"),
        (not credit and rules.min_credit > 0, f"{rules.kind.value} pays a debit: use max_debit, not min_credit"),
        (
            0 < rules.width <= max(rules.min_credit, rules.max_debit),
            f"the premium asked for must be below the width = {to_decimal(rules.width):f}",
        ),
    )
    return [text for wrong, text in table if wrong]


def as_tables(strategies: Iterable[StrategyRules]) -> str:
    """The strategies as TOML that :func:`read_strategies` reads back; what is not set is left out."""
    return "\n\n".join("\n".join(["[[strategy]]", *_lines(rules)]) for rules in strategies)


def _lines(rules: StrategyRules) -> list[str]:
    lines = []
    for key, entry in KEYS.items():
        if _is_set(key, getattr(rules, key)):
            lines += [f"# {entry.meaning}", f"{key} = {_toml(key, getattr(rules, key))}"]
    return lines


def _is_set(key: str, value: Any) -> bool:
    """Whether a key says anything: 0 stands for "not given" where 0 is not allowed."""
    return key not in OPTIONAL or value != 0


def _toml(key: str, value: Any) -> str:
    if isinstance(value, VerticalKind):
        value = value.value
    return f"{to_decimal(value):f}" if key in PRICES else json.dumps(value, ensure_ascii=False)


def as_json(rules: StrategyRules) -> dict[str, Any]:
    """One strategy as plain values; prices as decimals in currency units."""
    plain: dict[str, Any] = msgspec.to_builtins(rules)
    return {
        key: float(to_decimal(value)) if key in PRICES else value for key, value in plain.items() if _is_set(key, value)
    }


def markdown() -> list[str]:
    """The lines of the reference page about these tables."""
    lines = [
        "## [[strategy]]",
        "",
        "One table per strategy; [strategies](strategies.md) tells how they work. No variable sets them.",
        "",
        "| key | default | meaning |",
        "|---|---|---|",
    ]
    for key, entry in KEYS.items():
        field = _FIELDS[key]
        if field.required:
            default = "required"
        else:
            default = f"`{_toml(key, field.default)}`" if _is_set(key, field.default) else "not set"
        lines.append(f"| `{key}` | {default} | {entry.meaning} |")
    return lines
