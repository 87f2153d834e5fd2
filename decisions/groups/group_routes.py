"""Which child of a group placed an order, read off the order's id."""

from __future__ import annotations

from decisions.effects import UnknownMessage
from decisions.groups.hedge import ROUND
from domain.groups import Group, hedge_root, parent_of, tag_kind, tag_leg_index


def leg_name(leg_id: str) -> str:
    """The name of a Leg actor in its group's tree."""
    return f"leg/{leg_id}"


def hedge_name(hedge_id: str) -> str:
    """The name of a root Hedge actor in its group's tree."""
    return f"hedge/{hedge_id}"


def stop_name(leg_id: str) -> str:
    """The name of a StopLoss actor in its group's tree."""
    return f"stop/{leg_id}"


def child_of(group: Group, client_order_id: str) -> str:
    """The name of the child actor that answers for this order; news of a hedge's descendants goes to the root."""
    parent, index = parent_of(client_order_id), tag_leg_index(client_order_id)
    if index < len(group.legs):
        leg_id = group.legs[index].leg_id
        match tag_kind(client_order_id):
            case "E" | "C":
                return leg_name(leg_id)
            case "S":
                return stop_name(leg_id)
            case "H":
                return hedge_name(hedge_root(parent, ROUND))
    raise UnknownMessage(f"no child of group {group.group_id} answers for {client_order_id}")
