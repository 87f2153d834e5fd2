"""Time and prices on their way to the cells, and whether the broker is there."""

from __future__ import annotations

import msgspec

from domain.quotes import Quote


class Tick(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The broker's clock, and the newest quote of every symbol that changed since the last tick."""

    broker_time_ns: int
    quotes: tuple[Quote, ...] = ()


LINK_BITS = 16


def session_number(gateway: int, link: int) -> int:
    """The number of a session: ``gateway`` is the incarnation, its pid; ``link`` counts its logins."""
    return gateway << LINK_BITS | link


def gateway_of(session: int) -> int:
    """The incarnation of the gateway that has this session; 0 where there is none."""
    return session >> LINK_BITS


class BrokerUp(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The gateway has a session."""

    session: int


class BrokerSilent(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """No broker clock for too long, or no link: no new risk until the next snapshot."""

    reason: str
    link_down: bool = False


class MarketStatus(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The exchange's word on whether it trades beyond what a calendar knows; told at every login and change."""

    halted: bool
    reason: str = ""


class Funds(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The broker's account at ``ts_ns`` of its clock: funds that are free, and those that margin ties up (amounts)."""

    available: int
    used: int
    ts_ns: int
