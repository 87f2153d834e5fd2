"""Hedge: one level of a hedge; hires a Hedge for what it could not obtain."""

from __future__ import annotations

from typing import ClassVar

from actors.shell import Core, GroupActor
from decisions.groups import hedge


class Hedge(GroupActor):
    """A pair of hands for :mod:`decisions.groups.hedge`."""

    core: ClassVar[Core] = hedge


Hedge.children_by_prefix = {hedge.CHILD: Hedge}
