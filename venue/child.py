"""An embedded exchange as a child process, and a small blocking client to steer it: for demonstrations and tests."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from domain.instruments import Instrument
from domain.quotes import Quote
from messages.orders import ActivityKind
from venue import protocol as wire
from venue.nasty import Nasty

_ROOT = Path(__file__).resolve().parent.parent

M = TypeVar("M", bound=msgspec.Struct)


class VenueChild:
    """A running ``python -m venue``.  Leaving the ``with`` block ends it; so does the end of this process."""

    def __init__(self, *arguments: str, log: Path | None = None) -> None:
        """Start it with these arguments; what it has to say goes to ``log``, or to this process's standard error.

        Raises ``RuntimeError`` with the reason when it does not come up.
        """
        with contextlib.ExitStack() as files:
            stderr = files.enter_context(log.open("a")) if log else None
            self._process = subprocess.Popen(
                [sys.executable, "-m", "venue", "--die-with-parent", *arguments],
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")])},
                text=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            reason = log.read_text().strip().splitlines()[-1:] if log else ["its reason is on standard error"]
            raise RuntimeError(f"the exchange did not start (exit status {self.stop()}): {''.join(reason)}")
        self.port: int = json.loads(line)["listening"]
        self.pid = self._process.pid

    def __enter__(self) -> VenueChild:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> int:
        """Ask it to stop, wait, and give its exit status; kill it when it does not listen."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
        try:
            status = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        return status

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """The process stands still inside of this block, with its connections open."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)


class Steering:
    """A blocking connection that asks one thing at a time.  Raises ``TimeoutError`` when no answer comes."""

    def __init__(self, port: int, host: str = "127.0.0.1", timeout_s: float = 5.0) -> None:
        self._timeout_s = timeout_s
        self._socket = socket.create_connection((host, port), timeout=timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._frames = wire.server_frames()
        self._heard: list[wire.ServerMessage] = []
        self._requests = 0
        self.send(wire.Hello(version=wire.PROTOCOL_VERSION, client="steering"))
        self.welcome = self.next(wire.Welcome)

    def __enter__(self) -> Steering:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def request(self) -> int:
        """A fresh request number."""
        self._requests += 1
        return self._requests

    def send(self, message: wire.ClientMessage) -> None:
        """Send a message and do not wait."""
        self._socket.sendall(wire.encode(message))

    def next(self, wanted: type[M]) -> M:
        """The next message of this type; others that come before it are dropped."""
        deadline = time.monotonic() + self._timeout_s
        while True:
            for place, message in enumerate(self._heard):
                if isinstance(message, wanted):
                    del self._heard[: place + 1]
                    return message
            self._heard.clear()
            left_s = deadline - time.monotonic()
            if left_s <= 0:  # also while other messages keep coming
                raise TimeoutError(f"no {wanted.__name__} from the exchange within {self._timeout_s:g} s")
            self._socket.settimeout(left_s)
            data = self._socket.recv(1 << 16)
            if not data:
                raise ConnectionError("the exchange hung up")
            self._heard.extend(self._frames.feed(data))

    def misbehave(self, nasty: Nasty, seed: int = 0) -> None:
        """Set the mischief."""
        self._command(wire.Misbehave(request=self.request(), nasty=nasty, seed=seed))

    def pin(self, symbol: str, bid: int, ask: int, size: int = 1_000_000) -> None:
        """Make this the quote of ``symbol`` from now on; prices in ten-thousandths, 0 for a side without a quote."""
        quote = Quote(symbol, 0, bid, size if bid else 0, ask, size if ask else 0)
        self._command(wire.PinQuote(request=self.request(), quote=quote))

    def cut_links(self) -> None:
        """Reset every other connection."""
        self._command(wire.CutLinks(request=self.request()))

    def bust(self, exec_id: str) -> None:
        """Undo a trade."""
        self._command(wire.Bust(request=self.request(), exec_id=exec_id))

    def correct(self, exec_id: str, last_qty: int, last_px: int) -> None:
        """Change a trade."""
        self._command(wire.Correct(request=self.request(), exec_id=exec_id, last_qty=last_qty, last_px=last_px))

    def assign(self, symbol: str, quantity: int, *, late: bool = False) -> None:
        """Change a position without a trade, at once or as it is told the next morning."""
        self._command(wire.Assign(request=self.request(), symbol=symbol, quantity=quantity, late=late))

    def halt(self, reason: str) -> None:
        """Stop trading; an empty reason resumes it."""
        self._command(wire.Halt(request=self.request(), reason=reason))

    def relist(self, *instruments: Instrument) -> None:
        """Replace contracts of the list by these."""
        self._command(wire.Relist(request=self.request(), instruments=instruments))

    def intervene(self, kind: ActivityKind, symbol: str, quantity: int, price: int = 0) -> None:
        """Change a position as the broker or a person does; ``quantity`` is signed, price 0 the last one."""
        self._command(wire.Intervene(request=self.request(), kind=kind, symbol=symbol, quantity=quantity, price=price))

    def snapshot(self, *, named: bool = False) -> wire.SnapshotAnswer:
        """Orders, executions and positions."""
        self.send(wire.QuerySnapshot(request=self.request(), named=named))
        return self.next(wire.SnapshotAnswer)

    def instruments(self) -> wire.InstrumentsAnswer:
        """The instrument list."""
        self.send(wire.QueryInstruments(request=self.request()))
        return self.next(wire.InstrumentsAnswer)

    def time_ns(self) -> int:
        """The exchange's clock."""
        self.send(wire.QueryTime(request=self.request()))
        return self.next(wire.ServerTime).ts_ns

    def _command(self, message: wire.Admin) -> None:
        self.send(message)
        answer = self.next(wire.Answer)
        if not answer.accepted:
            raise ValueError(answer.reason)
