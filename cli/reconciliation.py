"""``positions`` and ``reconcile``: what the journals say x what the broker says (S3, E14, E19, R21)."""

from __future__ import annotations

import contextlib
import select
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from msgspec.structs import replace

from brokers.port import BrokerAdapter, BrokerEvent, Heartbeat, LinkDown, LinkUp
from brokers.registry import make_adapter
from cli.options import AsJson, ConfigFile, configuration
from cli.problems import CommandFailed
from cli.render import price, print_json, print_lines, print_table, when
from config.paths import journal_paths, positions_path, reconciliation_path
from config.realms import view
from config.schema import Config
from decisions.effects import MS
from decisions.positions.books import Books
from decisions.positions.library import Library
from decisions.positions.position_report import PositionReport, report
from decisions.positions.reconciler import Reconciler
from domain.quotes import Quote
from domain.rollout import Realm
from messages.orders import Snapshot
from messages.positions import BrokerView
from storage.reader import JournalReader

PUMP_S = 0.05
PATIENCE_S = 30.0  # for everything; differences need a grace of broker time to be believed


OnPaper = Annotated[bool, typer.Option("--paper", help="The groups on paper, and the paper exchange.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("positions")(positions)
    app.command("reconcile")(reconcile)


def positions(paper: OnPaper = False, config: ConfigFile = None, as_json_document: AsJson = False) -> None:
    """Show positions as the journals and the broker have them.

    This is what the running system's reconciler saw last: every symbol on both sides, every group's balance and hedge
    ratio, foreign orders and positions, options about to expire, and what moved without an order of ours.

    \b
    Example:
      python run_system.py positions
    """
    path = positions_path(_realm(config, on_paper=paper).system.journal_dir)
    try:
        seen = msgspec.json.decode(path.read_bytes(), type=PositionReport)
    except FileNotFoundError:
        raise CommandFailed(
            f"nothing has been compared yet: there is no {path}; start the system, or compare now with 'reconcile'"
        ) from None
    except (OSError, msgspec.DecodeError) as error:
        raise CommandFailed(f"{path} cannot be read: {error}; compare now with 'reconcile'") from None
    _tell(seen, as_json=as_json_document)


def reconcile(paper: OnPaper = False, config: ConfigFile = None, as_json_document: AsJson = False) -> None:
    """Compare the journals with the broker now, whether the system runs or not.

    It logs in to the broker, sends no order, writes nothing into the journals, and leaves a report in
    <journal_dir>/reports.  The exit status is 1 when the two sides do not agree.

    \b
    Example:
      python run_system.py reconcile
    """
    settings = _realm(config, on_paper=paper)
    seen = _compare(settings)
    path = reconciliation_path(settings.system.journal_dir, seen.as_of_ns)
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(seen), indent=1))
    except OSError as error:
        raise CommandFailed(f"the report {path} could not be written: {error.strerror}") from None
    _tell(seen, as_json=as_json_document)
    if seen.differences:
        raise CommandFailed(
            f"the journals and the broker do not agree: {'; '.join(seen.differences[:5])}; {path} has both sides"
        )


def last_differences(settings: Config) -> list[str]:
    """What the reconcilers of both realms last saw disagree, one line each; empty when all agreed or nobody looked."""
    lines = []
    for realm in Realm:
        path = positions_path(view(settings, realm).system.journal_dir)
        with contextlib.suppress(OSError, msgspec.DecodeError):
            seen = msgspec.json.decode(path.read_bytes(), type=PositionReport)
            lines += [f"{realm.value} positions, {when(seen.as_of_ns)}: {line}" for line in seen.differences]
    return lines


def _realm(config: Path | None, *, on_paper: bool) -> Config:
    """The configuration as the processes of one realm see it."""
    return view(configuration(config), Realm.PAPER if on_paper else Realm.LIVE)


def _compare(settings: Config) -> PositionReport:
    paths = journal_paths(settings.system.journal_dir)
    if not paths:
        raise CommandFailed(f"there is no journal in {settings.system.journal_dir}; start the system once")
    adapter = make_adapter(settings.broker)
    session = _Session(adapter, f"{settings.broker.host}:{settings.broker.port}")
    reconciler = Reconciler(settings)
    try:
        session.log_in()
        grace_ns = settings.reconciliation.grace_ms * MS
        first_ns, seen = 0, None
        while seen is None or (seen.suspected and seen.as_of_ns < first_ns + 2 * grace_ns):
            seen_there = session.view(_library(paths).underlyings())
            library = _library(paths)
            look = reconciler.look(seen_there, library)
            if look is not None:
                seen = report(look, library)
                first_ns = first_ns or seen.as_of_ns
        return seen
    finally:
        adapter.close()


