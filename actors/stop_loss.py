"""StopLoss: one stop-loss until its position is flat."""

from __future__ import annotations

from typing import ClassVar

from actors.shell import Core, GroupActor
from decisions.groups import stop_loss


class StopLoss(GroupActor):
    """A pair of hands for :mod:`decisions.groups.stop_loss`."""

    core: ClassVar[Core] = stop_loss
