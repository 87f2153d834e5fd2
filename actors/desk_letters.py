"""What a cell says to its Desk."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from actors.beside import OtherRealm
from actors.inprocess import InProcessSystem
from actors.turn import Turn
from messages.orders import News
from messages.records import Record
from storage.port import Journal


@dataclass(frozen=True, slots=True)
class DeskPost:
    """The first message of a Desk."""

    turn: Turn
    journal: Journal
    system: InProcessSystem
    beside: OtherRealm | None = None


class Mail(msgspec.Struct, frozen=True, tag=True):
    """What is new of orders, each with its id for the inbox (cell to Desk): one step for all of it."""

    items: tuple[tuple[str, News], ...]


class StepEnded(msgspec.Struct, frozen=True, tag=True):
    """The records of the step that has just ended (cell to Desk)."""

    records: tuple[tuple[str, Record], ...]


class ClockBehind(msgspec.Struct, frozen=True, tag=True):
    """The broker's clock is so many seconds behind the journal's (cell to Desk)."""

    seconds: int


class SnapshotTaken(msgspec.Struct, frozen=True, tag=True):
    """The step of a snapshot has ended (cell to Desk); ``contradicted``: what it did not show, or showed as foreign."""

    contradicted: tuple[str, ...]
