"""Readers of single values, as plans and strategies share them; what is wrong says what must stand there instead."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar

from domain.money import parse_price

E = TypeVar("E", bound=Enum)


class WrongValue(Exception):
    """What a value must be instead, in words."""


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise WrongValue("true or false")
    return value


def price(value: Any) -> int:
    """A price in ten-thousandths, from a decimal in currency units."""
    try:
        found = parse_price(value)
    except ValueError:
        found = 0
    if found <= 0:
        raise WrongValue("a price above 0 with at most four decimals, such as 12.35")
    return found


def one_of(kind: type[E]) -> Callable[[Any], E]:
    """A reader of the value of one of the members."""

    def read(value: Any) -> E:
        for member in kind:
            if member.value == value:
                return member
        raise WrongValue(" or ".join(repr(member.value) for member in kind))

    return read
