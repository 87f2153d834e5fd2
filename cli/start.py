"""``start``: the standalone system, in the foreground, until a signal; and its control socket."""

from __future__ import annotations

import contextlib
import selectors
import signal
import socket
from collections.abc import Iterator
from typing import Any

import msgspec
import typer

from cli.options import ConfigFile, configuration
from cli.problems import CommandFailed
from config.paths import control_path
from domain.groups import Plan
from messages.operator import (
    Acknowledge,
    AskStatus,
    CancelGroup,
    CommandDone,
    CommandRefused,
    GroupAccepted,
    KillSwitch,
    OperatorAnswer,
    OperatorCommand,
    SubmitGroup,
    SystemStatus,
)
from supervisors.system import NoAnswer, RunningSystem, SystemRefused, running_system

REQUEST_LIMIT_BYTES = 4 * 1024 * 1024
REQUEST_TIMEOUT_S = 5.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("start")(start)


def start(config: ConfigFile = None) -> None:
    """Start the system and run it in the foreground until Ctrl-C or SIGTERM.

    It owns the journals in system.journal_dir, connects to the broker, carries on with every group that has not
    ended, and takes commands from 'submit', 'cancel', 'kill-switch' and 'status'.

    \b
    Example:
      python run_system.py venue --port 19471 &
      python run_system.py start
    """
    settings = configuration(config)
    with stop_signals() as stopped:
        try:
            with running_system(settings) as system:
                typer.echo(f"legkeeper runs on {settings.system.journal_dir}; Ctrl-C stops it")
                serve(system, settings.system.journal_dir, stopped)
        except (SystemRefused, NoAnswer) as failure:
            raise CommandFailed(str(failure)) from None
    typer.echo("stopped")


@contextlib.contextmanager
def stop_signals() -> Iterator[socket.socket]:
    """A socket that becomes readable when SIGINT or SIGTERM arrives."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    before_fd = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(before_fd)
        for number, handler in before.items():
            signal.signal(number, handler)
        reader.close()
        writer.close()


def serve(system: RunningSystem, journal_dir: str, stopped: socket.socket) -> None:
    """Answer the control socket, one command after the other, until a stop signal.

    Raises ``SystemLost`` when the tree ends without one.
    """
    path = control_path(journal_dir)
    path.unlink(missing_ok=True)  # we own the directory's lock: whoever left it is gone
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener, selectors.DefaultSelector() as selector:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(64)
        selector.register(listener, selectors.EVENT_READ)
        selector.register(stopped, selectors.EVENT_READ)
        selector.register(system, selectors.EVENT_READ)
        try:
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if stopped in ready and _stop_asked(stopped):
                    return
                system.check()
                if listener in ready:
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.settimeout(REQUEST_TIMEOUT_S)
                        connection.sendall(msgspec.json.encode(answer(system, _line(connection))) + b"\n")
        finally:
            path.unlink(missing_ok=True)


def _stop_asked(stopped: socket.socket) -> bool:
    numbers = stopped.recv(4096)
    return bool({signal.SIGINT, signal.SIGTERM} & set(numbers))


def _line(connection: socket.socket) -> bytes:
    received = bytearray()
    while b"\n" not in received and len(received) < REQUEST_LIMIT_BYTES:
        chunk = connection.recv(65_536)
        if not chunk:
            break
        received += chunk
    return bytes(received)


def answer(system: RunningSystem, line: bytes) -> dict[str, Any]:
    """The answer to one request line; never raises for what an operator may send."""
    try:
        request = msgspec.json.decode(line, type=dict[str, Any])
        command = _command(request)
    except (msgspec.DecodeError, msgspec.ValidationError, KeyError) as error:
        return {"ok": False, "error": f"the request cannot be read: {error}"}
    try:
        return _told(system.operate(command))
    except NoAnswer as error:
        return {"ok": False, "error": str(error)}


def _command(request: dict[str, Any]) -> OperatorCommand:
    match request["command"]:
        case "submit":
            return SubmitGroup(msgspec.convert(request["plan"], Plan))
        case "cancel":
            return CancelGroup(str(request["group_id"]))
        case "kill_switch":
            return KillSwitch(bool(request["on"]))
        case "acknowledge":
            return Acknowledge(str(request["escalation_id"]), str(request["by"]))
        case "status":
            return AskStatus()
        case other:
            raise KeyError(f"no command {other!r}")


def _told(answered: OperatorAnswer) -> dict[str, Any]:
    match answered:
        case GroupAccepted():
            return {"ok": True, "group_id": answered.group_id}
        case CommandDone():
            return {"ok": True, "text": answered.text}
        case CommandRefused():
            return {"ok": False, "error": "; ".join(answered.problems)}
        case SystemStatus():
            processes = [msgspec.structs.asdict(process) for process in answered.processes]
            return {"ok": True, "halted": answered.halted, "processes": processes}
