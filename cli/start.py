"""``start``: the standalone system, in the foreground, until a signal; and its control socket."""

from __future__ import annotations

import contextlib
import selectors
import signal
import socket
from collections.abc import Iterator

import typer

from cli.differences import LOOK_S, Teller
from cli.door import Door
from cli.options import ConfigFile, configuration
from cli.problems import CommandFailed
from cli.reconciliation import last_differences
from cli.serving import Serving
from cli.streams import nobody_need_listen
from config.paths import control_path
from supervisors.line import NoAnswer
from supervisors.refusals import SystemRefused
from supervisors.system import RunningSystem, running_system


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
    with nobody_need_listen(), stop_signals() as stopped:
        try:
            with running_system(settings) as system, open_door(settings.system.journal_dir) as door:
                typer.echo(f"legkeeper runs on {settings.system.journal_dir}; Ctrl-C stops it")
                serve(system, door, stopped)
        except SystemRefused as refusal:
            raise CommandFailed("; ".join([str(refusal), *last_differences(settings)])) from None
        except NoAnswer as failure:
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


@contextlib.contextmanager
def open_door(journal_dir: str) -> Iterator[Door]:
    """The control socket of the system that owns this directory; it is removed in the end.

    Raises ``CommandFailed`` when it cannot be made.
    """
    try:
        path = control_path(journal_dir)
    except ValueError as error:
        raise CommandFailed(str(error)) from None
    try:
        door = Door(path)  # we own the directory's lock: whoever left one there is gone
    except OSError as error:
        raise CommandFailed(
            f"the control socket {path} cannot be made: {(error.strerror or str(error)).lower()}"
        ) from None
    try:
        yield door
    finally:
        door.close()
        path.unlink(missing_ok=True)


def serve(system: RunningSystem, door: Door, stopped: socket.socket) -> None:
    """Answer the control socket (cli/serving.py) until a stop signal.

    Raises ``SystemLost`` when the tree ends without one.
    """
    teller = Teller(system.config)
    with selectors.DefaultSelector() as selector, contextlib.closing(Serving(system, door)) as serving:
        for source in (door, stopped, system.line):
            selector.register(source, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select(0 if serving.has_more else _soon(door.patience_s))}
            if stopped in ready and _stop_asked(stopped):
                return
            system.line.check()
            serving.serve()
            teller.look()


def _soon(patience_s: float | None) -> float:
    """How long to wait for somebody: something is looked at besides."""
    return LOOK_S if patience_s is None else min(patience_s, LOOK_S)


def _stop_asked(stopped: socket.socket) -> bool:
    numbers = stopped.recv(4096)
    return bool({signal.SIGINT, signal.SIGTERM} & set(numbers))
