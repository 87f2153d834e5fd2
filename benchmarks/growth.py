"""B10: what a month of groups leaves behind, with retention on.

A month is 21 trading days.  Each day so many condors are opened, filled and, at its end, expire; after every fifth day
the journal is archived, and keeps what changed within the last five.  What grows is in proportion to the groups of a
day (the bytes of a group do not depend on how many there are), so a small month stands for a large one: its figures are
scaled to 100,000 groups, and a test compares two sizes.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path

from actors.cell_tree import Released
from benchmarks.cell import Cell, work
from benchmarks.workload import LEGS, QUANTITY, START_NS, Broker, condor
from messages.positions import PositionChange, PositionsMoved
from messages.records import PositionKind
from messages.supervision import AlertDelivered
from storage.archive import archive

DAYS, KEEP_DAYS = 21, 5
DAY_NS = 10 * 3_600 * 10**9  # of the simulated calendar: the contracts of the workload live for eleven real days
MONTH = 100_000  # groups


def month(path: Path, groups_a_day: int) -> dict[str, float]:
    """The sizes of a month's files, in megabytes for :data:`MONTH` groups, and the bytes of a report."""
    sizes, archived, reports = [], 0, 0
    ever = 0.0  # what one journal would be that nothing ever leaves
    for day in range(DAYS):
        before = path.stat().st_size if path.exists() else 0
        reports += _day(path, day, groups_a_day)
        ever += path.stat().st_size - before
        sizes.append(path.stat().st_size)
        if day % KEEP_DAYS == KEEP_DAYS - 1:
            done = archive(path, path.with_name(f"archive-{day}.db"), KEEP_DAYS * DAY_NS)
            archived += Path(done.file).stat().st_size if done else 0
            sizes.append(path.stat().st_size)
    scale = MONTH / (DAYS * groups_a_day) / 1e6
    return {
        "bytes a report": ever / reports,
        "journal at its largest, MB": max(sizes) * scale,
        "journal at the end, MB": sizes[-1] * scale,
        "all copies in archive/, MB": archived * scale,
        "without retention, MB": ever * scale,
    }


def _day(path: Path, day: int, groups: int) -> int:
    """One day of a cell, from its start to its stop; how many reports there were."""
    cell, broker = Cell(path), Broker(seed=day)
    broker.now_ns = cell.now_ns = START_NS + day * DAY_NS
    try:
        cell.link_up()
        first = day * groups
        work(cell, cell.open(first, groups), broker)
        for number in range(first, first + groups):
            _deliver(cell, cell.tree.run([_expired(condor(number).group_id, broker.now_ns)]))
        return broker.sent
    finally:
        cell.close()


def _expired(group_id: str, now_ns: int) -> PositionsMoved:
    """All four legs end worthless."""
    changes = tuple(
        PositionChange(
            leg_id=f"leg{index}", symbol=instrument.symbol, quantity=-side.sign * QUANTITY, kind=PositionKind.EXPIRY,
            evidence="the day is over", activity_id="", price=0, ts_ns=now_ns,
        )
        for index, (instrument, side) in enumerate(LEGS)
    )  # fmt: skip
    return PositionsMoved(group_id=group_id, cell=0, after=0, changes=changes)


def _deliver(cell: Cell, released: Released) -> None:
    """Have every alert reach its sink, as the notifier reports it."""
    for _ in count():
        if not released.alerts:
            return
        letters = [AlertDelivered(alert.escalation_id, alert.repeats) for alert in released.alerts]
        released = cell.tree.run(letters)
