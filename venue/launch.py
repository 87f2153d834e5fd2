"""What the embedded exchange is started with, and how it becomes a running server."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import structlog

from venue.chain import RECIPES, seeded_chain
from venue.exchange import Exchange
from venue.feed import SECOND_NS, Feed, VenueClock
from venue.hosting import run
from venue.live_quotes import LiveServer, first_listing, run_on_supply, say, supplies
from venue.nasty import MAX_STALE_MS, Mischief, Nasty
from venue.protocol import Promises
from venue.quotes import QuoteDay, load_lean
from venue.rules import Rules
from venue.server import Server
from venue.truth import TruthEvent, TruthFile, read_truth

HOLD_NS = SECOND_NS
_PR_SET_PDEATHSIG = 1  # prctl(2)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to run one embedded exchange.

    Raises ``ValueError`` for a speed that is not positive, an offset before the open, and a port out of range.
    """

    host: str = "127.0.0.1"
    port: int = 0  # 0: any free one
    quotes: Path | None = None  # a day of quotes in Lean's format; None: a made-up chain from `seed`
    chain: str = "us"  # which made-up chain: us, or nse with an index by NSE's rules
    seed: int = 0  # of the made-up chain and of the mischief
    speed: float = 1.0  # exchange seconds per real second
    offset_s: float = 0.0  # how far into the day the clock starts
    truth: Path | None = None  # where to write what really happened
    nasty: Nasty = Nasty()
    rules: Rules = Rules()
    session: bool = False  # keep the day's hours: no orders outside of them, and day orders expire at the close
    hold: bool = False  # repeat the last quotes each second, so that they do not become stale
    die_with_parent: bool = False
    resume: bool = False  # go on where the record in `truth` ends
    live_quotes: bool = False  # the market comes in on standard input (venue/live_quotes.py)
    quote_max_age_ms: int = 120_000  # such a quote is withdrawn when it is older, in exchange time
    feed_timeout_ms: int = 3_000  # without a word on standard input for so long, in real time, the exchange closes

    def __post_init__(self) -> None:
        if not self.speed > 0:
            raise ValueError(f"speed is {self.speed}; give a positive number, 1 is real time")
        if self.chain not in RECIPES:
            raise ValueError(f"chain is {self.chain!r}; choose one of {', '.join(RECIPES)}")
        if not self.offset_s >= 0:
            raise ValueError(f"offset is {self.offset_s} s; give seconds after the open")
        if self.resume and self.truth is None:
            raise ValueError("to resume, name the record to go on from: --truth FILE")
        if self.live_quotes and self.quotes is not None:
            raise ValueError("live quotes and a file of quotes: give one of them")
        if min(self.quote_max_age_ms, self.feed_timeout_ms) < 1:
            raise ValueError("the largest age of a quote and the timeout of the feed must be at least 1 ms")
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port is {self.port}; give 1 to 65535, or 0 for any free one")


def serve(options: Options) -> int:
    """Run the exchange until SIGTERM or SIGINT; the exit status: 0 stopped, 1 failed, 2 could not start.

    When it is ready it writes one line to standard output: ``{"listening": PORT}``.
    """
    if not structlog.is_configured():  # standard output belongs to that one line
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    if options.die_with_parent:
        die_with_parent()
    try:
        record, finish = _recorder(options.truth)
        serving = _on_supply(options, record) if options.live_quotes else _on_a_day(options, record)
    except OSError as error:
        return _cannot_start(f"{error.filename or 'it'}: {(error.strerror or str(error)).lower()}")
    except ValueError as error:
        return _cannot_start(str(error))
    gc.collect()
    gc.freeze()  # the instruments and quotes stay; looking through them again would only cause pauses
    try:
        return asyncio.run(serving)
    except OSError as error:
        return _cannot_start(
            f"cannot listen on {options.host}:{options.port}: {_reason(error)}; "
            "choose another --port, or 0 for any free one"
        )
    finally:
        finish()


