"""What was measured, for people: a table for the terminal, and one for the README."""

from __future__ import annotations

import os
import platform
import sysconfig
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from benchmarks.measuring import Measured

BEGIN, END = "<!-- figures: written by `make bench` with --readme -->", "<!-- end of figures -->"


def machine() -> dict[str, object]:
    """What the figures were measured on, and when."""
    cores, load = os.cpu_count(), os.getloadavg()[0]
    return {
        "date": datetime.now(UTC).date().isoformat(), "cores": cores, "processor": _processor(),
        "python": f"{platform.python_version()}, {_build()}",
        "kernel": platform.release(), "load_before": round(load, 2),
    }  # fmt: skip


def _build() -> str:
    """How the interpreter was made: without profile-guided optimisation all of it is some tenths slower."""
    made = sysconfig.get_config_var("CONFIG_ARGS") or ""
    return "optimised build" if "--enable-optimizations" in made else "build without optimisation"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def table(results: list[Measured]) -> Table:
    """The results for a terminal."""
    found = Table("figure", "median", "least - most", "ours is … x as good", "to reach")
    before = ""
    for row in results:
        if row.key != before:
            found.add_section()
            found.add_row(f"[bold]{row.key}[/] {heading(row)}")
        before = row.key
        ratio = "" if row.ratio is None else number(row.ratio)
        found.add_row(f"  {who(row)}", *_numbers(row), ratio, verdict(row))
    return found


def markdown(results: list[Measured], on: dict[str, object]) -> str:
    """The results for the README, between its two marks."""
    lines = [
        BEGIN,
        measured_on(on),
        "",
        "| figure | median | least - most | ours is … x as good | to reach |",
        "|---|---|---|---|---|",
    ]
    before = ""
    for row in results:
        if row.key != before:
            lines.append(f"| **{row.key}** {heading(row)} | | | | |")
        before = row.key
        ratio = "" if row.ratio is None else number(row.ratio)
        lines.append("| " + " | ".join((who(row), *_numbers(row), ratio, verdict(row))) + " |")
    return "\n".join([*lines, END])


def measured_on(on: dict[str, object]) -> str:
    """When and where, in a sentence."""
    return (
        f"Measured on {on['date']} on {on['cores']} cores ({on['processor']}), Python {on['python']}, with a load of "
        f"{on['load_before']} before it began."
    )


def write_into(page: Path, text: str) -> None:
    """Put the table into its place in a page.  Raises ``ValueError`` when the page has no place for it."""
    content = page.read_text()
    start, end = content.find(BEGIN), content.find(END)
    if start < 0 or end < start:
        raise ValueError(f"{page} has no place for the figures: it needs the lines {BEGIN} and {END}")
    page.write_text(content[:start] + text + content[end + len(END) :])


def heading(row: Measured) -> str:
    """What is measured, and in what."""
    return f"{row.title} ({row.unit})" if row.unit else row.title


def who(row: Measured) -> str:
    """The contender, and which of its numbers."""
    return f"{row.name}, {row.part}" if row.part else row.name


def verdict(row: Measured) -> str:
    """What was to be reached, and whether it was."""
    if row.met is None:
        return row.reach
    return f"{row.reach} {'met' if row.met else 'MISSED'}"


def number(value: float) -> str:
    """Three significant digits or whole numbers."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _numbers(row: Measured) -> tuple[str, str]:
    if row.missing:
        return row.missing, ""
    return number(row.median), f"{number(min(row.rounds))} - {number(max(row.rounds))}"
