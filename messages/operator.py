"""What a person asks for, and the answers."""

from __future__ import annotations

import msgspec

from domain.groups import Plan
from messages.controls import (
    AcceptDifferences,
    AskControls,
    ControlsInForce,
    EnableControl,
    OverrideControl,
    SetTradingState,
)
from messages.strategy import Mark
from messages.strategy_records import StrategyRecord, VerticalRecord


class SubmitGroup(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Work this plan.  ``again``: asked before, without an answer, so that a group that is there is the answer."""

    plan: Plan
    again: bool = False


class GroupAccepted(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The group is durable and will end certified.  ``realm``: where it went."""

    group_id: str
    realm: str = "live"


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


class SetRollout(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """From now on this share of the new groups goes live.  ``by``: who says so; ``reason``: why."""

    live_share_pct: int
    by: str
    reason: str


class TellOperators(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """An INFO alert (main program to RootSupervisor); the same text once."""

    kind: str
    text: str


class CommandDone(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """It was done, durably; ``text`` says what."""

    text: str


class AskStatus(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """How is the system?"""


HANGS = "hangs"  # the state of a process that was killed because it did not answer, until it has ended
DELAYED = "cannot start yet"  # of one that tries again each second; its detail says why


class ProcessStatus(msgspec.Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """One process of the tree."""

    name: str
    pid: int
    state: str
    restarts: int
    detail: str = ""

    @property
    def is_up(self) -> bool:
        """Whether it runs and answers."""
        return bool(self.pid) and self.state != HANGS


class SystemStatus(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The tree as its supervisors see it."""

    processes: tuple[ProcessStatus, ...]
    halted: str  # "" or why


class OperateStrategy(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Let this strategy run, or stop it and close what it has."""

    name: str
    run: bool


class AskStrategies(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """How are the strategies?"""

    command_id: str


class StrategyRow(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One strategy, its open vertical, and what that is worth by the quotes of now."""

    record: StrategyRecord
    vertical: VerticalRecord | None
    mark: Mark | None


class StrategyList(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The strategies of one cell, or of all."""

    strategies: tuple[StrategyRow, ...]


GatewayCommand = KillSwitch | SetTradingState | EnableControl | OverrideControl | AcceptDifferences | AskControls


class AtGateway(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """For the gateway of one realm (live, paper), or "" for those of both (a client to the main program)."""

    realm: str
    command: GatewayCommand


OperatorCommand = (
    SubmitGroup
    | CancelGroup
    | Acknowledge
    | AskStatus
    | OperateStrategy
    | AskStrategies
    | SetRollout
    | TellOperators
    | AtGateway
    | GatewayCommand
)
OperatorAnswer = GroupAccepted | CommandRefused | CommandDone | SystemStatus | ControlsInForce | StrategyList
