"""Records and values as MessagePack ``[version, body]``, readable with any MessagePack library.

A record is ``[struct name, field, field, ...]`` in the order of ``messages/records.py``; enums are their values.
"""

from __future__ import annotations

from typing import Any

import msgspec

from messages.records import Record
from storage.port import JournalCorrupt, JournalNewer

VERSION = 1


class _Envelope(msgspec.Struct, array_like=True):
    version: int
    body: msgspec.Raw


_ENCODER = msgspec.msgpack.Encoder(order="deterministic")  # equal values are equal bytes, sets and dicts included
_OPEN = msgspec.msgpack.Decoder(_Envelope)
_RECORDS = msgspec.msgpack.Decoder(tuple[Record, ...])
_DECODERS: dict[type[Any], msgspec.msgpack.Decoder[Any]] = {}


def encode_records(records: tuple[Record, ...]) -> bytes:
    """The payload of a turn."""
    return _ENCODER.encode((VERSION, records))


def decode_records(payload: bytes) -> tuple[Record, ...]:
    """The records of a payload, in order.  Raises ``JournalNewer`` and ``JournalCorrupt``."""
    body = _body(payload)
    try:
        return _RECORDS.decode(body)
    except msgspec.DecodeError as error:
        raise JournalCorrupt(f"a turn's payload does not hold records: {error}") from error


def encode_value(value: object) -> bytes:
    """A struct for a BLOB column."""
    return _ENCODER.encode((VERSION, value))


def decode_value(data: bytes, of: type[Any]) -> Any:
    """The struct of a BLOB column.  Raises ``JournalNewer`` and ``JournalCorrupt``."""
    body = _body(data)
    decoder = _DECODERS.get(of) or _DECODERS.setdefault(of, msgspec.msgpack.Decoder(of))
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        raise JournalCorrupt(f"a column does not hold a {of.__name__}: {error}") from error


def _body(data: bytes) -> msgspec.Raw:
    try:
        envelope = _OPEN.decode(data)
    except msgspec.DecodeError as error:
        raise JournalCorrupt(f"not a payload of this journal: {error}") from error
    if envelope.version > VERSION:
        raise JournalNewer(
            f"a payload has version {envelope.version}, this legkeeper reads up to {VERSION}: use the newer legkeeper"
        )
    return envelope.body
