"""The journal as a stranger reads it: plain SQL over read-only connections, and plain MessagePack.

Nothing of the audited system's own reading code is used; how its records are laid out is repeated in
:mod:`venue.audit.layout` on purpose.
"""

from __future__ import annotations

import re
import sqlite3
from bisect import bisect_left
from collections.abc import Iterable
from contextlib import closing
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import msgpack
import msgspec

from domain.groups import Group
from venue.audit.layout import LAYOUTS, PACKED, REGISTERS
from venue.audit.nameless import ANSWER
from venue.audit.orders import Step, Terms

APPLICATION_ID = 0x4C4B4A4C
PAYLOAD_VERSION = 1
BUSY_TIMEOUT_S = 10.0
GATEWAY, GATEWAY_FILE = -1, "gateway.db"  # the gateway's own journal, beside those of the cells

NOTHING = (0, bytes(32))  # what the first turn of all is bound to

Row = dict[str, Any]


class EvidenceError(Exception):
    """The evidence cannot be read; the message says what is wrong and what to do."""


def owner(cell: int) -> str:
    """Whose journal it is, in words."""
    return "gateway" if cell == GATEWAY else f"cell {cell}"


class Position(NamedTuple):
    """A place in the log of one cell: turn, and record within the turn."""

    turn: int
    place: int


class Entry(NamedTuple):
    """One record of the log: where it stands, when and in which epoch it was committed, and its fields."""

    cell: int
    at: Position
    committed_ns: int
    epoch: int
    facts: Row


class Epoch(NamedTuple):
    """One opening of a cell's journal.  ``opened_host_ns`` is the machine's clock."""

    cell: int
    epoch: int
    after_turn: int
    pid: int
    opened_host_ns: int


class Intent:
    """An intent as its first record has it, and every set of terms that the log ever gave it."""

    def __init__(self, entry: Entry) -> None:
        facts = entry.facts
        self.client_order_id: str = facts["client_order_id"]
        self.group_id: str = facts["group_id"]
        self.leg_id: str = facts["leg_id"]
        self.decided_ns: int = facts["decided_ns"]
        self.epoch = entry.epoch
        self.facts = facts
        self.cell = entry.cell
        self.position = entry.at
        self.committed_ns = entry.committed_ns
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
        self.groups: dict[str, GroupRow] = {}  # by tag
        self.needs: dict[str, list[Need]] = {}
        self.raised: dict[str, list[int]] = {}  # escalation id -> every time at which the log raised it
        self.history: dict[str, dict[tuple[Any, ...], list[Entry]]] = {name: {} for name in LAYOUTS}  # by row
        self.tables: dict[str, dict[tuple[Any, ...], Row]] = {name: {} for name in LAYOUTS}
        self.epochs: list[Epoch] = []
        self.turn_epochs: list[tuple[int, int, int]] = []  # cell, turn, epoch
        self.clocks: dict[
            int, list[tuple[int, int]]
        ] = {}  # cell -> turn, and the latest time that it and earlier ones had
        self.cells: list[int] = []
        self.turns = 0
        self.chain_problems: list[str] = []
        self.double_problems: list[str] = []

    @cached_property
    def intent_rows(self) -> dict[str, Row]:
        """Table ``order_intents`` by client order id."""
        return {key[0]: row for key, row in self.tables["IntentRecord"].items()}

    @cached_property
    def cum_qty(self) -> dict[str, int]:
        """What table ``execution_states`` says has filled, by client order id."""
        return {key[0]: row["cum_qty"] for key, row in self.tables["ExecutionStateRecord"].items()}

    @cached_property
    def executions(self) -> dict[tuple[Any, ...], Row]:
        """Table ``executions`` by client order id and exec id."""
        return self.tables["ExecutionRecord"]

    @property
    def alerts(self) -> Iterable[Row]:
        """Table ``escalations``."""
        return self.tables["EscalationRecord"].values()

    def clock_before(self, cell: int, turn: int) -> int:
        """The latest time at which a turn before this one was written; 0 when there is none."""
        clocks = self.clocks.get(cell, [])
        place = bisect_left(clocks, (turn, 0))
        return clocks[place - 1][1] if place else 0

    def above(self, hedge_id: str) -> str:
        """The hedge whose child this one is; "" when it has none."""
        row = self.tables["HedgeRecord"].get((hedge_id,))
        return row["parent_hedge_id"] if row else ""

    def needed(self, hedge_id: str, turn: int) -> int | None:
        """The most that the hedge was to obtain as of this turn; ``None`` when the log had no such hedge yet."""
        known = [need for need in self.needs.get(hedge_id, []) if need.position.turn <= turn]
        if not known:
            return None
        latest = [need.quantity for need in known if need.position.turn == turn]
        before = [need.quantity for need in known if need.position.turn < turn]
        return max(latest + before[-1:])

    def heard(self, client_order_id: str, step: Step) -> Entry | None:
        """The record by which the log first held this execution; ``None`` when it never did.

        One that was told in the words of an earlier one is held by what is no older: an answer to a query, or a report
        where the earlier one was lost.
        """
        told = self.history["ExecutionRecord"].get((client_order_id, step.exec_id), [])
        if not step.again:
            return told[0] if told else None
        answers = self.history["ExecutionRecord"].get((client_order_id, ANSWER), [])
        since = (entry for entry in (*told, *answers) if entry.facts["ts_ns"] >= step.ts_ns)
        return min(since, key=lambda entry: entry.at, default=None)

    def knew(self, client_order_id: str, step: Step, by: Position) -> bool:
        """Whether the log held this execution before the record at ``by``."""
        entry = self.heard(client_order_id, step)
        return entry is not None and entry.at < by

    def counted(self, client_order_id: str, step: Step, by: Position) -> bool:
        """Whether the log held before the record at ``by`` what a bust or a correction left, by the broker's count."""
        if step.d_filled >= 0:
            return False
        states = self.history["ExecutionStateRecord"].get((client_order_id,), [])
        counts = (entry.facts["knowledge"][REGISTERS["count"]] for entry in states if entry.at < by)
        return any(count[0] >= step.ts_ns and count[2] == step.filled for count in counts)


