"""Where the journals and the control socket are."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from config.paths import SOCKET_PATH_BYTES, control_path, journal_path, journal_paths, vanished_journals


def test_journals_are_found_in_the_order_of_their_cells(tmp_path: Path) -> None:
    for cell in (10, 2, 0):
        journal_path(tmp_path, cell).touch()
    for other in ("cell-1.db-wal", "cell-x.db", "cell-3.db.lock", "notes.txt"):
        (tmp_path / other).touch()
    assert [path.name for path in journal_paths(tmp_path)] == ["cell-0.db", "cell-2.db", "cell-10.db"]
    assert journal_paths(tmp_path / "missing") == []


def test_a_journal_whose_lock_alone_is_left_has_vanished(tmp_path: Path) -> None:
    journal_path(tmp_path, 0).touch()
    for lock in ("cell-0.db.lock", "cell-2.db.lock", "cell-1.db.lock", "cell-x.db.lock", "system.lock"):
        (tmp_path / lock).touch()
    assert [path.name for path in vanished_journals(tmp_path)] == ["cell-1.db", "cell-2.db"]
    assert vanished_journals(tmp_path / "missing") == []


def test_the_control_socket_is_in_the_journal_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert control_path("/short") == Path("/short/control.sock")
    assert control_path("short") == Path("/short/control.sock")


@pytest.mark.parametrize("length", [90, 92, 93, 200, 5000])
def test_a_directory_of_any_length_has_a_socket_that_can_be_bound(length: int) -> None:
    directory = "/" + "d" * (length - 1)
    path = control_path(directory)
    assert len(str(path)) <= SOCKET_PATH_BYTES
    assert (path.parent == Path(directory)) == (len(directory) + len("/control.sock") <= SOCKET_PATH_BYTES)
    assert control_path(directory) == path
    assert control_path(directory + "x") != path


def test_the_fallback_path_works_as_a_socket(tmp_path: Path) -> None:
    path = control_path(tmp_path / ("d" * 120))
    assert path.parent != tmp_path
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    path.unlink()


def test_when_nothing_fits_the_error_says_what_to_shorten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/" + "t" * 100)
    with pytest.raises(ValueError, match=r"set system\.journal_dir or TMPDIR to a shorter path"):
        control_path("/" + "d" * 120)
