"""What the metrics say of the journals while one of them cannot be read (actors/metrics.py)."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import left_journals
import pytest

from actors.metrics import Metrics
from config.paths import journal_path, paper_dir
from config.schema import Config, SystemConfig
from messages.records import EscalationRecord, Severity
from storage.port import Turn
from storage.sqlite import open_journal


def alert(number: int) -> EscalationRecord:
    return EscalationRecord(
        escalation_id=f"GROUP_HALTED:{number}", group_id="", severity=Severity.CRITICAL, kind="GROUP_HALTED",
        symbol="", quantity=0, text="", raised_ns=number, repeats=0, delivered_ns=0, acknowledged_ns=0,
        acknowledged_by="",
    )  # fmt: skip


def write(path: Path, *alerts: int) -> None:
    with closing(open_journal(path)) as journal:
        journal.commit(Turn(epoch=journal.epoch, at_ns=1, records=tuple(map(alert, alerts))))


def waiting(metrics: Metrics) -> dict[str, float]:
    """The gauge of CRITICAL alerts that wait for somebody, by realm, after a look at the journals."""
    metrics.count_journals()
    samples = metrics.measures.report().samples
    return {
        sample.labels[0]: sample.value
        for sample in samples
        if sample.name == "alerts_unacknowledged" and sample.labels[1] == "CRITICAL"
    }


@pytest.fixture
def metrics(tmp_path: Path) -> Metrics:
    """Two live journals and one of paper, with an alert each."""
    paper_dir(tmp_path).mkdir()
    for number, path in enumerate((journal_path(tmp_path, 0), journal_path(tmp_path, 1), on_paper(tmp_path))):
        write(path, number)
    made = Metrics()
    made.config = Config(system=SystemConfig(journal_dir=str(tmp_path)))
    return made


def on_paper(tmp_path: Path) -> Path:
    return journal_path(paper_dir(tmp_path), 25)


def test_a_journal_that_nobody_can_read_leaves_the_counts_of_all_others_as_they_are(
    metrics: Metrics, tmp_path: Path
) -> None:
    """A damaged one was left of a realm that does not run any more: nothing was counted, then or later."""
    left_journals.damage(on_paper(tmp_path))
    assert waiting(metrics) == {"live": 2}
    write(journal_path(tmp_path, 1), 11, 12)
    assert waiting(metrics) == {"live": 4}


def test_what_becomes_unreadable_counts_as_when_it_was_read_last(metrics: Metrics, tmp_path: Path) -> None:
    """Its alerts still wait for somebody."""
    assert waiting(metrics) == {"live": 2, "paper": 1}
    damaged, other = journal_path(tmp_path, 0), journal_path(tmp_path, 1)
    whole = damaged.read_bytes()
    left_journals.damage(damaged)
    write(other, 11)
    assert waiting(metrics) == {"live": 3, "paper": 1}
    damaged.write_bytes(whole)
    write(damaged, 21)
    assert waiting(metrics) == {"live": 4, "paper": 1}, "it was mended"
    on_paper(tmp_path).unlink()
    assert waiting(metrics) == {"live": 4}, "it was taken away"
