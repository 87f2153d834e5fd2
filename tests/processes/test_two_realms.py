"""Live and paper beside each other in real processes: each group at its own exchange, whatever happens to the other."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from system import Bench, System, bench, free_port, plan, wait_for

from cli import control
from cli.problems import CommandFailed
from config.paths import TRUTH, kill_switch_path, paper_dir
from domain.groups import GroupOutcome, group_part, group_tag
from domain.rollout import Realm, realm_for, realm_of_cell, realm_of_order
from domain.strategies import strategy_group_id
from messages.records import GroupRecord
from storage.port import JournalError
from storage.reader import JournalReader
from venue.audit import CHECKS, audit, passed, report
from venue.truth import TruthEvent, read_truth

WEEKLY = """
[[strategy]]
name = "weekly-0"
kind = "bull_put"
underlying = "LEGK"
quantity = 2
short_distance_pct = 3
width = 15
profit_target_pct = 100
adjust_within_pct = 0
"""
MUST_HAVE_CASES = {"I1", "I2", "I3", "I4", "I12", "I19", "I29", "I30", "OUTCOME"}


class Paper:
    """The paper realm of a bench."""

    def __init__(self, where: Bench) -> None:
        self.journal_dir = paper_dir(where.journal_dir)
        self.truth_path = self.journal_dir / TRUTH

    def groups(self) -> list[GroupRecord]:
        """All groups on paper."""
        found: list[GroupRecord] = []
        for path in sorted(self.journal_dir.glob("cell-*.db")):
            with contextlib.suppress(JournalError), JournalReader(path) as reader:
                found += reader.groups()
        return found

    def truth(self) -> list[TruthEvent]:
        """What happened at the paper exchange."""
        return list(read_truth(self.truth_path)) if self.truth_path.exists() else []


@contextlib.contextmanager
def rollout(
    directory: Path, share: int, mode: str = "rollout", quotes: str = "replay"
) -> Iterator[tuple[Bench, Paper]]:
    """A bench whose system works on both sides; its venue is the live one."""
    with bench(directory) as where:
        with where.config_path.open("a") as file:
            file.write(f'[rollout]\nmode = "{mode}"\nlive_share_pct = {share}\n')
            file.write(f'[paper]\nport = {free_port()}\nquotes = "{quotes}"\n')
            if quotes == "replay":
                file.write("replay_speed = 20\n")
        yield where, Paper(where)


def ids(realm: Realm, share: int, count: int, word: str = "group") -> list[str]:
    """Group ids that this share sends there."""
    return [name for n in range(1000) if realm_for(name := f"{word}-{n}", share) is realm][:count]


def wait_until_open(system: System, *names: str) -> None:
    for name in names or ("cell-0", "cell-1", "paper-cell-25", "paper-cell-26"):
        system.wait_for_state(name, "open")


def ended(where: Bench, paper: Paper, *group_ids: str) -> dict[str, GroupRecord]:
    """Wait until all of them have ended, wherever they are."""

    def found() -> dict[str, GroupRecord]:
        records = {g.group_id: g for g in (*where.groups(), *paper.groups()) if g.group_id in group_ids}
        over = len(records) == len(group_ids) and all(g.outcome is not GroupOutcome.OPEN for g in records.values())
        return records if over else {}

    return wait_for(found, f"the ends of {group_ids}")


def traded(truth: list[TruthEvent]) -> set[str]:
    """The tags of the groups whose orders this exchange has seen."""
    return {group_part(event.client_order_id) for event in truth if event.client_order_id}


def verify(where: Bench, paper: Paper) -> None:
    """Each realm's journals against its own exchange's record, and no order at the wrong one."""
    for journal_dir, truth in ((where.journal_dir, where.truth_path), (paper.journal_dir, paper.truth_path)):
        findings = audit(truth, journal_dir, allow_empty=CHECKS.keys() - MUST_HAVE_CASES)
        assert passed(findings), "\n".join(report(findings))
    orders = {Realm.LIVE: where.truth(), Realm.PAPER: paper.truth()}
    for realm, events in orders.items():
        assert {realm_of_order(e.client_order_id) for e in events if e.client_order_id} == {realm}
    assert not any(alert["kind"] == "WRONG_REALM" for alert in where.alerts())


def stop(where: Bench, system: System) -> None:
    system.stop()
    assert where.venue is not None
    where.venue.stop()


def test_each_group_goes_to_its_own_side_and_a_lower_share_lets_live_groups_finish(tmp_path: Path) -> None:
    live, papers = ids(Realm.LIVE, 50, 4), ids(Realm.PAPER, 50, 4)
    assert len(live) == len(papers) == 4
    slow, late = live[0], ids(Realm.LIVE, 50, 2, "late")
    weekly = strategy_group_id("weekly-0", 1, (2, 2))
    assert realm_for(weekly, 50) is Realm.PAPER, "the strategy is handed over before it enters"
    with rollout(tmp_path, share=50) as (where, paper):
        with where.config_path.open("a") as file:
            file.write(WEEKLY)
        system = where.start()
        wait_until_open(system)
        system.submit(*(plan(name, 2) for name in (*live[1:], *papers)))
        # A large live group is under way when the share goes to 0
        system.submit(plan(slow, 200))
        wait_for(
            lambda: any(g.group_id == slow and g.outcome is GroupOutcome.OPEN for g in where.groups()), "it to be open"
        )
        told = control.ask(where.journal_dir, control.rollout(0, "maria", "a drill"))
        assert told["text"].startswith("0 % of the new groups go live")
        system.submit(*(plan(name, 2) for name in late))
        # What is submitted again stays where it is
        refusal = control_refusal(where, plan(slow, 200))
        assert "has been submitted before" in refusal
        records = ended(where, paper, *live, *papers, *late)
        assert {name: realm_of_cell(record.cell) for name, record in records.items()} == {
            **dict.fromkeys(live, Realm.LIVE),
            **dict.fromkeys((*papers, *late), Realm.PAPER),
        }
        assert {record.outcome for record in records.values()} == {GroupOutcome.HEDGED}
        wait_for(lambda: any("0 %" in a["text"] for a in where.alerts() if a["kind"] == "ROLLOUT_SHARE"), "the news")
        # The strategy's first group was not its live side's to enter; a stop reaches both sides
        wait_for(lambda: strategies(where)["paper"]["status"] == "open", "the strategy to hold its vertical on paper")
        assert strategies(where)["live"]["reason"] == "its next group is entered on paper"
        told = control.ask(where.journal_dir, control.strategy("weekly-0", run=False))
        assert told["text"].startswith("live: strategy weekly-0 is stopped; it holds nothing; paper: ")
        wait_for(lambda: strategies(where)["paper"]["status"] == "flat", "it to be closed there")
        assert {row["standing"] for row in strategies(where).values()} == {"stopped"}
        # The share outlives the system
        system.stop()
        system = where.start()
        wait_until_open(system)
        after = ids(Realm.LIVE, 50, 1, "after")
        system.submit(plan(after[0], 2))
        assert realm_of_cell(ended(where, paper, *after)[after[0]].cell) is Realm.PAPER
        for name in ("reconciler", "paper-reconciler"):  # the paper exchange has come back with what it held
            system.wait_for_state(name, "balanced")
        assert any("0 % of the new groups go live" in a["text"] for a in where.alerts())
        stop(where, system)
        assert traded(where.truth()) == {group_tag(name) for name in live}
        assert traded(paper.truth()) == {group_tag(name) for name in (*papers, *late, *after, weekly)}
        verify(where, paper)


def strategies(where: Bench) -> dict[str, dict[str, Any]]:
    """The strategy's record in each realm."""
    rows = control.ask(where.journal_dir, control.strategies())["strategies"]
    return {realm_of_cell(row["record"]["cell"]).value: row["record"] for row in rows}


