"""The production journal on a disk that loses, tears and reorders what was not synced, and whose calls fail."""

from __future__ import annotations

import json
from random import Random

import pytest
from typer.testing import CliRunner

from simulation.__main__ import app
from simulation.disk.medium import (
    CREATE,
    DELETE,
    FAILED_SYNC,
    SYNC,
    WRITE,
    Call,
    Medium,
    everything,
    nothing,
    some,
    torn,
)


def on_disk(*calls: Call) -> Medium:
    medium = Medium({"db": b"old"})
    for call in calls:
        medium.do(call)
    return medium


def test_only_what_was_synced_is_sure_to_survive() -> None:
    medium = on_disk(Call(WRITE, "db", 0, b"new"), Call(SYNC, "db"), Call(WRITE, "db", 3, b"er"))
    assert medium.after_power_cut(3, nothing) == {"db": b"new"}
    assert medium.after_power_cut(3, everything) == {"db": b"newer"}
    assert medium.after_power_cut(1, nothing) == {"db": b"old"}  # the sync was under way
    assert medium.after_power_cut(2, everything) == {"db": b"newer"}  # the write was under way


def test_a_later_write_may_survive_an_earlier_one() -> None:
    medium = on_disk(Call(WRITE, "db", 0, b"A"), Call(WRITE, "db", 1, b"B"))
    left = {medium.after_power_cut(2, some(Random(seed)))["db"] for seed in range(50)}
    assert left == {b"old", b"Ald", b"oBd", b"ABd"}


def test_a_torn_write_keeps_a_run_of_whole_sectors() -> None:
    call = Call(WRITE, "db", 500, bytes(range(256)) * 8)
    for seed in range(50):
        part = torn(call, Random(seed))
        assert part.data == call.data[part.offset - 500 :][: len(part.data)] != b""
        assert part.offset == 500 or part.offset % 512 == 0


def test_a_deletion_waits_for_the_next_sync_of_a_new_file() -> None:
    medium = on_disk(Call(DELETE, "db"), Call(CREATE, "x-wal"), Call(WRITE, "x-wal", 0, b"1"), Call(SYNC, "x-wal"))
    assert medium.after_power_cut(3, nothing) == {"db": b"old"}
    assert medium.after_power_cut(4, nothing) == {"x-wal": b"1"}


def test_what_a_failed_sync_has_forgotten_no_later_sync_makes_durable() -> None:
    medium = on_disk(Call(WRITE, "db", 0, b"A"), Call(FAILED_SYNC, "db"), Call(WRITE, "db", 1, b"B"), Call(SYNC, "db"))
    assert medium.files["db"] == b"ABd"
    assert medium.after_power_cut(4, everything) == {"db": b"oBd"}


# In a child: apsw's SQLite and the standard library's never share a process with a file.


def swept(*options: str) -> list[dict[str, object]]:
    told = CliRunner().invoke(app, ["disk", "--json", "--workers", "1", "--turns", "6", *options])
    document = json.loads(told.stdout)
    assert told.exit_code == 0, document["violations"]
    outcomes: list[dict[str, object]] = document["outcomes"]
    return outcomes


@pytest.fixture(autouse=True)
def _apsw() -> None:
    pytest.importorskip("apsw")


def test_no_fault_of_the_disk_loses_an_acknowledged_turn() -> None:
    kinds = {str(found["kind"]) for found in swept("--every", "12", "--variants", "3")}
    assert kinds == {"power", "power_normal", "full", "sync", "rot"}


def test_a_power_cut_while_the_file_is_made_is_undone_at_the_next_opening() -> None:
    told = CliRunner().invoke(app, ["disk", "--workers", "1", "--turns", "24", "--case", "power:6:3"])
    assert told.exit_code == 0, told.output + told.stderr


def test_no_failed_sync_takes_turns_that_are_acknowledged_after_a_restart() -> None:
    assert {str(found["outcome"]) for found in swept("--only", "sync")} >= {"restarted, nothing lost"}


@pytest.mark.parametrize(
    ("level", "says"),
    [
        ("NORMAL", "were acknowledged"),  # the last turns are lost
        ("OFF", "the file holds nothing"),  # the tables too: the opening itself refuses that
    ],
)
def test_the_sweep_notices_a_journal_that_does_not_sync(monkeypatch: pytest.MonkeyPatch, level: str, says: str) -> None:
    def without_syncs(conn, path, synchronous):  # type: ignore[no-untyped-def]
        del path, synchronous
        conn.execute("PRAGMA journal_mode = WAL").fetchone()
        conn.execute(f"PRAGMA synchronous = {level}")
        conn.execute("PRAGMA foreign_keys = ON")

    monkeypatch.setattr("storage.opening._configure", without_syncs)
    told = CliRunner().invoke(
        app, ["disk", "--workers", "1", "--turns", "4", "--only", "power", "--variants", "1", "--every", "8"]
    )
    assert told.exit_code == 1
    assert says in told.output + told.stderr


def test_an_unknown_sweep_or_case_is_told() -> None:
    assert CliRunner().invoke(app, ["disk", "--only", "fire"]).exit_code == 2
    assert CliRunner().invoke(app, ["disk", "--turns", "2", "--workers", "1", "--case", "power:99999:0"]).exit_code == 2
