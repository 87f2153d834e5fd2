"""The ``demo`` command."""

from __future__ import annotations

import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.live import Live

from cli.demo import report
from cli.demo.stage import Scene, Script, Stage
from cli.options import AsJson
from cli.problems import BadInput
from cli.render import console, print_json
from cli.venue import HowNasty, QuotesFile
from venue.audit import audit, passed
from venue.audit import report as audit_report

# Hedges, shorts that wait for protection, and exits: a demonstration of the usual size always has them, and one that
# has none has not shown what it is for.  A smaller one may lack occasion.
BY_CHANCE = ("I5", "I6", "I7", "I8", "I9", "I27")
USUAL_GROUPS = 20
RARE = ("I15",)  # an answer must be lost for good; no size makes sure of that


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    quotes: QuotesFile = None,
    seed: Annotated[int, typer.Option(help="Picks the groups, the made-up chain, and the misbehaviour.")] = 1,
    groups: Annotated[
        int, typer.Option(min=1, max=500, help="How many order groups, beside those of the trials.")
    ] = 20,
    truth: Annotated[Path | None, typer.Option(metavar="FILE", help="Keep the exchange's own record here.")] = None,
    journal: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep the journals here; must be new.")] = None,
    nasty: Annotated[HowNasty, typer.Option(help="How badly the exchange behaves.")] = HowNasty.SOME,
    speed: Annotated[float, typer.Option(min=0.1, help="Exchange seconds per real second.")] = 10.0,
    as_json_document: AsJson = False,
) -> None:
    """Watch the main job: groups fill while a cell and the gateway are killed under them, and every one ends whole.

    Starts the embedded exchange and the system, submits order groups, kills processes with SIGKILL while groups are
    half filled, gives each safeguard something to do, and ends with a table and the verdict of an independent check of
    the exchange's own record.  The exit status is 0 only if every group ended certified, no invariant was broken, and,
    from 20 groups on, every safeguard acted.

    \b
    Example:
      python run_system.py demo --groups 40 --nasty full --quotes option_usa_minute_goog_20151224_quote_american.zip
    """
    if journal is not None and journal.exists() and not journal.is_dir():
        raise BadInput(f"--journal {journal} is not a directory")
    if journal is not None and journal.exists() and any(journal.iterdir()):
        raise BadInput(f"--journal {journal} is not empty: a demonstration needs a new directory")
    if truth is not None and truth.exists():
        raise BadInput(f"--truth {truth} exists: a demonstration needs a new file")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)  # so that nothing is left behind
    scratch = Path(tempfile.mkdtemp(prefix="legkeeper-demo-"))
    try:
        script = Script(
            quotes=quotes,
            seed=seed,
            groups=groups,
            truth=truth or scratch / "truth.jsonl",
            scratch=scratch,
            journal=journal or scratch / "journal",
            nasty=nasty.value,
            speed=speed,
            admin_port=free_port(),
            metrics_port=free_port(),
        )
        status = _play(script, as_json_document=as_json_document)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    raise typer.Exit(status)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _play(script: Script, *, as_json_document: bool) -> int:
    try:
        if as_json_document or not sys.stdout.isatty():
            stage = Stage(script, _Told(quiet=as_json_document))
            end = stage.play()
        else:
            screen = console()
            with Live(console=screen, refresh_per_second=10, transient=True) as live:
                stage = Stage(script, lambda scene: live.update(report.progress(scene, script.groups, screen.height)))
                end = stage.play()
    except ValueError as error:
        raise BadInput(str(error)) from None
    found = report.lines(script.journal, end.survived)
    findings = audit(
        script.truth, script.journal, allow_empty=RARE + (BY_CHANCE if script.groups < USUAL_GROUPS else ())
    )
    wanted = {plan.group_id for plan in stage.plans}
    certified = wanted == {line.group for line in found} and all(line.outcome != "open" for line in found)
    idle = [name for name, times in stage.acted.items() if not times]
    good = certified and passed(findings) and (not idle or script.groups < USUAL_GROUPS)
    if as_json_document:
        print_json(report.document(found, end.kills, stage.refused, findings, stage.acted) | {"ok": good})
        return 0 if good else 1
    report.print_end(console(), found, end.kills, stage.refused)
    report.print_safeguards(console(), stage.acted)
    for line in audit_report(findings):
        console().print(line, highlight=False, markup=False)
    verdict = (
        f"{'every group' if certified else 'NOT every group'} ended certified, and "
        f"{'no invariant was broken' if passed(findings) else 'an invariant was BROKEN or could not be checked'}"
        f"{'; did not act: ' if idle else ''}{', '.join(idle)}"
    )
    console().print(verdict, style="bold green" if good else "bold red")
    return 0 if good else 1


class _Told:
    """One line per change, for a terminal that is a file."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet, self._before, self._told = quiet, "", 0

    def __call__(self, scene: Scene) -> None:
        if self._quiet:
            return
        for event in scene.events[self._told :]:
            typer.echo(event)
        self._told = len(scene.events)
        ended = sum(record.outcome.value != "open" for record in scene.records.values())
        text = f"{ended} of {len(scene.records)} submitted groups ended"
        if text != self._before:
            self._before = text
            typer.echo(f"{scene.elapsed_s:4.1f} s  {text}")


def free_port() -> int:
    """A port of the loopback interface that nothing uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
