"""``python -m simulation kill-campaign``: the real system in real processes, killed, frozen and starved.

A cycle submits groups, does one or two things of :mod:`simulation.havoc`, waits until every group has ended, looks for
processes that should not be there, and audits the journals against the exchange's record.  A round is so many cycles on
one exchange; it ends with an orderly stop, a scan for left-over processes, and the audit of everything at rest.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.problems import CommandFailed
from simulation.bench import Bench, id_in_cell, plan, wait_for
from simulation.havoc import FAULTS, Fault, Site, tmpfs
from simulation.host_clock import tidy
from simulation.options import directory_of
from simulation.totals import markdown
from simulation.zombies import senders, twice
from storage.durable import replace
from venue.audit import CHECKS, audit, passed, report
from venue.child import VenueChild

SPEED = 20
ROUND = 20  # cycles on one exchange: longer ones make the audits long
END_DEADLINE_S = 90.0  # for the groups of a cycle to end, whatever was done to them
FAILURES = (AssertionError, CommandFailed, OSError, RuntimeError, ValueError, subprocess.TimeoutExpired)
SUPERVISION = {"intensity": 1_000, "heartbeat_timeout_ms": 2_000}  # no budget is spent by what is done on purpose
out, err = Console(), Console(stderr=True)


class Broken(msgspec.Struct, frozen=True):
    """A cycle that went wrong: what was done, what was found, and where the evidence lies."""

    cycle: int
    faults: tuple[str, ...]
    text: str
    evidence: str


class Summary(msgspec.Struct, kw_only=True):
    """All that was done so far; a campaign that is started again goes on behind it."""

    seed: int
    cycles: int = 0
    rounds: int = 0
    groups: int = 0
    seconds: float = 0.0
    faults: dict[str, int] = {}  # how often each was tried
    struck: dict[str, int] = {}  # and how often it struck: who was aimed at was there, and the call failed
    outcomes: dict[str, int] = {}
    not_possible: dict[str, str] = {}
    violations: list[Broken] = []

    def counts(self) -> list[tuple[str, str, int, int]]:
        """Of each fault: its name, what it does, how often it was tried, and how often it struck."""
        return [(one.name, one.about, self.faults.get(one.name, 0), self.struck.get(one.name, 0)) for one in FAULTS]

    def markdown(self) -> str:
        """For a person."""
        begin = (
            f"{self.cycles} cycles in {self.rounds} rounds, {self.groups} groups, {self.seconds / 60:.0f} minutes, "
            f"seed {self.seed}, {len(self.violations)} violations."
        )
        return "\n".join(["# Kill campaign", "", begin, "", *self.table()]) + "\n"

    def table(self) -> list[str]:
        """What was done, and what came of it, in Markdown."""
        return [
            *markdown(("fault", "what", "tried", "struck"), self.counts()),
            *(f"Not possible here: {name}: {why}." for name, why in self.not_possible.items()),
            "Ends of the groups: "
            + ", ".join(f"{name} {count}" for name, count in sorted(self.outcomes.items()))
            + ".",
            "",
            *(f"- cycle {b.cycle} ({', '.join(b.faults)}): {b.text} (evidence: {b.evidence})" for b in self.violations),
        ]


def kill_campaign(
    cycles: Annotated[int, typer.Option(help="How many in all; those of an earlier run with this seed count.")] = 1_000,
    minutes: Annotated[float, typer.Option(help="Stop after so long; 0: never.")] = 0,
    seed: Annotated[int, typer.Option(help="Of the faults and their moments.")] = 0,
    only: Annotated[str, typer.Option(help="Only these faults, comma separated.")] = "",
    to: Annotated[Path, typer.Option(help="Where summary and evidence go.")] = Path("run/kill-campaign"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")] = False,
) -> None:
    """Kill the real system in every way; exit status 1 when anything was violated."""
    names = {fault.name for fault in FAULTS}
    wanted = set(only.split(",")) if only else names
    if wanted - names:
        raise typer.BadParameter(f"--only: there are {', '.join(sorted(names))}")
    directory_of(to)
    campaign = Campaign(to, seed, [fault for fault in FAULTS if fault.name in wanted])
    until = time.monotonic() + minutes * 60 if minutes else float("inf")
    columns = (TextColumn("cycles"), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.fields[last]}"))
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("cycles", total=cycles, completed=campaign.summary.cycles, last="")
        while campaign.summary.cycles < cycles and time.monotonic() < until:
            for told in campaign.round(min(ROUND, cycles - campaign.summary.cycles), until):
                bar.update(task, completed=campaign.summary.cycles, last=told)
    if as_json:
        out.print_json(msgspec.json.encode(campaign.summary).decode())
    else:
        out.print(campaign.summary.markdown(), markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1 if campaign.summary.violations else 0)


class Campaign:
    """Rounds of cycles, and their summary on disk."""

    def __init__(self, to: Path, seed: int, faults: list[Fault]) -> None:
        self.to, self.faults = to, faults
        self.path = to / f"summary-{seed}.json"
        self.summary = Summary(seed=seed)
        if self.path.exists():
            self.summary = msgspec.json.decode(self.path.read_bytes(), type=Summary)

    def round(self, cycles: int, until: float) -> Iterator[str]:
        """So many cycles on one exchange; gives what was done, cycle by cycle."""
        done: tuple[str, ...] = ()
        with TemporaryDirectory(prefix="campaign-") as name, tmpfs(Path(name) / "journal") as has_tmpfs:
            directory = Path(name)
            arguments = (
                "--speed", str(SPEED), "--truth", str(directory / "truth.jsonl"), "--resume", "--hold",
                "--nasty", "some", "--seed", str(self.summary.seed + self.summary.rounds),
            )  # fmt: skip
            venue = VenueChild("--port", "0", *arguments, log=directory / "venue.log")
            bench = Bench(directory, venue, SUPERVISION)
            try:
                site = Site(bench, arguments, has_tmpfs=has_tmpfs)
                site.system.wait_until_open()
                for _ in range(cycles):
                    if time.monotonic() > until:
                        break
                    began = time.monotonic()
                    random = Random(f"{self.summary.seed}/{self.summary.cycles}")  # noqa: S311 - repeatable, not secret
                    drawn = self._draw(site, random)
                    done = tuple(fault.name for fault in drawn)
                    ended = self._cycle(site, drawn, random)
                    self._count(done, ended, time.monotonic() - began)
                    yield " + ".join(done)
                self._finish(site)
            except FAILURES as error:
                self._broken(done, f"{type(error).__name__}: {error}", directory)
                yield "violation"
            finally:
                bench.close()
                tidy(bench.launched)
                assert bench.venue is not None
                bench.venue.stop()
        self.summary.rounds += 1
        self._save()

    def _draw(self, site: Site, random: Random) -> list[Fault]:
        able = []
        for fault in self.faults:
            reason = fault.able(site)
            if reason:
                self.summary.not_possible[fault.name] = reason
            else:
                able.append(fault)
        return random.sample(able, min(len(able), random.choice((1, 1, 2))))

    def _cycle(self, site: Site, faults: list[Fault], random: Random) -> dict[str, int]:
        number = self.summary.cycles
        names = [id_in_cell(cell, f"c{number}x{cell}") for cell in random.choice(((0, 1), (0,), (0, 1)))]
        for name in names:
            _submit(site, name, random.choice((5, 20, 30)))
        for fault in faults:
            time.sleep(random.uniform(0, 0.4))
            if fault.act(site, random):
                self.summary.struck[fault.name] = self.summary.struck.get(fault.name, 0) + 1
        site.mend()
        outcomes = wait_for(lambda: _ended(site, names), f"the outcomes of {names}", END_DEADLINE_S)
        _whole(site)
        assert not (zombies := twice(senders(site.bench))), f"gateways {zombies} sent beside their successors"
        self._audit(site, at_rest=False)
        return Counter(outcomes)

    def _finish(self, site: Site) -> None:
        site.mend()
        _whole(site)
        wait_for(lambda: _everybody(site), "the whole system to run before it is stopped")
        site.system.stop()
        assert site.bench.venue is not None
        site.bench.venue.stop()
        self._audit(site, at_rest=True)

    def _audit(self, site: Site, *, at_rest: bool) -> None:
        findings = audit(site.bench.truth_path, site.bench.journal_dir, at_rest=at_rest, allow_empty=CHECKS.keys())
        bad = [finding for finding in findings if not finding.passed]
        assert passed(findings), "\n".join(report(bad, 3))

    def _count(self, done: tuple[str, ...], ended: dict[str, int], seconds: float) -> None:
        summary = self.summary
        summary.cycles += 1
        summary.seconds += seconds
        summary.groups += sum(ended.values())
        for counts, found in ((summary.faults, Counter(done)), (summary.outcomes, Counter(ended))):
            for name, count in found.items():
                counts[name] = counts.get(name, 0) + count
        self._save()

    def _broken(self, done: tuple[str, ...], text: str, directory: Path) -> None:
        evidence = self.to / f"violation-{self.summary.seed}-{self.summary.cycles}"
        shutil.rmtree(evidence, ignore_errors=True)
        with contextlib.suppress(shutil.Error):  # sockets are not copied
            shutil.copytree(directory, evidence)
        self.summary.violations.append(Broken(self.summary.cycles, done, text, str(evidence)))
        self._count(done, {}, 0.0)
        err.print(f"cycle {self.summary.cycles - 1} ({', '.join(done)}): {text}", markup=False, highlight=False)

    def _save(self) -> None:
        replace(self.path, msgspec.json.format(msgspec.json.encode(self.summary)) + b"\n")
        self.path.with_suffix(".md").write_text(self.summary.markdown())


def _submit(site: Site, name: str, quantity: int) -> None:
    """Hand a plan over, again while nobody takes it: cells may be on their way back."""

    refusals = [""]

    def taken() -> bool:
        site.mend()
        try:
            site.system.submit(plan(name, quantity))
        except CommandFailed as error:
            refusals.append(str(error))
            return any(group.group_id == name for group in site.bench.groups())
        return True

    try:
        wait_for(taken, f"group {name} to be accepted")
    except AssertionError as error:
        raise AssertionError(f"{error}; the last refusal: {refusals[-1]}") from None


def _ended(site: Site, names: list[str]) -> list[str]:
    site.mend()
    return [outcome.value for outcome in site.bench.certified(*names).values()]


def _everybody(site: Site) -> bool:
    running = site.system.processes()
    return bool(running) and all(process.get("pid") for process in running.values())


def _whole(site: Site) -> None:
    """Everybody runs, and nobody else: as many processes as the status tells, and program, admin and root."""

    def balanced() -> bool:
        running = site.system.processes()
        pids = {int(process["pid"]) for process in running.values() if process.get("pid")}
        return bool(pids) and pids <= set(left := site.bench.left()) and len(left) <= len(running) + 4

    wait_for(balanced, "as many processes as the status tells")
