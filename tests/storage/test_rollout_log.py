"""The record of the share: durable, chained, and never guessed at."""

from __future__ import annotations

from pathlib import Path

import pytest
from syncs import Syncs

from storage.port import JournalError
from storage.rollout_log import RolloutLog


def shares(path: Path) -> list[int]:
    return [change.live_share_pct for change in RolloutLog(path, 7).changes]


def test_the_share_is_the_initial_one_until_it_is_changed_and_the_last_change_from_then_on(tmp_path: Path) -> None:
    path = tmp_path / "rollout.jsonl"
    log = RolloutLog(path, 10)
    assert log.share == 10
    assert not path.exists()
    change = log.change(50, "maria", "a quiet week")
    assert (change.before, change.live_share_pct, change.by, change.reason) == (10, 50, "maria", "a quiet week")
    log.change(0, "jo", "a drill")
    assert RolloutLog(path, 100).share == log.share == 0
    assert shares(path) == [50, 0]


def test_a_change_is_synced_and_so_is_the_name_of_its_file(tmp_path: Path, syncs: Syncs) -> None:
    path = tmp_path / "rollout.jsonl"
    RolloutLog(path, 10).change(50, "maria", "a quiet week")
    assert syncs.since() == [tmp_path, path]


@pytest.mark.parametrize("what", [Path("rollout.jsonl"), Path()], ids=["the file", "the directory"])
def test_a_change_that_could_not_be_synced_is_refused_and_not_in_force_after_a_restart(
    tmp_path: Path, syncs: Syncs, what: Path
) -> None:
    path = tmp_path / "rollout.jsonl"
    log = RolloutLog(path, 10)
    syncs.failing = {tmp_path / what}
    with pytest.raises(JournalError, match="the share stays as it was"):
        log.change(50, "maria", "a quiet week")
    assert log.share == RolloutLog(path, 10).share == 10
    syncs.failing = set()
    log.change(20, "jo", "again")
    assert shares(path) == [20]


def test_a_line_that_was_torn_by_a_crash_never_was_in_force_and_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "rollout.jsonl"
    RolloutLog(path, 0).change(10, "maria", "begin")
    whole = path.read_bytes()
    RolloutLog(path, 0).change(50, "maria", "a long reason that is torn")
    torn = path.read_bytes()
    for end in range(len(whole), len(torn)):
        path.write_bytes(torn[:end])
        assert shares(path) == [10]
    RolloutLog(path, 0).change(20, "jo", "again")
    assert shares(path) == [10, 20]
    assert path.read_bytes().count(b"\n") == 2


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda text: text.replace(b'"live_share_pct":50', b'"live_share_pct":90'), "line 3: it does not follow"),
        (lambda text: b"\n".join(text.splitlines()[1:]) + b"\n", "line 1: it does not follow"),
        (lambda text: text + b"100\n", "line 4: "),
        (lambda text: text + b"\xff\n", "line 4: "),
    ],
)
def test_a_record_that_was_tampered_with_is_refused_with_the_line(tmp_path: Path, damage: object, says: str) -> None:
    path = tmp_path / "rollout.jsonl"
    log = RolloutLog(path, 0)
    for share in (10, 50, 100):
        log.change(share, "maria", "next phase")
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(JournalError, match=says):
        RolloutLog(path, 0)


def test_a_change_that_cannot_be_written_is_not_in_force(tmp_path: Path) -> None:
    log = RolloutLog(tmp_path / "missing" / "rollout.jsonl", 10)
    with pytest.raises(JournalError, match="the share stays as it was"):
        log.change(50, "maria", "next phase")
    assert log.share == 10
