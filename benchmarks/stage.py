"""The real thing to measure on: the embedded exchange and the system, each with all of its processes.

Both ends of a figure are times of the exchange itself: its record says when it received an order and when it filled
one, by its own clock, which runs at real time here.  Times of this process are brought to that clock by asking for it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from benchmarks.measuring import ROOT
from cli import control
from cli.market import survey
from cli.problems import CommandFailed
from config.paths import control_path
from config.schema import BrokerConfig
from domain.execution import Side
from domain.groups import Plan, PlanLeg, group_part, group_tag
from domain.instruments import Right, osi_symbol
from domain.money import PRICE_SCALE
from domain.quotes import Quote
from venue.child import Steering, VenueChild
from venue.truth import TruthEvent

PATIENCE_S = 60.0
LOOKS_S = 0.002
HOURS_MS = 36_000_000
EXPIRY = date(2026, 2, 20)  # of the exchange's made-up chain: the later one, in which all strikes have a bid
PROBE, IDLE = (470, 485, 515, 530), (475, 490, 510, 525)  # strikes: long put, short put, short call, long call
STAMPS = "BENCHMARK_STAMPS"  # the environment's name for where to write them: benchmarks/traced.py
CLOCK_ASKED = 200  # times; the quickest answer counts

R = TypeVar("R")


class Truth:
    """What the exchange has written down, read as it grows."""

    def __init__(self, path: Path) -> None:
        self.events: list[TruthEvent] = []
        self._file, self._torn = path.open("rb"), b""
        self._decoder = msgspec.json.Decoder(TruthEvent)

    def look(self) -> list[TruthEvent]:
        """The events that are new."""
        *lines, self._torn = (self._torn + self._file.read()).split(b"\n")
        new = [self._decoder.decode(line) for line in lines]
        self.events += new
        return new

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class Stage:
    """One exchange and one system on it, ``cells`` cells, until the end of the ``with`` block of :func:`stage`."""

    def __init__(self, place: Path, venue: VenueChild, cells: int, stamps: Path | None = None) -> None:
        self.place, self.venue, self.journal_dir = place, venue, place / "journal"
        self.steering = Steering(venue.port)
        self.truth = Truth(place / "truth.jsonl")
        self.quotes = survey(BrokerConfig(port=venue.port)).quotes
        self._config = place / "legkeeper.toml"
        self._config.write_text(
            f'[system]\njournal_dir = "{self.journal_dir}"\nadmin_port = {free_port()}\ncells = {cells}\n'
            f"[broker]\nport = {venue.port}\n"
            f"[orders]\nworking_timeout_ms = {HOURS_MS}\nentry_patience_ms = {HOURS_MS}\n"  # what rests, rests
            "[controls]\norders_per_second = 100000\nmax_open_orders = 1000000\n"
            "max_short_units_underlying = 1000000\nmax_short_units = 1000000\nmax_working_notional = 1000000000000\n"
            "max_day_premium = 1000000000000\nrepeat_limit = 100000\n"
            f"[alerts]\nrepeat_ms = {HOURS_MS}\nfreeze_after_ms = {HOURS_MS}\n[metrics]\nport = 0\n"
        )
        program = ["-m", "benchmarks.traced"] if stamps else [str(ROOT / "run_system.py")]
        with (place / "system.err").open("w") as words:
            self.system = subprocess.Popen(
                [sys.executable, *program, "start", "--config", str(self._config)],
                stdout=subprocess.DEVNULL, stderr=words, start_new_session=True, cwd=ROOT,
                env=os.environ | ({STAMPS: str(stamps)} if stamps else {}),
            )  # fmt: skip

    def settle(self, cells: int) -> None:
        """Wait until the system takes commands and every gate is open, with quotes at which orders rest."""
        for leg in condor("any", PROBE, 1).legs + condor("any", IDLE, 1).legs:
            self.rest(leg.symbol)
        names = [f"cell-{number}" for number in range(cells)]
        self.until(lambda: control_path(self.journal_dir).exists(), "the system to take commands")
        self.until(
            lambda: all(process["state"] == "open" for process in self.known(*names).values()), "every gate to be open"
        )

    # The market

    def rest(self, symbol: str) -> None:
        """Quote a contract as it was in the beginning, with plenty on both sides: an order at its bid rests."""
        quote = self.quotes[symbol]
        self.steering.pin(symbol, quote.bid, quote.ask)

    def let_fill(self, symbol: str, units: int) -> None:
        """Offer so many units at the bid at which orders rest, and then no more."""
        quote = self.quotes[symbol]
        self.steering.pin(symbol, quote.bid - quote_step(quote), quote.bid, units)
        self.rest(symbol)

    def clock(self) -> Callable[[int], int]:
        """What turns a reading of this machine's monotonic clock into the exchange's time."""
        best, offset = 10**18, 0
        for _ in range(CLOCK_ASKED):
            before = time.monotonic_ns()
            told = self.steering.time_ns()
            after = time.monotonic_ns()
            if after - before < best:
                best, offset = after - before, told - (before + after) // 2
        return lambda monotonic_ns: monotonic_ns + offset

    # The system

    def submit(self, plan: Plan) -> None:
        """Hand a plan over; it is durable when this returns."""
        control.ask(self.journal_dir, control.submit(plan), PATIENCE_S)

    def fill_with(self, groups: int) -> None:
        """Let so many groups work that nothing happens to: their longs rest at the exchange."""
        for number in range(groups):
            self.submit(condor(f"idle-{number}", IDLE, 10, self.quotes))
        self.orders_of(*(f"idle-{number}" for number in range(groups)), each=2)

    def orders_of(self, *group_ids: str, each: int = 1) -> dict[str, list[TruthEvent]]:
        """Wait until the exchange has received ``each`` orders of each of these groups, and return them."""
        tags = {group_tag(group_id): group_id for group_id in group_ids}
        found: dict[str, list[TruthEvent]] = {group_id: [] for group_id in group_ids}
        seen = 0

        def all_there() -> bool:
            nonlocal seen
            self.truth.look()
            for event in self.truth.events[seen:]:
                if event.kind == "order_received" and (name := tags.get(group_part(event.client_order_id))):
                    found[name].append(event)
            seen = len(self.truth.events)
            return all(len(orders) >= each for orders in found.values())

        self.until(all_there, f"{each} orders each of {len(group_ids)} groups at the exchange")
        return found

    def processes(self) -> dict[str, dict[str, Any]]:
        """What ``status`` says of each process."""
        with contextlib.suppress(CommandFailed):
            answer = control.ask(self.journal_dir, control.status(), PATIENCE_S)
            return {process["name"]: process for process in answer["processes"]}
        return {}

    def known(self, *names: str) -> dict[str, dict[str, Any]]:
        """What ``status`` says of these; waits until it says something of each, which it may not for a moment."""

        def all_there() -> dict[str, dict[str, Any]]:
            told = self.processes()
            return {name: told[name] for name in names} if told.keys() >= set(names) else {}

        return self.until(all_there, f"a status of {', '.join(names)}") if names else {}

    def cpu_seconds(self, *names: str) -> float:
        """Processor time so far of these processes, or of the whole tree (proc(5): utime and stime)."""
        known = self.known(*names)
        pids = [int(known[name]["pid"]) for name in names] or _descendants(self.system.pid)
        return sum(sum(map(int, _stat(pid)[11:13])) for pid in pids) / os.sysconf("SC_CLK_TCK")

    def until(self, condition: Callable[[], R], what: str) -> R:
        """The first truthy answer.  Raises ``RuntimeError`` when it takes too long."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            answer = condition()
            if answer:
                return answer
            if time.monotonic() > deadline or self.system.poll() is not None:
                said = (self.place / "system.err").read_text().strip()
                raise RuntimeError(f"waited {PATIENCE_S:g} s for {what}; the system said: {said or 'nothing'}")
            time.sleep(LOOKS_S)

    def close(self) -> None:
        """Stop the system; everything of it ends with its main process."""
        self.steering.close()
        self.truth.close()
        self.system.send_signal(signal.SIGTERM)
        try:
            self.system.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.system.kill()
            self.system.wait()


