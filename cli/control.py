"""The operator's line to a running system: one JSON line there, one back, over a Unix-domain socket.

Requests are ``{"command": NAME, …}`` with the fields of the functions below; answers are ``{"ok": true, …}`` or
``{"ok": false, "error": "…"}``.  Prices are whole ten-thousandths, as everywhere inside.
"""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import msgspec

from cli.problems import CommandFailed
from config.paths import control_path
from domain.groups import Plan
from domain.rollout import Realm
from domain.trading import TradingState

ANSWER_TIMEOUT_S = 15.0
MAX_ANSWER_BYTES = 16 * 1024 * 1024

Request = dict[str, Any]


class Unanswered(CommandFailed):
    """Nobody has said what became of the command."""


class NoSystem(Unanswered):
    """Nobody listens on the control socket."""


def submit(plan: Plan) -> Request:
    """Work this plan."""
    return {"command": "submit", "plan": msgspec.to_builtins(plan)}


def cancel(group_id: str) -> Request:
    """End this group flat."""
    return {"command": "cancel", "group_id": group_id}


def kill_switch(*, on: bool) -> Request:
    """No new risk, and every working entry canceled; or back again."""
    return {"command": "kill_switch", "on": on}


def at(realm: Realm | None, request: Request) -> Request:
    """A request to the gateways, for that of one realm only."""
    return request if realm is None else request | {"realm": realm.value}


def rollout(live_share_pct: int, by: str, reason: str) -> Request:
    """Another share of the new groups goes live from now on."""
    return {"command": "rollout", "live_share_pct": live_share_pct, "by": by, "reason": reason}


def acknowledge(escalation_id: str, by: str) -> Request:
    """A person has seen this alert."""
    return {"command": "acknowledge", "escalation_id": escalation_id, "by": by}


def strategies() -> Request:
    """How are the strategies?"""
    return {"command": "strategies"}


def strategy(name: str, *, run: bool) -> Request:
    """Let this strategy run, or stop it and close what it has."""
    return {"command": "strategy", "name": name, "run": run}


def status() -> Request:
    """How is the system?"""
    return {"command": "status"}


def trading_state(state: TradingState, reason: str, by: str) -> Request:
    """This trading state from now on."""
    return {"command": "trading_state", "state": state.value, "reason": reason, "by": by}


def controls() -> Request:
    """What is in force?"""
    return {"command": "controls"}


def enable(subject: str, reason: str, by: str) -> Request:
    """What is disabled may be traded again."""
    return {"command": "enable", "subject": subject, "reason": reason, "by": by}


def accept(what: str, reason: str, by: str) -> Request:
    """What a start found is as it should be; "" means all of it."""
    return {"command": "accept", "what": what, "reason": reason, "by": by}


def override(name: str, symbol: str, reason: str, by: str, for_ms: int) -> Request:
    """Let a soft control pass for a while."""
    fields = {"control": name, "symbol": symbol, "reason": reason, "by": by, "for_ms": for_ms}
    return {"command": "override"} | fields


def ask(journal_dir: str | Path, request: Request, timeout_s: float = ANSWER_TIMEOUT_S) -> dict[str, Any]:
    """The running system's answer, without its ``ok``.

    Raises :class:`NoSystem` when nobody listens, :class:`Unanswered` when the system does not answer in time or answers
    something else, and ``CommandFailed`` when it refuses; after a timeout the command may still be carried out, and the
    message says so.
    """
    deadline = time.monotonic() + timeout_s
    with _connected(Path(journal_dir), timeout_s) as line:
        try:
            line.sendall(msgspec.json.encode(request) + b"\n")
            text = _line(line, deadline)
        except TimeoutError:
            raise Unanswered(
                f"the system on {journal_dir} did not answer within {timeout_s:g} s; the command may still be carried "
                "out: look with 'status' before you repeat it"
            ) from None
        except OSError as error:
            raise Unanswered(
                f"the system on {journal_dir} broke off ({error.strerror or error}); the command may have been carried "
                "out: look with 'status' before you repeat it"
            ) from None
    return _answer(text, journal_dir)


def _connected(journal_dir: Path, timeout_s: float) -> socket.socket:
    try:
        path = control_path(journal_dir)
    except ValueError as error:
        raise Unanswered(str(error)) from None
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.settimeout(timeout_s)
    try:
        line.connect(str(path))
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        line.close()
        raise NoSystem(
            f"no system is running on {journal_dir}; start one with 'python run_system.py start', or name its "
            "configuration with --config"
        ) from None
    except OSError as error:
        line.close()
        raise Unanswered(f"the control socket {path} cannot be used: {error.strerror or error}") from None
    return line


def _line(line: socket.socket, deadline: float) -> bytes:
    """Everything up to the first line break."""
    received = bytearray()
    while b"\n" not in received and len(received) < MAX_ANSWER_BYTES:
        line.settimeout(max(0.001, deadline - time.monotonic()))
        chunk = line.recv(65_536)
        if not chunk:
            break
        received += chunk
    return bytes(received)


def _answer(text: bytes, journal_dir: str | Path) -> dict[str, Any]:
    try:
        answer = msgspec.json.decode(text, type=dict[str, Any])
        ok = answer.pop("ok")
    except (msgspec.DecodeError, KeyError):
        raise Unanswered(
            f"the system on {journal_dir} gave no answer that can be read ({text[:80]!r}); the command may have been "
            "carried out: look with 'status' before you repeat it"
        ) from None
    if ok is not True:
        raise CommandFailed(str(answer.get("error", "the system refused, and gave no reason")))
    return answer
