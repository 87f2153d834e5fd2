"""What may be asked on the control socket: one JSON object a line, checked before it gets anywhere near a cell."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from domain.groups import Plan
from domain.plans import shape_problems
from domain.trading import TradingState
from messages.controls import AcceptDifferences, AskControls, EnableControl, OverrideControl, SetTradingState
from messages.operator import (
    Acknowledge,
    AskStatus,
    AskStrategies,
    AtGateway,
    CancelGroup,
    GatewayCommand,
    KillSwitch,
    OperateStrategy,
    OperatorCommand,
    SetRollout,
    SubmitGroup,
)

OneRealm = Literal["", "live", "paper"]  # "": both
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class WrongRequest(Exception):
    """It cannot be read, or asks for what cannot be; nothing was done."""


class _Request(msgspec.Struct, frozen=True, tag_field="command", forbid_unknown_fields=True):
    pass


class _Submit(_Request, frozen=True, tag="submit"):
    plan: Plan


class _Cancel(_Request, frozen=True, tag="cancel"):
    group_id: Name


class _KillSwitch(_Request, frozen=True, tag="kill_switch"):
    on: bool
    realm: OneRealm = ""


class _Acknowledge(_Request, frozen=True, tag="acknowledge"):
    escalation_id: Name
    by: Name


class _Strategies(_Request, frozen=True, tag="strategies"):
    pass


class _Strategy(_Request, frozen=True, tag="strategy"):
    name: Name
    run: bool


class _Rollout(_Request, frozen=True, tag="rollout"):
    live_share_pct: Annotated[int, msgspec.Meta(ge=0, le=100)]
    by: Name
    reason: Name


class _Status(_Request, frozen=True, tag="status"):
    pass


class _TradingState(_Request, frozen=True, tag="trading_state"):
    state: TradingState
    reason: Name
    by: Name
    realm: OneRealm = ""


class _Controls(_Request, frozen=True, tag="controls"):
    realm: OneRealm = ""


class _Enable(_Request, frozen=True, tag="enable"):
    subject: Name
    reason: Name
    by: Name
    realm: OneRealm = ""


class _Accept(_Request, frozen=True, tag="accept"):
    what: Annotated[str, msgspec.Meta(max_length=200)]
    reason: Name
    by: Name
    realm: OneRealm = ""


class _Override(_Request, frozen=True, tag="override"):
    control: Name
    symbol: Annotated[str, msgspec.Meta(max_length=200)]
    reason: Name
    by: Name
    for_ms: Annotated[int, msgspec.Meta(ge=1, le=10**12)]
    realm: OneRealm = ""


_ToGateway = _KillSwitch | _TradingState | _Controls | _Enable | _Accept | _Override
_AnyRequest = _Submit | _Cancel | _Acknowledge | _Status | _Strategies | _Strategy | _Rollout | _ToGateway
_DECODER: msgspec.json.Decoder[_AnyRequest] = msgspec.json.Decoder(_AnyRequest)


def read(line: bytes) -> OperatorCommand:
    """The command of one request line.  Raises :class:`WrongRequest` for anything else."""
    try:
        request = _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WrongRequest(f"the request cannot be read: {error}") from None
    match request:
        case _Submit():
            return SubmitGroup(_workable(request.plan))
        case _Cancel():
            return CancelGroup(request.group_id)
        case _Acknowledge():
            return Acknowledge(request.escalation_id, request.by)
        case _Rollout():
            return SetRollout(live_share_pct=request.live_share_pct, by=request.by, reason=request.reason)
        case _Status():
            return AskStatus()
        case _Strategies():
            return AskStrategies("")
        case _Strategy():
            return OperateStrategy(request.name, request.run)
        case _:
            return AtGateway(request.realm, _to_gateway(request))


def _to_gateway(request: _ToGateway) -> GatewayCommand:
    match request:
        case _KillSwitch():
            return KillSwitch(request.on)
        case _TradingState():
            return SetTradingState(request.state, request.reason, request.by)
        case _Controls():
            return AskControls()
        case _Enable():
            return EnableControl(request.subject, request.reason, request.by)
        case _Accept():
            return AcceptDifferences(request.what, request.reason, request.by)
        case _Override():
            return OverrideControl(request.control, request.symbol, request.reason, request.by, request.for_ms)


def _workable(plan: Plan) -> Plan:
    """A plan whose numbers fit into 64 bits and whose names are names: nothing else may cross a process or a table."""
    problems = shape_problems(plan)
    if problems:
        raise WrongRequest("; ".join(problems))
    return plan
