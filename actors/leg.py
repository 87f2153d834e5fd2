"""Leg: works one leg's entry and close."""

from __future__ import annotations

from typing import ClassVar

from actors.shell import Core, GroupActor
from decisions.groups import leg


class Leg(GroupActor):
    """A pair of hands for :mod:`decisions.groups.leg`."""

    core: ClassVar[Core] = leg
