"""What a person asks for, and the answers."""

from __future__ import annotations

import msgspec

from domain.groups import Plan
from messages.controls import AskControls, ControlsInForce, EnableControl, OverrideControl, SetTradingState


class SubmitGroup(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Work this plan.  ``again``: asked before, without an answer, so that a group that is there is the answer."""

    plan: Plan
    again: bool = False


class GroupAccepted(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The group is durable and will end certified."""

    group_id: str


class CommandRefused(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Nothing was done; ``problems`` says why and what to do."""

    problems: tuple[str, ...]


class CancelGroup(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """End this group flat."""

    group_id: str


class Acknowledge(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A person has seen this alert."""

    escalation_id: str
    by: str


class KillSwitch(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """No new risk, and every working entry canceled; or back again."""

    on: bool


class CommandDone(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """It was done, durably; ``text`` says what."""

    text: str


class AskStatus(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """How is the system?"""


class ProcessStatus(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """One process of the tree."""

    name: str
    pid: int
    state: str
    restarts: int
    detail: str = ""


class SystemStatus(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The tree as its supervisors see it."""

    processes: tuple[ProcessStatus, ...]
    halted: str  # "" or why


GatewayCommand = KillSwitch | SetTradingState | EnableControl | OverrideControl | AskControls
OperatorCommand = SubmitGroup | CancelGroup | Acknowledge | AskStatus | GatewayCommand
OperatorAnswer = GroupAccepted | CommandRefused | CommandDone | SystemStatus | ControlsInForce