def read_journals(directory: Path) -> Journal:
    """All ``cell-<n>.db`` files of a directory, each as of one moment; their owners may be running, or dead.

    Raises :class:`EvidenceError` when there are none, or one cannot be read.
    """
    paths = sorted((int(m[1]), path) for path in directory.glob("cell-*.db") if (m := _CELL.fullmatch(path.name)))
    if not paths:
        raise EvidenceError(f"{directory}: no journal there (cell-0.db, cell-1.db, …); name the journal directory")
    journal = Journal()
    if (directory / GATEWAY_FILE).exists():
        paths.append((GATEWAY, directory / GATEWAY_FILE))
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
    fold_groups(journal, cell, path, _rows(conn, "SELECT group_id, tag, outcome, definition FROM order_groups"))
    journal.cells.append(cell)
    for name, layout in LAYOUTS.items():
        if conn.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (layout.table,)).fetchone():
            fold_table(journal, name, cell, path, _rows(conn, f"SELECT * FROM {layout.table}"))  # noqa: S608 - our own
    for row in _rows(conn, "SELECT epoch, after_turn, pid, opened_host_ns FROM epochs ORDER BY epoch"):
        journal.epochs.append(Epoch(cell, **row))
    turns = _rows(conn, "SELECT turn, epoch, at_ns, payload, prev_hash, hash FROM turns ORDER BY turn")
    fold_log(journal, cell, path, turns, _base(conn))


def _base(conn: sqlite3.Connection) -> tuple[int, bytes]:
    """The last turn that was archived, which the log goes on from, and its hash."""
    if not conn.execute("SELECT 1 FROM sqlite_master WHERE name = 'archives'").fetchone():
        return NOTHING
    row = conn.execute("SELECT through_turn, hash FROM archives ORDER BY through_turn DESC LIMIT 1").fetchone()
    return (row["through_turn"], row["hash"]) if row else NOTHING


