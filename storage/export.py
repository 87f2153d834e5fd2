"""The audit log as JSON Lines: everything that the log holds, in order, with names (E15)."""

from __future__ import annotations

from base64 import b64encode
from enum import Enum
from pathlib import Path
from typing import Any, TextIO

import msgspec

from storage.reader import JournalReader
from storage.tables import TABLE_OF


def export(path: Path, stream: TextIO, *, after: int = 0) -> int:
    """Write one JSON object a line for every record of the turns past ``after``; gives the last turn written.

    Keys: ``turn``, ``epoch``, ``at_ns``, ``hash`` (hex), ``table``, ``record`` (the struct's name) and ``data`` (its
    fields by name, prices in ten-thousandths, bytes in base64).  A turn without records is one line whose ``table``,
    ``record`` and ``data`` are null, so that the turns of an export are gapless too.  To append to an earlier export
    pass what it returned.  Raises ``JournalError``.
    """
    last = after
    with JournalReader(path, snapshot=True) as reader:
        for turn in reader.turns(after):
            head = {"turn": turn.turn, "epoch": turn.epoch, "at_ns": turn.at_ns, "hash": turn.hash.hex()}
            for record in turn.records() or (None,):
                stream.write(msgspec.json.encode(head | _body(record)).decode() + "\n")
            last = turn.turn
    return last


def _body(record: msgspec.Struct | None) -> dict[str, Any]:
    if record is None:
        return {"table": None, "record": None, "data": None}
    return {"table": TABLE_OF[type(record)].name, "record": type(record).__name__, "data": named(record)}


def named(value: Any) -> Any:
    """The value as plain JSON types, structs as objects with field names."""
    match value:
        case msgspec.Struct():
            return {field: named(getattr(value, field)) for field in value.__struct_fields__}
        case Enum():
            return value.value
        case bytes():
            return b64encode(value).decode()
        case tuple() if hasattr(value, "_asdict"):
            return {field: named(item) for field, item in value._asdict().items()}
        case tuple() | list():
            return [named(item) for item in value]
        case frozenset() | set():
            return sorted(named(item) for item in value)
        case dict():
            return {str(named(key)): named(item) for key, item in value.items()}
        case _:
            return value
