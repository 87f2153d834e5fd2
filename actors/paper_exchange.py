"""PaperExchange: the embedded exchange of the paper realm as a child process, and its supply of live quotes.

The exchange is a program of its own, which this actor starts, and which cannot outlive it.  It trades on a day that it
replays, or on the live broker's quotes: then this actor listens at the live gateway as if it were a cell without
orders, and writes what it hears into the exchange's standard input, which nobody else has.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from thespian.actors import ActorAddress, WatchMessage

from actors.fan_out import QUOTES_ONLY
from actors.machine import now_ms
from actors.process import ProcessActor
from config.paths import EXCHANGE_LOG, TRUTH
from config.schema import Config, PaperConfig
from messages import wire
from messages.market import BrokerSilent, Tick
from messages.orders import InstrumentList
from messages.supervision import ChildFailed, EventBatch, EventBatchTaken, Hello, Watch
from venue.launch import die_with_parent
from venue.live_quotes import Closed, Listed, Quoted, Said, encode

ROOT = Path(__file__).resolve().parents[1]
HOST = "127.0.0.1"
STOP_S = 3.0
GREET_MS = 1_000  # without a word from the gateway for so long, it is greeted again


class PaperExchange(ProcessActor):
    """One per system that has a paper realm.  When its exchange ends, so does it, and its supervisor starts both."""

    role: ClassVar[str] = "paper-exchange"

    def __init__(self) -> None:
        super().__init__()
        self.handlers = {
            WatchMessage: lambda _message, _sender: self.listen(),
            EventBatch: self.on_events,
        }
        self.exchange: subprocess.Popen[bytes] | None = None
        self.said = b""  # what it said after its last whole line
        self.listening = False
        self.wanted: frozenset[str] = frozenset()
        self.heard_ms = 0
        self.instruments: InstrumentList | None = None  # of the live broker
        self.taken: dict[int, int] = {}  # gateway incarnation -> last batch that was passed on

    @property
    def is_fed(self) -> bool:
        """Whether it trades on live quotes."""
        return self.config.paper.quotes == "live"

    def on_start(self) -> str:
        if self.is_fed:
            self.greet()
            self.wakeup(GREET_MS, "greet")
        else:
            self.open_exchange()
        return f"{HOST}:{self.config.paper.port}, {self.config.paper.quotes} quotes"

    def open_exchange(self) -> None:
        """Start the exchange; it remembers by its record."""
        directory = Path(self.config.system.journal_dir)
        with (directory / EXCHANGE_LOG).open("ab") as log:
            self.exchange = subprocess.Popen(
                [sys.executable, "-m", "venue", *arguments(self.config, directory)],
                stdin=subprocess.PIPE if self.is_fed else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                preexec_fn=die_with_parent,  # noqa: PLW1509  this process has no threads
            )
        assert self.exchange.stdout is not None
        os.set_blocking(self.exchange.stdout.fileno(), False)
        self.said, self.listening = b"", False
        self.log.info("exchange started", exchange=self.exchange.pid)

    def close_exchange(self) -> None:
        """Stop the exchange and wait for its end."""
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            return
        exchange.terminate()
        try:
            exchange.wait(STOP_S)
        except subprocess.TimeoutExpired:
            exchange.kill()
            exchange.wait()
        for pipe in (exchange.stdin, exchange.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def detail(self) -> str:
        return (
            f"process {self.exchange.pid}" if self.exchange is not None else "waits for the live broker's instruments"
        )

    def state(self) -> str:
        return "running" if self.listening else "starting"

    def watched(self) -> list[int]:
        return [self.exchange.stdout.fileno()] if self.exchange is not None and self.exchange.stdout else []

    def on_exit(self) -> None:
        self.close_exchange()

    # From the exchange

    def listen(self) -> None:
        """Take what the exchange says; its end is the end of this process."""
        assert self.exchange is not None
        assert self.exchange.stdout is not None
        try:
            data = os.read(self.exchange.stdout.fileno(), 1 << 20)
        except BlockingIOError:
            return
        if not data:
            self.fail()
            return
        *lines, self.said = (self.said + data).split(b"\n")
        for line in lines:
            word = msgspec.json.decode(line, type=Said)
            if word.listening is not None:
                self.listening = True
                self.log.info("exchange listens", port=word.listening)
            if word.wanted is not None and frozenset(word.wanted) != self.wanted:
                self.wanted = frozenset(word.wanted)
                self.ask_quotes()

    def fail(self) -> None:
        """The exchange is gone: say why, and be ended."""
        assert self.exchange is not None
        try:
            status = str(self.exchange.wait(STOP_S))
        except subprocess.TimeoutExpired:
            status = "none"
        self.close_exchange()
        path = Path(self.config.system.journal_dir) / EXCHANGE_LOG
        last = path.read_text(errors="replace").strip().splitlines()[-1:]
        reason = f"the paper exchange ended (exit status {status}): {''.join(last)[:300]}"
        self.log.error("exchange ended", reason=reason)
        self.send(self.parent, ChildFailed(self.name, reason, permanent=False))

    # From the live gateway

    def on_peers(self) -> None:
        self.greet()

    def on_wakeup(self, payload: Any) -> None:
        del payload
        self.wakeup(GREET_MS, "greet")
        if now_ms() - self.heard_ms > GREET_MS:
            self.greet()

    def greet(self) -> None:
        """Present this listener to a gateway that may be new."""
        if self.is_fed and "gateway" in self.peers:
            self.send(self.peers["gateway"], Hello(QUOTES_ONLY, time.monotonic_ns(), self.wanted))

    def ask_quotes(self) -> None:
        """Have the quotes sent that the exchange's clients want."""
        if "gateway" in self.peers:
            self.send(self.peers["gateway"], Watch(QUOTES_ONLY, self.wanted))

    def on_events(self, batch: EventBatch, sender: ActorAddress) -> None:
        """Pass on what concerns the market."""
        self.heard_ms = now_ms()
        if batch.number > self.taken.get(batch.gateway, 0):
            for event in wire.events(batch.events):
                match event:
                    case InstrumentList() if event.instruments and event != self.instruments:
                        self.list_instruments(event)
                    case Tick():
                        self.tell(Quoted(event.broker_time_ns, event.quotes))
                    case BrokerSilent():
                        self.tell(Closed(event.reason))
            self.taken = {batch.gateway: batch.number}
        self.send(sender, EventBatchTaken(batch.gateway, batch.number))

    def list_instruments(self, found: InstrumentList) -> None:
        """An exchange has one list of instruments for its whole life; with another one it starts anew."""
        self.close_exchange()
        self.instruments = found
        self.open_exchange()
        self.tell(Listed(found.instruments))

    def tell(self, message: Listed | Quoted | Closed) -> None:
        """Write into the exchange's standard input; one that hangs makes this process hang, and be killed with it."""
        if self.exchange is None or self.exchange.stdin is None:
            return
        try:
            self.exchange.stdin.write(encode(message))
            self.exchange.stdin.flush()
        except BrokenPipeError:
            return  # its end is on its way through :meth:`listen`


def arguments(config: Config, directory: Path) -> list[str]:
    """The exchange's command line; ``directory`` is the paper realm's."""
    paper = config.paper
    given = ["--host", HOST, "--port", str(paper.port), "--truth", str((directory / TRUTH).resolve()), "--resume"]
    if paper.quotes == "live":
        given += ["--live-quotes", "--quote-max-age-ms", str(config.orders.quote_max_age_ms)]
        return [*given, "--feed-timeout-ms", str(config.supervision.broker_silence_ms)]
    if paper.replay != PaperConfig().replay:
        given += ["--quotes", str(Path(paper.replay).resolve())]
    return [*given, "--hold", "--speed", str(paper.replay_speed)]
