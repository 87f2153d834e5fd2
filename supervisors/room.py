"""Every process of the tree gets room on its stack (:mod:`actors.stack_room`): its depth is its parents' doing."""

from __future__ import annotations

from thespian.system import multiprocCommon

from actors.stack_room import with_room


def give_children_room() -> None:
    """Have every actor process that this one, and what it forks, starts from now on run with room on its stack."""
    multiprocCommon.startChild = with_room(multiprocCommon.startChild)
