"""The SQL of the journal, from the ``.sql`` files beside this module: named queries and numbered migrations."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

import msgspec

_HEADING = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


class Migration(msgspec.Struct, frozen=True):
    """One step of the schema; ``name`` is the file's name."""

    version: int
    name: str
    sql: str


@cache
def queries() -> dict[str, str]:
    """Every query of ``queries.sql`` by the name in its ``-- name:`` line."""
    parts = _HEADING.split((files("storage") / "queries.sql").read_text("utf-8"))
    return dict(zip(parts[1::2], (text.strip() for text in parts[2::2]), strict=True))


@cache
def migrations() -> tuple[Migration, ...]:
    """All migrations; number n is at index n - 1.  Raises ``RuntimeError`` (our bug) when a number is missing."""
    found = sorted(entry.name for entry in (files("storage") / "migrations").iterdir() if entry.name.endswith(".sql"))
    steps = tuple(
        Migration(int(name[:4]), name, (files("storage") / "migrations" / name).read_text("utf-8")) for name in found
    )
    if [step.version for step in steps] != list(range(1, len(steps) + 1)):
        raise RuntimeError(f"migrations are not numbered from 0001 without a gap: {found}")
    return steps


def schema_version() -> int:
    """The schema that this program writes."""
    return len(migrations())
