"""Strategy: enters, watches, adjusts and closes the verticals of one strategy, through order groups like any other."""

from __future__ import annotations

from typing import ClassVar

from actors.shell import Core, GroupActor
from decisions.strategies import strategy


class Strategy(GroupActor):
    """A pair of hands for :mod:`decisions.strategies.strategy`; it writes to ``strategy/NAME`` in the turn."""

    core: ClassVar[Core] = strategy
