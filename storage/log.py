"""The log: numbered turns, each bound to all turns before it by a hash (I19)."""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

from messages.records import Record
from storage.codec import decode_records, encode_records
from storage.port import Turn

GENESIS = bytes(32)  # what turn 1 is bound to


class Head(NamedTuple):
    """Where the log ends: the number and the hash of its last turn."""

    turn: int
    hash: bytes


EMPTY = Head(0, GENESIS)


class StoredTurn(NamedTuple):
    """One row of table ``turns``, in the order of its columns."""

    turn: int
    epoch: int
    at_ns: int
    payload: bytes
    prev_hash: bytes
    hash: bytes

    @property
    def head(self) -> Head:
        """The end of a log whose last turn this is."""
        return Head(self.turn, self.hash)

    def records(self) -> tuple[Record, ...]:
        """The turn's records, in order.  Raises ``JournalNewer`` and ``JournalCorrupt``."""
        return decode_records(self.payload)

    def continues(self, head: Head) -> bool:
        """Whether this is the very turn that was written after ``head``."""
        return (self.turn, self.prev_hash) == (head.turn + 1, head.hash) and self.hash == link(
            self.prev_hash, self.turn, self.epoch, self.at_ns, self.payload
        )


def link(prev_hash: bytes, turn: int, epoch: int, at_ns: int, payload: bytes) -> bytes:
    """The hash of a turn: BLAKE2b-256 over the parts in this order, integers as 8 bytes, big-endian, signed."""
    digest = blake2b(prev_hash, digest_size=32)
    for number in (turn, epoch, at_ns):
        digest.update(number.to_bytes(8, "big", signed=True))
    digest.update(payload)
    return digest.digest()


def stored(turn: Turn, head: Head) -> StoredTurn:
    """The turn as the row that follows ``head``."""
    number = head.turn + 1
    payload = encode_records(turn.records)
    digest = link(head.hash, number, turn.epoch, turn.at_ns, payload)
    return StoredTurn(number, turn.epoch, turn.at_ns, payload, head.hash, digest)
