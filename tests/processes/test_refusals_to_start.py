"""A system starts on its own, or not at all; and it starts without a broker."""

from __future__ import annotations

import socket
from pathlib import Path

from evidence import finish
from system import Bench, System, bench, id_in_cell, plan, wait_for

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