def rules_for(options: Options, day: QuoteDay) -> Rules:
    """The rules of the options, with the day's trading hours where the options ask for them."""
    if not options.session:
        return options.rules
    return msgspec.structs.replace(options.rules, session_open_ns=day.open_ns, session_close_ns=day.close_ns)


def promises(rules: Rules) -> Promises:
    """What a server with these rules does for its clients, at its nastiest."""
    return Promises(
        deduplicates=rules.deduplicate,
        max_tag_length=rules.max_tag_length,
        orders_per_second=rules.orders_per_second,
        market_orders_rest=rules.market_protection_pct > 0,
        snapshot_lag_ms=MAX_STALE_MS,
    )


def die_with_parent(number: signal.Signals = signal.SIGKILL, parent: int = 0) -> None:
    """Have the kernel send this process a signal when the thread that started it ends (prctl(2), Linux).

    ``parent`` is its parent's pid, where that is known: it may have ended before this.  Raises ``OSError`` where the
    kernel refuses.
    """
    parent = parent or os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # it ended in between, and nobody will tell us
        os.kill(os.getpid(), number)


def _on_supply(options: Options, record: Callable[[TruthEvent], None]) -> Coroutine[Any, Any, int]:
    frames = supplies()
    instruments, rest = first_listing(frames)
    exchange = Exchange(instruments, options.rules, record)
    server = LiveServer(
        exchange,
        promises(options.rules),
        Mischief(options.nasty, options.seed),
        start_ns=_resumed(options, exchange),
        max_age_ns=options.quote_max_age_ms * 1_000_000,
        timeout_s=options.feed_timeout_ms / 1_000,
        say=say,
    )
    for message in rest:
        server.hear(message)
    return run_on_supply(server, frames, options.host, options.port, _announce)


def _on_a_day(options: Options, record: Callable[[TruthEvent], None]) -> Coroutine[Any, Any, int]:
    day = seeded_chain(options.seed, RECIPES[options.chain]) if options.quotes is None else load_lean(options.quotes)
    return run(_server(options, day, record), options.host, options.port, _announce)


def _server(options: Options, day: QuoteDay, record: Callable[[TruthEvent], None]) -> Server:
    rules = rules_for(options, day)
    exchange = Exchange(day.instruments, rules, record)
    clock = ClockNote(options.truth.with_suffix(".clock")) if options.resume and options.truth else None
    start_ns = max(day.open_ns + round(options.offset_s * SECOND_NS), _resumed(options, exchange))
    if clock is not None:
        start_ns = max(start_ns, clock.read())
    return Server(
        exchange=exchange,
        promises=promises(rules),
        feed=Feed(day.quotes(), start_ns, HOLD_NS if options.hold else 0),
        clock=VenueClock(start_ns=start_ns, started_s=time.monotonic(), speed=options.speed),
        mischief=Mischief(options.nasty, options.seed),
        note_time=clock.write if clock is not None else None,
    )


def _resumed(options: Options, exchange: Exchange) -> int:
    """Have the exchange go on where its record ends; the time of that, or 0."""
    return exchange.resume(read_truth(options.truth)) if options.resume and options.truth else 0


class ClockNote:
    """The exchange's time in a small file, so that the next process does not begin before what was told."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def read(self) -> int:
        """The time that was noted last; 0 when none was."""
        text = os.pread(self._descriptor, 100, 0).strip()
        return int(text) if text.isdigit() else 0

    def write(self, now_ns: int) -> None:
        """Note it, in place; what survives a killed process is enough."""
        os.pwrite(self._descriptor, b"%020d" % now_ns, 0)


def _recorder(path: Path | None) -> tuple[Callable[[TruthEvent], None], Callable[[], None]]:
    if path is None:
        return (lambda _: None), (lambda: None)
    truth = TruthFile(path)
    return truth.write, truth.close


def _reason(error: OSError) -> str:
    """asyncio words the errors of a socket at length; a name that cannot be resolved has a number of its own kind."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)


def _announce(port: int) -> None:
    sys.stdout.write(json.dumps({"listening": port}) + "\n")
    sys.stdout.flush()


def _cannot_start(reason: str) -> int:
    sys.stderr.write(f"venue: {reason}\n")
    return 2
