"""The journal as a stranger reads it: plain SQL over read-only connections, and plain MessagePack.

Nothing of the audited system's own reading code is used.  A record in the log is ``[struct name, field, field, ...]``;
the order of the fields is repeated below on purpose.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import msgpack
import msgspec

from domain.groups import Group
from venue.audit.orders import Terms

APPLICATION_ID = 0x4C4B4A4C
PAYLOAD_VERSION = 1
BUSY_TIMEOUT_S = 10.0

_FIELDS: dict[str, list[str]] = {
    name: " ".join(fields).split()
    for name, *fields in (
        (
            "IntentRecord",
            "client_order_id group_id leg_id parent_id role symbol side quantity price trigger_price order_type",
            "time_in_force slice attempt status broker_order_id epoch reference_price parent_qty cause reason checks",
            "decided_ns sent_ns acknowledged_ns cancel_requested_ns cancel_requests terminal_ns",
        ),
        (
            "ExecutionRecord",
            "client_order_id exec_id group_id exec_type exec_ref_id symbol side last_qty last_px ts_ns",
        ),
        (
            "ExecutionStateRecord",
            "client_order_id group_id ord_status order_qty cum_qty leaves_qty avg_px knowledge updated_ns",
        ),
        (
            "HedgeRecord",
            "hedge_id group_id leg_id parent_hedge_id level ordinal symbol side needed_qty filled_qty status trigger",
            "opened_ns deadline_ns closed_ns",
        ),
        (
            "EscalationRecord",
            "escalation_id group_id severity kind symbol quantity text raised_ns repeats delivered_ns acknowledged_ns",
            "acknowledged_by",
        ),
    )
}

Row = dict[str, Any]


class EvidenceError(Exception):
    """The evidence cannot be read; the message says what is wrong and what to do."""


class Position(NamedTuple):
    """A place in the log of one cell: turn, and record within the turn."""

    turn: int
    place: int


class Intent:
    """An intent as its first record has it, and every set of terms that the log ever gave it."""

    def __init__(self, facts: Row, cell: int, position: Position, committed_ns: int) -> None:
        self.client_order_id: str = facts["client_order_id"]
        self.group_id: str = facts["group_id"]
        self.leg_id: str = facts["leg_id"]
        self.decided_ns: int = facts["decided_ns"]
        self.cell = cell
        self.position = position
        self.committed_ns = committed_ns
        self.terms = _terms(facts)
        self.all_terms = {self.terms}

    def again(self, facts: Row) -> None:
        """A later record of the same intent."""
        self.all_terms.add(_terms(facts))


def _terms(facts: Row) -> Terms:
    return Terms(
        facts["symbol"], facts["side"], facts["quantity"], facts["price"], facts["trigger_price"], facts["order_type"]
    )


class GroupRow(NamedTuple):
    """A row of ``order_groups`` with its plan."""

    tag: str
    cell: int
    outcome: str
    group: Group


class Need(NamedTuple):
    """What a hedge was to obtain, from this record of the log on."""

    position: Position
    quantity: int


class Journal:
    """Everything that the checks ask of all cells' journals together."""

    def __init__(self) -> None:
        self.intents: dict[str, Intent] = {}  # from the log
        self.intent_rows: dict[str, Row] = {}  # from the table
        self.groups: dict[str, GroupRow] = {}  # by tag
        self.cum_qty: dict[str, int] = {}
        self.peak_cum: dict[str, int] = {}  # the most that the log ever said of an order
        self.executions: dict[tuple[str, str], Row] = {}
        self.learned: dict[tuple[str, str], Position] = {}  # (client order id, exec id) -> when the log first had it
        self.needs: dict[str, list[Need]] = {}
        self.hedge_parents: dict[str, str] = {}
        self.alerts: list[Row] = []  # rows of ``escalations``
        self.raised: dict[str, list[int]] = {}  # escalation id -> every time at which the log raised it
        self.turns = 0
        self.chain_problems: list[str] = []
        self.double_problems: list[str] = []

    def needed(self, hedge_id: str, turn: int) -> int | None:
        """The most that the hedge was to obtain as of this turn; ``None`` when the log had no such hedge yet."""
        known = [need for need in self.needs.get(hedge_id, []) if need.position.turn <= turn]
        if not known:
            return None
        latest = [need.quantity for need in known if need.position.turn == turn]
        before = [need.quantity for need in known if need.position.turn < turn]
        return max(latest + before[-1:])

    def knew(self, client_order_id: str, exec_id: str, by: Position) -> bool:
        """Whether the log held this execution before the record at ``by``."""
        at = self.learned.get((client_order_id, exec_id))
        return at is not None and at < by


def read_journals(directory: Path) -> Journal:
    """All ``cell-<n>.db`` files of a directory, each as of one moment; their owners may be running, or dead.

    Raises :class:`EvidenceError` when there are none, or one cannot be read.
    """
    paths = sorted((int(m[1]), path) for path in directory.glob("cell-*.db") if (m := _CELL.fullmatch(path.name)))
    if not paths:
        raise EvidenceError(f"{directory}: no journal there (cell-0.db, cell-1.db, …); name the journal directory")
    journal = Journal()
    for cell, path in paths:
        try:
            uri = f"{path.resolve().as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as conn:
                conn.row_factory = sqlite3.Row
                conn.execute("BEGIN")
                _read_cell(journal, cell, path, conn)
        except (sqlite3.Error, msgspec.ValidationError) as error:
            raise EvidenceError(f"{path}: cannot be read as a journal: {error}") from error
    return journal