def fold_groups(journal: Journal, cell: int, path: Path, rows: Iterable[Row]) -> None:
    """The rows of table ``order_groups``; a tag in two journals is a problem of its own (I2)."""
    for row in rows:
        group = msgspec.convert(_unpack(row["definition"], path), Group)
        if row["tag"] in journal.groups:
            journal.double_problems.append(f"{row['group_id']}: its tag {row['tag']} is in two journals")
        journal.groups[row["tag"]] = GroupRow(row["tag"], cell, row["outcome"], group)


def fold_table(journal: Journal, name: str, cell: int, path: Path, rows: Iterable[Row]) -> None:
    """One folded table, by key; a key in two journals is a problem of its own (I2).

    A table that an older journal lacks has no rows; a record that has no table is found by I20.
    """
    table = journal.tables[name]
    for row in rows:
        key = _key(name, row, cell)
        if name == "IntentRecord" and key in table:
            journal.double_problems.append(f"{key[0]}: its intent is in two journals")
        for column in PACKED.values():
            if column in row:
                row[column] = _unpack(row[column], path)
        table[key] = row


def _rows(conn: sqlite3.Connection, query: str) -> Iterable[Row]:
    return [dict(row) for row in conn.execute(query)]


def fold_log(journal: Journal, cell: int, path: Path, turns: Iterable[Row], base: tuple[int, bytes] = NOTHING) -> None:
    """Fold what the checks need out of the rows of table ``turns``, and follow their hash chain from ``base`` (I19)."""
    (last, prev_hash), epoch = base, 0
    for row in turns:
        where = f"{path.name}, turn {row['turn']}"
        if row["turn"] != last + 1:
            journal.chain_problems.append(f"{where}: follows turn {last}; expected no gap")
        if row["prev_hash"] != prev_hash or row["hash"] != _link(row):
            journal.chain_problems.append(f"{where}: the hash chain breaks; expected the hash of the turn before it")
        if row["epoch"] < epoch:
            journal.chain_problems.append(f"{where}: epoch {row['epoch']} follows {epoch}; expected no older one")
        last, prev_hash, epoch = row["turn"], row["hash"], row["epoch"]
        journal.turns += 1
        journal.turn_epochs.append((cell, last, epoch))
        clocks = journal.clocks.setdefault(cell, [])
        clocks.append((last, max(row["at_ns"], clocks[-1][1] if clocks else 0)))
        for place, record in enumerate(_unpack(row["payload"], path)):
            entry = _entry(cell, Position(last, place), row["at_ns"], epoch, record, path)
            if entry is not None:
                _fold(journal, record[0], entry)


def _link(row: Row) -> bytes:
    """BLAKE2b, 32 bytes, over the previous hash, three 8-byte big-endian integers and the payload."""
    numbers = b"".join(row[name].to_bytes(8, "big", signed=True) for name in ("turn", "epoch", "at_ns"))
    return blake2b(row["prev_hash"] + numbers + row["payload"], digest_size=32).digest()


def _entry(cell: int, at: Position, committed_ns: int, epoch: int, record: list[Any], path: Path) -> Entry | None:
    layout = LAYOUTS.get(record[0])
    if layout is None:
        return None
    if len(record) - 1 < len(layout.fields):
        raise EvidenceError(
            f"{path}, turn {at.turn}: {record[0]} has {len(record) - 1} fields, this audit knows "
            f"{len(layout.fields)}; use the audit that came with the system"
        )
    return Entry(cell, at, committed_ns, epoch, dict(zip(layout.fields, record[1:], strict=False)))


def _key(name: str, facts: Row, cell: int) -> tuple[Any, ...]:
    """What identifies a row among all journals."""
    layout = LAYOUTS[name]
    return tuple(facts[part] for part in layout.key) + ((cell,) if layout.shared else ())


def _fold(journal: Journal, name: str, entry: Entry) -> None:
    facts = entry.facts
    key = _key(name, facts, entry.cell)
    journal.history[name].setdefault(key, []).append(entry)
    match name:
        case "IntentRecord":
            known = journal.intents.get(facts["client_order_id"])
            if known is None:
                journal.intents[facts["client_order_id"]] = Intent(entry)
            else:
                known.again(facts)
        case "HedgeRecord":
            journal.needs.setdefault(facts["hedge_id"], []).append(Need(entry.at, facts["needed_qty"]))
        case "EscalationRecord":
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
