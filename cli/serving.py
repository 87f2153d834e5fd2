"""Who is answered when: one command after the other, but a kill switch at once, while another waits, too (E9)."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

import msgspec

from cli import requests
from cli.door import Caller, Door
from messages.controls import ControlsInForce
from messages.operator import (
    AtGateway,
    CommandDone,
    CommandRefused,
    GroupAccepted,
    KillSwitch,
    OperatorAnswer,
    OperatorCommand,
    StrategyList,
    SystemStatus,
)
from storage.export import named
from supervisors.line import NoAnswer
from supervisors.system import RunningSystem

LOGGED = 1_000  # characters of a command that failed
MAX_WAITING = 256  # commands; each holds a descriptor


class Overtaken(Exception):
    """A 'kill-switch off' is not carried out any further: somebody has asked for "on" since."""


class Request(NamedTuple):
    """What was asked, and who waits for the answer."""

    caller: Caller
    command: OperatorCommand

    def answer(self, text: dict[str, Any]) -> None:
        """Say it and hang up."""
        self.caller.answer(msgspec.json.encode(text))


class Serving:
    """Answers those at the door.

    A command may wait ten seconds for a cell that hangs, and longer than its caller does when others are before it.  So
    whoever waits for an answer looks at the door between two letters (:attr:`Line.meanwhile`), and a kill switch is
    turned there and then, by the same thread: nothing else comes in between, and the two asks have different numbers.
    Kill switches keep their order, but an "off" ends where a later "on" waits: what it was to allow is not wanted.
    """

    def __init__(self, system: RunningSystem, door: Door) -> None:
        self._system, self._door = system, door
        self._waiting: deque[Request] = deque()
        self._switches: deque[Request] = deque()
        self._turned: Request | None = None  # the kill switch that is being turned
        system.line.meanwhile = self._meanwhile

    @property
    def has_more(self) -> bool:
        """Whether anybody waits who has been heard already."""
        return bool(self._waiting)

    def serve(self) -> None:
        """Answer every kill switch, and one other command."""
        self._listen()
        self._turn_switches()
        if self._waiting:
            self._answer(self._waiting.popleft())

    def close(self) -> None:
        """Hang up on those who still wait."""
        for request in (*self._switches, *self._waiting):
            request.caller.connection.close()

    def _meanwhile(self) -> None:
        """What is done while an answer is waited for.  Raises :class:`Overtaken`."""
        self._listen()
        if self._turned is None:
            self._turn_switches()
        elif any(_overtakes(later.command, self._turned.command) for later in self._switches):
            raise Overtaken

    def _listen(self) -> None:
        for caller in self._door.callers():
            try:
                if caller.problem:
                    raise requests.WrongRequest(caller.problem)
                request = Request(caller, requests.read(bytes(caller.line)))
            except requests.WrongRequest as error:
                caller.answer(msgspec.json.encode(_refused(str(error))))
                continue
            if _switch(request.command) is not None:
                self._switches.append(request)
            elif len(self._waiting) < MAX_WAITING:
                self._waiting.append(request)
            else:
                request.answer(_refused(f"{MAX_WAITING} commands wait already, and nothing was done: ask again later"))

    def _turn_switches(self) -> None:
        while self._switches:
            self._turned = self._switches.popleft()
            try:
                self._answer(self._turned)
            finally:
                self._turned = None

    def _answer(self, request: Request) -> None:
        request.answer(answer(self._system, request.command))


def _switch(command: OperatorCommand) -> KillSwitch | None:
    """The kill switch that a request is about; ``None`` for any other."""
    asked = command.command if isinstance(command, AtGateway) else command
    return asked if isinstance(asked, KillSwitch) else None


def _overtakes(later: OperatorCommand, earlier: OperatorCommand) -> bool:
    """Whether this turns on what the earlier one turns off."""
    on, off = _switch(later), _switch(earlier)
    if on is None or off is None or not on.on or off.on:
        return False
    where = {command.realm if isinstance(command, AtGateway) else "" for command in (later, earlier)}
    return len(where) == 1 or "" in where


def answer(system: RunningSystem, command: OperatorCommand) -> dict[str, Any]:
    """What to say to whoever asked for this; never raises: nobody's request may end a system that holds positions."""
    try:
        return _told(system.operate(command))
    except Overtaken:
        return _refused("'kill-switch on' was asked for after this, so it is on; ask again to turn it off")
    except NoAnswer as error:
        return _refused(str(error))
    except Exception as error:
        system.log.exception("a command failed", command=repr(command)[:LOGGED])
        return _refused(f"the command failed, maybe half done: {error!r}; legkeeper.log has the rest")


def _refused(problem: str) -> dict[str, Any]:
    return {"ok": False, "error": problem}


def _told(answered: OperatorAnswer) -> dict[str, Any]:
    match answered:
        case GroupAccepted():
            return {"ok": True, "group_id": answered.group_id, "realm": answered.realm}
        case CommandDone():
            return {"ok": True, "text": answered.text}
        case CommandRefused():
            return _refused("; ".join(answered.problems))
        case ControlsInForce():
            return {
                "ok": True,
                "state": answered.state.value,
                "reason": answered.reason,
                "lines": list(answered.lines),
            }
        case SystemStatus():
            processes = [msgspec.structs.asdict(process) for process in answered.processes]
            return {"ok": True, "halted": answered.halted, "processes": processes}
        case StrategyList():
            return {"ok": True, "strategies": named(answered.strategies)}
