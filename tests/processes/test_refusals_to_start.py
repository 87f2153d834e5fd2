"""A system starts on its own, or not at all; and it starts without a broker."""

from __future__ import annotations

import socket
from pathlib import Path

import left_journals
import pytest
from evidence import finish
from system import Bench, System, bench, id_in_cell, plan, wait_for

from cli import control
from cli.problems import CommandFailed
from config.paths import gateway_journal_path, journal_path, journal_paths, paper_dir
from domain.groups import GroupOutcome
from storage.sql import schema_version
from storage.sqlite import open_journal
from storage.verify import verify
from venue.child import VenueChild


def refusal(system: System) -> str:
    """What a program that does not start says on its way out."""
    assert system.wait_until_ended() == 1
    return system.process.communicate()[1]


def test_a_second_system_on_the_same_journals_is_refused_and_told_who_owns_them(tmp_path: Path) -> None:
    group = id_in_cell(0, "undisturbed")
    with bench(tmp_path) as where:
        first = where.start()
        first.wait_until_open()
        before = set(where.left())
        said = refusal(where.launch())
        assert f"owned by process {first.pid}" in said
        assert str(where.journal_dir) in said
        assert set(where.left()) == before
        first.submit(plan(group))
        finish(where, group)


def test_two_systems_never_share_a_port(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with bench(tmp_path) as where:
        where.start()
        other = Bench(tmp_path / "other", where.venue)
        try:
            other.configure(admin_port=where.admin_port)
            said = refusal(other.launch())
            assert str(where.admin_port) in said
            assert "system.admin_port" in said
        finally:
            other.close()


def test_a_port_that_something_else_uses_is_refused(tmp_path: Path) -> None:
    where = Bench(tmp_path, None)
    try:
        with socket.create_server(("127.0.0.1", where.admin_port)):
            assert str(where.admin_port) in refusal(where.launch())
        assert not where.left()
    finally:
        where.close()


def test_a_system_without_a_broker_says_so_calls_a_person_and_carries_on_when_the_broker_comes(tmp_path: Path) -> None:
    group = id_in_cell(0, "late")
    where = Bench(tmp_path, None)
    try:
        system = where.start()
        system.wait_for_state("gateway", "silent")
        system.wait_for_state("cell-0", "waiting for the broker")
        wait_for(lambda: "BROKER_SILENT" in where.alert_kinds(), "an alert")
        arguments = ("--port", str(where.broker_port), "--speed", "10", "--truth", str(where.truth_path))
        with VenueChild(*arguments) as where.venue:
            system.wait_for_state("gateway", "running")
            system.wait_until_open()
            system.submit(plan(group))
            finish(where, group)
    finally:
        where.close()


def test_an_upgrade_with_open_groups_starts_and_carries_on(tmp_path: Path) -> None:
    """Every journal is one that the last legkeeper wrote, and those that it left half made hinder nobody."""
    group = id_in_cell(0, "upgraded")
    with bench(tmp_path) as where:
        system = where.start()
        system.wait_until_open()
        system.submit(plan(group, 200))
        wait_for(lambda: where.received(group), "its first order")
        system.kill("program")
        wait_for(lambda: not where.left(), "every process to end")
        assert [each.outcome for each in where.groups()] == [GroupOutcome.OPEN]
        older = [*journal_paths(where.journal_dir), gateway_journal_path(where.journal_dir)]
        assert len(older) == 3
        for path in older:
            left_journals.make_older(path)
        half_made = [journal_path(where.journal_dir, cell) for cell in (7, 8, 9)]
        for make, path in zip(left_journals.HALF_MADE, half_made, strict=True):
            make(path)
        system = where.start()
        system.wait_until_open()
        assert {left_journals.version_of(path) for path in (*older, *half_made)} == {schema_version()}
        finish(where, group)
        assert all(verify(path).ok for path in (*older, *half_made))


def test_a_first_start_that_was_killed_is_begun_again(tmp_path: Path) -> None:
    group = id_in_cell(1, "begun")
    with bench(tmp_path) as where:
        where.journal_dir.mkdir()
        left_journals.make_file_only(journal_path(where.journal_dir, 0))
        left_journals.make_header_only(journal_path(where.journal_dir, 1))
        left_journals.make_file_only(gateway_journal_path(where.journal_dir))
        system = where.start()
        system.wait_until_open()
        system.submit(plan(group))
        finish(where, group)


def test_a_damaged_journal_of_paper_answers_a_cancel_and_ends_nothing(tmp_path: Path) -> None:
    group = id_in_cell(0, "live")
    with bench(tmp_path) as where:
        on_paper = journal_path(paper_dir(where.journal_dir), 25)
        on_paper.parent.mkdir(parents=True)
        open_journal(on_paper).close()
        left_journals.damage(on_paper, ["order_groups", "archived_groups"])
        system = where.start()
        system.wait_until_open()
        with pytest.raises(CommandFailed, match="nobody"):
            control.ask(where.journal_dir, control.cancel("nobody"))
        system.submit(plan(group, 200))
        wait_for(lambda: where.received(group), "its first order")
        control.ask(where.journal_dir, control.cancel(group))
        finish(where, group, outcome=GroupOutcome.FLAT)
