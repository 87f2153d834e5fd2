"""``journal verify|explain|export|archive``: what the journals prove, tell, hand over, and leave behind."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from io import TextIOBase
from pathlib import Path
from typing import Annotated, TextIO, cast

import msgspec
import typer

from cli import journals
from cli.options import AsJson, ConfigFile, configuration
from cli.problems import CommandFailed
from cli.render import print_json, print_lines
from config.paths import ARCHIVE_DIR, gateway_journal_path
from config.schema import MOST_DAYS
from storage import explain as story
from storage.archive import Archived
from storage.archive import archive as write_archive
from storage.export import export as write_lines
from storage.port import JournalError
from storage.verify import Report
from storage.verify import verify as check

DAY_NS = 86_400 * 10**9


def register(app: typer.Typer) -> None:
    """Add the commands."""
    family = typer.Typer(help="Check, explain, export and archive the journals.")
    family.command("verify")(verify)
    family.command("explain")(explain)
    family.command("export")(export)
    family.command("archive")(archive)
    app.add_typer(family, name="journal", rich_help_panel=None)


def verify(config: ConfigFile = None, as_json_document: AsJson = False) -> None:
    """Check that every journal is what was written.

    The file itself, its hash chain, and the tables against the log.  Status 1 when one is damaged.

    \b
    Example:
      python run_system.py journal verify
    """
    settings = configuration(config)
    reports = [_checked(path) for path in journals.audited(settings)]
    reports += [_unreadable(path, problem) for path, problem in journals.missing(settings)]
    if as_json_document:
        print_json([msgspec.structs.asdict(report) | {"ok": report.ok} for report in reports])
    else:
        print_lines(line for report in reports for line in report.lines())
    damaged = [report.path for report in reports if not report.ok]
    if damaged:
        raise CommandFailed(f"not intact: {', '.join(damaged)}; keep the files as they are and read the problems above")


def _checked(path: Path) -> Report:
    """One journal that cannot be read must not hide the others."""
    try:
        return check(path)
    except JournalError as error:
        return _unreadable(path, str(error))


def _unreadable(path: Path, problem: str) -> Report:
    return Report(path=str(path), turns=0, epochs=0, records=0, rows=0, first_bad_turn=None, problems=(problem,))


def explain(
    group: Annotated[str, typer.Argument(metavar="GROUP", help="The group's id.")],
    config: ConfigFile = None,
    as_json_document: AsJson = False,
) -> None:
    """Tell the story of one group.

    Every decision, why it was taken, what was sent, and what came of it.

    \b
    Example:
      python run_system.py journal explain bull-put-1
    """
    settings = configuration(config)
    with journals.holding(settings, group) as reader:
        path = reader.path
    chapters = story.explain(path, group)
    refusals = gateway_journal_path(settings.system.journal_dir)
    if refusals.exists():
        chapters = story.in_order([*chapters, *story.explain(refusals, group)])
    if as_json_document:
        print_json(chapters)
    else:
        print_lines(story.render(chapters))


def export(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write to this file; without it, to the screen."),
    ] = None,
    config: ConfigFile = None,
    as_json_document: AsJson = False,
) -> None:
    """Write the whole audit log as JSON Lines.

    One object per record, with its journal, turn and hash; nothing is left out.  With --json it is one array instead.

    \b
    Example:
      python run_system.py journal export -o audit.jsonl
    """
    settings = configuration(config)
    paths = {journals.name_of(settings, path): path for path in journals.audited(settings)}
    if output is None:
        _write(paths, sys.stdout, as_json_document)
        return
    try:
        with output.open("x", encoding="utf-8") as stream:
            _write(paths, stream, as_json_document)
    except FileExistsError:
        raise CommandFailed(f"{output} exists and is left alone; name another file") from None
    except OSError as error:
        raise CommandFailed(f"{output} cannot be written: {error.strerror or error}") from None


def _write(paths: dict[str, Path], stream: TextIO, as_json_document: bool) -> None:
    lines = _Named(stream, as_array=as_json_document)
    for name, path in paths.items():
        lines.journal = name
        write_lines(path, cast(TextIO, lines))
    lines.end()


class _Named(TextIOBase):
    """Passes lines of JSON on, each with the name of its journal put first; as an array when asked to."""

    def __init__(self, stream: TextIO, *, as_array: bool) -> None:
        self.journal = ""
        self._stream = stream
        self._as_array = as_array
        self._before = "[\n" if as_array else ""

    def write(self, text: str) -> int:
        """Takes whole lines, each one object."""
        for line in text.splitlines():
            name = msgspec.json.encode(self.journal).decode()
            self._stream.write(f'{self._before}{{"journal":{name},{line[1:]}' + ("" if self._as_array else "\n"))
            self._before = ",\n" if self._as_array else ""
        return len(text)

    def end(self) -> None:
        """Close the array."""
        if self._as_array:
            self._stream.write("[]\n" if self._before == "[\n" else "\n]\n")


def archive(
    config: ConfigFile = None,
    keep_days: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_DAYS, metavar="DAYS", help="Instead of retention.keep_days (broker time)."),
    ] = None,
    as_json_document: AsJson = False,
) -> None:
    """Move what is long over out of the journals, while the system is stopped.

    Each journal is verified and copied whole to archive/ in the journal directory; then groups that have ended, hold
    nothing and were not changed for so long leave it.  Their ids stay taken.  Stop the system first; a good time is
    after the close, once a week.

    \b
    Example:
      python run_system.py journal archive --keep-days 30
    """
    settings = configuration(config)
    keep_ns = (keep_days or settings.retention.keep_days) * DAY_NS
    place = Path(settings.system.journal_dir) / ARCHIVE_DIR / datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ")
    done: list[Archived] = []
    for path in journals.audited(settings):
        try:
            found = write_archive(path, place / journals.name_of(settings, path), keep_ns)
        except JournalError as error:
            raise CommandFailed(str(error)) from None
        done += [found] if found else []
    if as_json_document:
        print_json([msgspec.structs.asdict(one) for one in done])
        return
    print_lines(
        f"{one.path}: {one.groups} groups and {one.turns} turns are in {one.file}; {_mb(one.bytes_before)} became "
        f"{_mb(one.bytes_after)}"
        for one in done
    )
    if not done:
        print_lines(["nothing is over for so long; the journals stay as they are"])


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