def control_refusal(where: Bench, one: object) -> str:
    try:
        control.ask(where.journal_dir, control.submit(one))  # type: ignore[arg-type]
    except CommandFailed as refused:
        return str(refused)
    return ""


def test_nothing_that_dies_on_paper_disturbs_the_live_side(tmp_path: Path) -> None:
    live, papers = ids(Realm.LIVE, 50, 2), ids(Realm.PAPER, 50, 2)
    with rollout(tmp_path, share=50) as (where, paper):
        system = where.start()
        wait_until_open(system)
        parts = ("gateway", "cells", "cell-0", "cell-1")
        pids = system.pids(*parts)
        system.submit(*(plan(name, 2) for name in papers))
        ended(where, paper, *papers)
        system.submit(*(plan(name, 100) for name in live))
        for name in ("paper-gateway", "paper-exchange", "paper-cells"):
            system.wait_until_replaced(name, system.kill(name))
        # The exchange itself, below its keeper
        before = system.pid_of("paper-exchange")
        os.kill(int(system.processes()["paper-exchange"]["detail"].split()[1]), signal.SIGKILL)
        system.wait_until_replaced("paper-exchange", before)
        records = ended(where, paper, *live)
        assert {record.outcome for record in records.values()} == {GroupOutcome.HEDGED}
        assert pids == system.pids(*parts)
        wait_until_open(system)
        system.wait_for_state("paper-reconciler", "balanced")
        assert not kill_switch_path(where.journal_dir).exists()
        assert not any(alert["severity"] == "CRITICAL" for alert in where.alerts() if "paper" not in alert["text"])
        stop(where, system)
        assert traded(where.truth()) == {group_tag(name) for name in live}


def test_paper_trades_on_the_live_brokers_quotes_and_stops_when_they_do(tmp_path: Path) -> None:
    """The live exchange stands still: on paper nothing is filled at a price of the past, and it goes on by itself."""
    papers = ids(Realm.PAPER, 50, 2)
    with rollout(tmp_path, share=50, quotes="live") as (where, paper):
        system = where.start()
        wait_until_open(system)
        system.submit(plan(papers[0], 2))
        ended(where, paper, papers[0])
        assert not traded(where.truth())
        assert where.venue is not None
        with where.venue.frozen():
            wait_for(
                lambda: any("paper" in a["text"] and a["kind"] == "BROKER_SILENT" for a in where.alerts()), "an alert"
            )
            refusal = control_refusal(where, plan(papers[1], 2))
            assert "new risk is not allowed" in refusal
            before = len(paper.truth())
        wait_for(lambda: not control_refusal(where, plan(papers[1], 2)), "the paper side to go on")
        ended(where, paper, papers[1])
        assert len(paper.truth()) > before
        stop(where, system)
        assert not traded(where.truth())
