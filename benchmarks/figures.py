"""All that is measured: each figure with what it should reach and with its rivals."""

from __future__ import annotations

from benchmarks import cells, growth, limits, plain, simulator, whole
from benchmarks.cell import reports_per_second
from benchmarks.measuring import Contender, Figure, Reach, in_a_process_of_its_own, rival
from benchmarks.turns import margin_ms, memory_per_group, one_at_a_time, recovery_seconds

WAVE = 1_000  # reports in a batch


def figures(quick: bool) -> list[Figure]:
    """All that can be measured; ``quick`` does less of each."""
    return [*throughput(quick), *turns(quick), *whole_system(quick), *the_rest(quick)]


def throughput(quick: bool) -> list[Figure]:
    """Reports per second."""
    groups, many = (100, 1_000) if quick else (500, 10_000)
    processes, workflows = (4, 4) if quick else (12, 30)
    return [
        Figure("B2", f"broker reports, one cell, durable, {groups} groups", "reports/s", True, (
            Contender("legkeeper", lambda path: reports_per_second(path, groups)),
            Contender("plain way, commits of up to 64", lambda p: plain.reports_per_second(p, groups, 64), 1.0),
            Contender("plain way, commits of up to 1,000", lambda p: plain.reports_per_second(p, groups, 1_000)),
            Contender("plain way, a commit per event", lambda p: plain.reports_per_second(p, groups, 1)),
            Contender("Pykka, commits of up to 64", lambda p: rival("pykka", p, groups, WAVE, 64), 1.5),
            Contender("Pykka, a commit per event", lambda p: rival("pykka", p, groups // 4, WAVE, 1)),
            Contender(
                f"Thespian, a process per actor, commits of up to 64, {processes} groups",
                lambda p: rival("thespian", p, processes, WAVE, 64), 50,
            ),
            Contender(
                f"DBOS on SQLite, a workflow per report, {workflows} groups",
                lambda p: rival("dbos", p, workflows, WAVE, 1), 50,
            ),
            Contender("NautilusTrader, in memory", lambda p: rival("nautilus", p, groups, WAVE, 1), 2),
            Contender("limit: raw executemany, 1,000 a commit", lambda path: limits.raw_rows(path, groups)),
        ), {"": Reach(25_000)}),
        Figure("B3", f"broker reports, two cells, {groups} groups each", "reports/s", True, (
            Contender("two cells", lambda path: cells.reports_per_second(path, 2, groups)),
            Contender("one cell", lambda path: cells.reports_per_second(path, 1, groups), 1.5),
        )),
        Figure("B4", f"reports about 100 groups beside {many} that work, and beside none", "reports/s", True, (
            Contender(f"beside {many}", lambda path: reports_per_second(path, 100, many)),
            Contender("beside none", lambda path: reports_per_second(path, 100), 0.9),
        )),
    ]  # fmt: skip


def turns(quick: bool) -> list[Figure]:
    """What one thing costs."""
    singles, many = (200, 1_000) if quick else (1_000, 10_000)
    return [
        Figure("B1b", "a report in the mailbox to its intent durable, one at a time, p50", "µs", False, (
            Contender("legkeeper", lambda path: one_at_a_time(path, singles)),
            Contender("plain way, a commit per event", lambda path: plain.one_at_a_time(path, singles), 1 / 1.5),
        )),
        Figure("B5", f"memory per live group of four legs, {many} groups", "KiB", False, (
            Contender("legkeeper", lambda path: in_a_process_of_its_own(memory_per_group, path, many)),
        ), {"": Reach(40, at_most=True)}),
        Figure("B6", f"recovery of a cell with {many} open groups, to gate open", "s", False, (
            Contender("legkeeper", lambda path: recovery_seconds(path, many)),
        ), {"": Reach(3, at_most=True)} if many == 10_000 else {}),
        Figure("B9", "worst-case margin of an iron condor, 8 slices a leg", "ms", False, (
            Contender("legkeeper", lambda _: margin_ms(20 if quick else 100)),
        ), {"": Reach(5, at_most=True)}),
    ]  # fmt: skip


def whole_system(quick: bool) -> list[Figure]:
    """Real processes on the embedded exchange, both ends of a figure at its socket."""
    idle, samples, kills = (50, 30, 30) if quick else (1_000, 300, 100)
    rounds = 1 if quick else 3
    return [
        Figure("B1", f"fill at the exchange to the order that it lets out there, beside {idle} groups", "ms", False, (
            Contender("legkeeper", lambda path: whole.fill_to_order(path, idle, samples)),
            Contender("limit: two loopback round trips, one fdatasync", lambda p: limits.floor_ms(p, 500), 1 / 15),
        ), {"p50": Reach(2, at_most=True), "p99": Reach(5, at_most=True)}, rounds),
        Figure("B7", f"SIGKILL of a cell to its {kills} groups at work again", "ms", False, (
            Contender("legkeeper", lambda path: whole.killed_cell(path, kills)),
        ), {"p99": Reach(200, at_most=True)}, rounds),
        Figure("B8", f"plan submitted to its first order at the exchange, beside {idle} groups", "ms", False, (
            Contender("legkeeper", lambda path: whole.submit_to_order(path, idle, samples // 3)),
        ), {"p50": Reach(4, at_most=True)}, rounds),
        Figure("B11", f"processor time of an idle system with {idle} open groups", "% of one core", False, (
            Contender("legkeeper", lambda path: whole.idle_cpu(path, idle, 0 if quick else 2, 1 if quick else 2)),
        ), {"": Reach(5, at_most=True)}, 1),
    ]  # fmt: skip


def the_rest(quick: bool) -> list[Figure]:
    """What is kept, and what the simulator gets through."""
    a_day, scenarios = (3, 40) if quick else (50, 300)
    return [
        Figure("B10", f"a month of {growth.MONTH:,} groups, scaled from {a_day} a day, archived weekly", "", False, (
            Contender("legkeeper", lambda path: growth.month(path, a_day)),
        ), {}, 1),
        Figure("B12", f"the simulator, {scenarios} scenarios on one core", "a second", True, (
            Contender("legkeeper", lambda path: simulator.speed(path, scenarios)),
        ), {"scenarios/s": Reach(100), "events/s": Reach(20_000)}, 1 if quick else 3),
    ]  # fmt: skip