@contextlib.contextmanager
def stage(journal: Path, cells: int = 1, stamps: Path | None = None) -> Iterator[Stage]:
    """An exchange and a system beside ``journal``, whose gates are open.

    ``stamps``: where the system writes down when a report passed by which station (benchmarks/traced.py).
    """
    place = journal.parent
    arguments = ("--port", "0", "--speed", "1", "--offset-s", "60", "--truth", str(place / "truth.jsonl"))
    with VenueChild(*arguments, log=place / "venue.log") as venue:
        made = Stage(place, venue, cells, stamps)
        try:
            made.settle(cells)
            yield made
        finally:
            made.close()


def condor(group_id: str, strikes: tuple[int, ...], quantity: int, quotes: dict[str, Quote] | None = None) -> Plan:
    """An iron condor on the exchange's chain; with quotes, its longs rest at the bid."""
    rights = (Right.PUT, Right.PUT, Right.CALL, Right.CALL)
    sides = (Side.BUY, Side.SELL, Side.SELL, Side.BUY)
    legs = []
    for index, (strike, right, side) in enumerate(zip(strikes, rights, sides, strict=True)):
        symbol = osi_symbol("LEGK", EXPIRY, right, strike * PRICE_SCALE)
        limit = quotes[symbol].bid if quotes and side is Side.BUY else 0
        legs.append(PlanLeg(leg_id=f"leg{index}", symbol=symbol, side=side, limit_price=limit))
    return Plan(group_id=group_id, quantity=quantity, legs=tuple(legs), strategy="iron_condor")


def quote_step(quote: Quote) -> int:
    """How far below its bid a contract is bid while somebody sells at it."""
    return min(500, quote.bid // 2)


def free_port() -> int:
    """A port of the loopback interface that nothing uses at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _descendants(pid: int) -> list[int]:
    """A process and all below it."""
    parents = {int(entry.name): int(stat[1]) for entry in Path("/proc").iterdir() if entry.name.isdigit()
               and (stat := _stat(int(entry.name)))}  # fmt: skip
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def _stat(pid: int) -> list[str]:
    """State, parent and the rest of ``/proc/<pid>/stat``; empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
