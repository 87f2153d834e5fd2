"""How results look: rich tables for people, one JSON document for programs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from domain.money import to_decimal

PLAIN_WIDTH = 200  # of output that goes to a file or a pipe, so that nothing is cut there

STYLES = {
    "CRITICAL": "bold red",
    "WARNING": "yellow",
    "FAILED": "red",
    "HEDGED": "green",
    "COMPLETED": "green",
    "halted": "bold red",
    "hangs": "bold red",
    "hedged": "green",
    "running": "green",
    "not running": "yellow",
    "UNRESOLVED": "bold red",
}


def console() -> Console:
    """Standard output as it is now."""
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else PLAIN_WIDTH, highlight=False)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def print_lines(lines: Iterable[str]) -> None:
    """Plain lines on standard output, never wrapped or styled."""
    sys.stdout.writelines(f"{line}\n" for line in lines)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "") -> None:
    """A table; ``empty`` is said instead when there are no rows.  Numbers are set to the right."""
    body = [list(row) for row in rows]
    if not body:
        if empty:
            print_lines([empty])
        return
    table = Table(title=title, title_justify="left", title_style="bold")
    for index, column in enumerate(columns):
        numbers = all(isinstance(row[index], int) for row in body)
        table.add_column(column, justify="right" if numbers else "left", overflow="fold")
    for row in body:
        table.add_row(*(Text(str(cell), style=STYLES.get(str(cell), "")) for cell in row))
    console().print(table)


def when(at_ns: int) -> str:
    """A broker time for people, in UTC; "" for never."""
    return "" if not at_ns else f"{datetime.fromtimestamp(at_ns // 10**9, UTC):%Y-%m-%d %H:%M:%S}Z"


def money(amount: int) -> str:
    """A price or an amount for people, with two to four decimals."""
    text = f"{to_decimal(amount):,.4f}"
    return text[:-2] if text.endswith("00") else text


def price(value: int, otherwise: str = "") -> str:
    """A price, or ``otherwise`` when there is none."""
    return money(value) if value else otherwise
