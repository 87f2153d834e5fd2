"""OrderGroup: one order group; hires its Legs, Hedges and StopLosses and tells them their levels."""

from __future__ import annotations

from typing import ClassVar

from actors.hedge import Hedge
from actors.leg import Leg
from actors.shell import Core, GroupActor
from actors.stop_loss import StopLoss
from decisions.groups import group


class OrderGroup(GroupActor):
    """A pair of hands for :mod:`decisions.groups.group`."""

    core: ClassVar[Core] = group
    children_by_prefix: ClassVar[dict[str, type[GroupActor]]] = {"leg": Leg, "hedge": Hedge, "stop": StopLoss}