def _library(paths: list[Path]) -> Library:
    found = []
    for path in paths:
        books = Books()
        with JournalReader(path, snapshot=True) as reader:
            for turn in reader.turns():
                for record in turn.records():
                    books.follow(record)
        found.append(books)
    return Library(found)


class _Session:
    """One login at the broker that only asks.  Raises ``CommandFailed`` when the broker does not answer."""

    def __init__(self, adapter: BrokerAdapter, where: str) -> None:
        self._adapter, self._where = adapter, where
        self._deadline = time.monotonic() + PATIENCE_S
        self._up = False
        self._clock_ns = 0
        self._snapshots: list[Snapshot] = []
        self._quotes: dict[str, Quote] = {}

    def log_in(self) -> None:
        self._adapter.connect()
        self._until(lambda: self._up, "log us in")

    def view(self, symbols: frozenset[str]) -> BrokerView:
        """A fresh snapshot, and the last quotes of these symbols."""
        before = self._clock_ns
        self._until(lambda: self._clock_ns > before, "tell its time")
        self._adapter.subscribe(symbols)
        self._snapshots.clear()
        self._adapter.request_snapshot()
        self._until(lambda: bool(self._snapshots), "answer a query of its positions")
        lag_ns = self._adapter.capabilities.snapshot_lag_ms * MS
        return BrokerView(replace(self._snapshots[-1], session=1), tuple(self._quotes.values()), lag_ns)

    def _until(self, reached: Callable[[], bool], what: str) -> None:
        while not reached():
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise CommandFailed(f"the broker at {self._where} did not {what} in time; try again")
            descriptor = self._adapter.fileno()
            select.select([descriptor] if descriptor >= 0 else [], [], [], min(left, PUMP_S))
            for event in self._adapter.pump():
                self._take(event)

    def _take(self, event: BrokerEvent) -> None:
        match event:
            case LinkUp():
                self._up = True
                self._clock_ns = max(self._clock_ns, event.ts_ns)
            case LinkDown():
                raise CommandFailed(
                    f"no broker at {self._where}: {event.reason}; set broker.host and broker.port, or wait for it"
                )
            case Heartbeat():
                self._clock_ns = max(self._clock_ns, event.ts_ns)
            case Snapshot():
                self._snapshots.append(event)
            case Quote():
                self._quotes[event.symbol] = event
            case _:
                pass


def _tell(seen: PositionReport, *, as_json: bool) -> None:
    if as_json:
        print_json(seen)
        return
    age = "" if not seen.as_of_ns else f"as of {datetime.fromtimestamp(seen.as_of_ns // 10**9, UTC):%Y-%m-%d %H:%M:%S}Z"
    agree = "journals and broker agree" if not seen.differences else f"differences: {len(seen.differences)}"
    print_lines([f"{agree}, {age}", *(f"- {line}" for line in seen.differences)])
    print_table(
        "Positions",
        ["symbol", "groups", "foreign", "broker", "difference", "unsettled"],
        [
            (line.symbol, line.groups, line.foreign, line.broker, line.difference, line.unsettled)
            for line in seen.symbols
        ],
        empty="no positions",
    )
    _tell_groups(seen)
    foreign = [one for one in seen.orders if one.kind == "foreign"]
    print_table(
        "Foreign orders", ["order", "symbol", "broker"], [(o.client_order_id, o.symbol, o.broker) for o in foreign]
    )
    print_table(
        "Changes without orders",
        ["at", "kind", "quantity", "symbol", "group", "evidence"],
        [
            (when(c.ts_ns), c.kind.value, c.quantity, c.symbol, c.group_id or "foreign", c.evidence)
            for c in seen.changes
        ],
    )


def _tell_groups(seen: PositionReport) -> None:
    print_table(
        "Groups",
        ["group", "leg", "side", "target", "expected", "broker", "variance %", "hedged %", "uncovered", "severity"],
        [
            (
                check.group_id, leg.leg_id, leg.side.value, leg.target, leg.expected, leg.broker,
                f"{leg.variance_pct:.1f}", f"{check.hedge_ratio_pct:.1f}", check.uncovered,
                check.severity.value if check.severity else "",
            )
            for check in seen.groups
            for leg in check.legs
        ],
    )  # fmt: skip
    print_table(
        "About to expire",
        ["group", "leg", "held", "symbol", "last day", "underlying", "outcome", "shares", "pin risk"],
        [
            (
                one.group_id, one.leg_id, one.held, one.symbol, one.expiry, price(one.spot, "?"), one.outcome.value,
                one.shares, "yes" if one.pin else "",
            )
            for one in seen.expiries
        ],
    )  # fmt: skip
