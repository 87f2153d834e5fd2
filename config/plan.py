"""Reads a plan, an order group as the operator writes it, from a TOML or JSON file.

Prices are decimals in currency units (``limit_price = 12.35``); they are read exactly, never through a binary float.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from config.errors import PlanError, nearest, read_text
from config.values import WrongValue, flag, one_of, price
from domain.execution import Side
from domain.groups import Plan, PlanGroupStop, PlanLeg, PlanStop, Policy, TriggerOn
from domain.instruments import canonical_symbol
from domain.plans import shape_problems


def load_plan(path: Path) -> Plan:
    """The plan in ``path`` (``.toml`` or ``.json``), its prices in ten-thousandths and its symbols in OSI's spelling.

    Raises :class:`PlanError` with everything that is wrong, each with its key and what is allowed.
    """
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise PlanError(f"{path}: a plan file must end in {' or '.join(_READERS)}")
    try:
        document = read(read_text(path, PlanError))
    except RecursionError:
        raise PlanError(f"{path}: not a plan: values are nested too deeply") from None
    except ValueError as error:  # both decoders' errors are ValueErrors that name the line
        raise PlanError(f"{path}: not valid {path.suffix[1:].upper()}: {error}") from None
    problems: list[str] = []
    plan = _plan(document, problems)
    problems += [] if problems else shape_problems(plan)
    if problems:
        raise PlanError(f"{path}: {'; '.join(problems)}")
    return plan


def _read_toml(text: str) -> Any:
    return tomllib.loads(text, parse_float=Decimal)


def _read_json(text: str) -> Any:
    if not text.strip():
        raise ValueError("the file is empty")
    return json.loads(text, parse_float=Decimal, parse_constant=Decimal, object_pairs_hook=_unique)


_READERS: dict[str, Callable[[str], Any]] = {".toml": _read_toml, ".json": _read_json}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; unlike :mod:`json`, not one that names a key twice."""
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(name for name in names if names.count(name) > 1)!r} stands there twice")
    return result


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise WrongValue("text")
    return value.strip()


def _symbol(value: Any) -> str:
    return canonical_symbol(_text(value))


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise WrongValue("a whole number of at least 1")
    return value


def _rows(value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise WrongValue("a list of tables")
    return value


def _one_table(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise WrongValue("a table")
    return value


class _Key(NamedTuple):
    """How one key is read, and what stands in for it when it is left out (``...``: it may not be)."""

    read: Callable[[Any], Any]
    otherwise: Any = ...


_PLAN = {
    "group_id": _Key(_text),
    "quantity": _Key(_count),
    "legs": _Key(_rows),
    "strategy": _Key(_text, "custom"),
    "policy": _Key(one_of(Policy), Policy.COMPLETE),
    "allow_naked": _Key(flag, False),
    "stops": _Key(_rows, []),
    "stop": _Key(_one_table, None),
}
_LEG = {
    "leg_id": _Key(_text, ""),
    "symbol": _Key(_symbol),
    "side": _Key(one_of(Side)),
    "ratio": _Key(_count, 1),
    "limit_price": _Key(price, 0),
}
_STOP = {
    "leg_id": _Key(_text),
    "trigger_price": _Key(price),
    "trigger_on": _Key(one_of(TriggerOn), TriggerOn.LAST),
}

_GROUP_STOP = {"max_loss": _Key(price), "judged_on": _Key(one_of(TriggerOn), TriggerOn.MID)}


def _plan(document: Any, problems: list[str]) -> Plan:
    """The plan as far as it can be read; what cannot be goes to ``problems``, and then the plan is not to be used."""
    if not isinstance(document, dict):
        problems.append(f"a plan is a table with the keys {', '.join(_PLAN)}, not {document!r}")
        return Plan(group_id="", quantity=0, legs=())
    found = _table("", document, _PLAN, problems)
    legs = [_table(f"legs[{n}].", row, _LEG, problems) for n, row in enumerate(found["legs"] or (), 1)]
    stops = [_table(f"stops[{n}].", row, _STOP, problems) for n, row in enumerate(found["stops"] or (), 1)]
    if found["stop"] is not None:
        found["stop"] = PlanGroupStop(**_table("stop.", found["stop"], _GROUP_STOP, problems))
    for number, leg in enumerate(legs, 1):
        leg["leg_id"] = leg["leg_id"] or f"leg{number}"
    found["legs"] = tuple(PlanLeg(**leg) for leg in legs)
    found["stops"] = tuple(PlanStop(**stop) for stop in stops)
    return Plan(**found)


def _table(where: str, row: Mapping[str, Any], keys: Mapping[str, _Key], problems: list[str]) -> dict[str, Any]:
    """Every key of ``keys`` with its value from ``row``; ``None`` where that is missing or wrong."""
    problems += [f"unknown key {where}{name}; {nearest(name, keys)}" for name in row if name not in keys]
    found: dict[str, Any] = {}
    for name, key in keys.items():
        found[name] = None if key.otherwise is ... else key.otherwise
        if name in row:
            try:
                found[name] = key.read(row[name])
            except WrongValue as wrong:
                problems.append(f"{where}{name} = {_shown(row[name])} is not allowed; it must be {wrong}")
        elif key.otherwise is ...:
            problems.append(f"missing key {where}{name}")
    return found


def _shown(value: Any) -> str:
    """A value as the operator wrote it, more or less, and not too much of it."""
    text = str(value) if isinstance(value, Decimal) else json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