_CELL = re.compile(r"cell-(\d+)\.db")


def _read_cell(journal: Journal, cell: int, path: Path, conn: sqlite3.Connection) -> None:
    if conn.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise EvidenceError(f"{path}: an SQLite file, but not a legkeeper journal")
    for row in _rows(conn, "SELECT group_id, tag, outcome, definition FROM order_groups"):
        group = msgspec.convert(_unpack(row["definition"], path), Group)
        if row["tag"] in journal.groups:
            journal.double_problems.append(f"{row['group_id']}: its tag {row['tag']} is in two journals")
        journal.groups[row["tag"]] = GroupRow(row["tag"], cell, row["outcome"], group)
    for row in _rows(conn, "SELECT * FROM order_intents"):
        if row["client_order_id"] in journal.intent_rows:
            journal.double_problems.append(f"{row['client_order_id']}: its intent is in two journals")
        journal.intent_rows[row["client_order_id"]] = row
    for row in _rows(conn, "SELECT client_order_id, cum_qty FROM execution_states"):
        journal.cum_qty[row["client_order_id"]] = row["cum_qty"]
    for row in _rows(conn, "SELECT client_order_id, exec_id, exec_type, last_qty, last_px FROM executions"):
        journal.executions[row["client_order_id"], row["exec_id"]] = row
    for row in _rows(conn, "SELECT hedge_id, parent_hedge_id FROM hedge_tracking"):
        journal.hedge_parents[row["hedge_id"]] = row["parent_hedge_id"]
    journal.alerts += _rows(conn, "SELECT escalation_id, group_id, severity, kind, acknowledged_ns FROM escalations")
    _read_log(journal, cell, path, conn)


def _rows(conn: sqlite3.Connection, query: str) -> Iterable[Row]:
    return [dict(row) for row in conn.execute(query)]


def _read_log(journal: Journal, cell: int, path: Path, conn: sqlite3.Connection) -> None:
    """Fold what the checks need out of the turns, and follow their hash chain (I19)."""
    last, prev_hash, epoch = 0, bytes(32), 0
    for row in conn.execute("SELECT turn, epoch, at_ns, payload, prev_hash, hash FROM turns ORDER BY turn"):
        where = f"{path.name}, turn {row['turn']}"
        if row["turn"] != last + 1:
            journal.chain_problems.append(f"{where}: follows turn {last}; expected no gap")
        if row["prev_hash"] != prev_hash or row["hash"] != _link(row):
            journal.chain_problems.append(f"{where}: the hash chain breaks; expected the hash of the turn before it")
        if row["epoch"] < epoch:
            journal.chain_problems.append(f"{where}: epoch {row['epoch']} follows {epoch}; expected no older one")
        last, prev_hash, epoch = row["turn"], row["hash"], row["epoch"]
        journal.turns += 1
        for place, record in enumerate(_unpack(row["payload"], path)):
            _fold(journal, cell, Position(last, place), row["at_ns"], record, path)


def _link(row: sqlite3.Row) -> bytes:
    """BLAKE2b, 32 bytes, over the previous hash, three 8-byte big-endian integers and the payload."""
    numbers = b"".join(row[name].to_bytes(8, "big", signed=True) for name in ("turn", "epoch", "at_ns"))
    return blake2b(row["prev_hash"] + numbers + row["payload"], digest_size=32).digest()


def _fold(journal: Journal, cell: int, at: Position, committed_ns: int, record: list[Any], path: Path) -> None:
    name = record[0]
    fields = _FIELDS.get(name)
    if fields is None:
        return
    if len(record) - 1 < len(fields):
        raise EvidenceError(
            f"{path}, turn {at.turn}: {name} has {len(record) - 1} fields, this audit knows {len(fields)}; "
            "use the audit that came with the system"
        )
    facts = dict(zip(fields, record[1:], strict=False))
    match name:
        case "IntentRecord":
            known = journal.intents.get(facts["client_order_id"])
            if known is None:
                journal.intents[facts["client_order_id"]] = Intent(facts, cell, at, committed_ns)
            else:
                known.again(facts)
        case "ExecutionRecord":
            journal.learned.setdefault((facts["client_order_id"], facts["exec_id"]), at)
        case "ExecutionStateRecord":
            order = facts["client_order_id"]
            journal.peak_cum[order] = max(journal.peak_cum.get(order, 0), facts["cum_qty"])
        case "HedgeRecord":
            journal.needs.setdefault(facts["hedge_id"], []).append(Need(at, facts["needed_qty"]))
        case _:
            journal.raised.setdefault(facts["escalation_id"], []).append(facts["raised_ns"])


def _unpack(data: bytes, path: Path) -> Any:
    """The body of a ``[version, body]`` payload."""
    try:
        version, body = msgpack.unpackb(data)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise EvidenceError(f"{path}: a payload is not MessagePack: {error}") from error
    if version != PAYLOAD_VERSION:
        raise EvidenceError(f"{path}: a payload of version {version}; this audit reads version {PAYLOAD_VERSION}")
    return body
