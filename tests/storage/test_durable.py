"""What was promised to be on the disk was synced, in the order in which a power cut could not undo it."""

from __future__ import annotations

from pathlib import Path

import pytest
from syncs import Syncs

from storage.durable import DurableMark, make_folder, replace, sync


def test_E9_a_mark_is_synced_and_then_its_name_and_again_when_it_is_there_already(tmp_path: Path, syncs: Syncs) -> None:
    file = tmp_path / "KILL"
    mark = DurableMark(file)
    for _ in range(2):
        mark.touch()
        assert mark.exists()
        assert syncs.since() == [file, tmp_path]


def test_E9_a_mark_that_was_removed_is_removed_on_the_disk_too(tmp_path: Path, syncs: Syncs) -> None:
    mark = DurableMark(tmp_path / "KILL")
    mark.touch()
    syncs.since()
    mark.unlink()
    assert not mark.exists()
    assert syncs.since() == [tmp_path]
    mark.unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError):
        mark.unlink()


@pytest.mark.parametrize("what", [Path("KILL"), Path()], ids=["the file", "the directory"])
def test_a_mark_that_is_seen_and_could_not_be_synced_does_not_count_until_it_is(
    tmp_path: Path, syncs: Syncs, what: Path
) -> None:
    mark = DurableMark(tmp_path / "KILL")
    syncs.failing = {tmp_path / what}
    for _ in range(2):
        with pytest.raises(OSError, match="Input/output"):
            mark.touch()
        assert mark.exists()
    syncs.failing = set()
    syncs.since()
    mark.touch()
    assert syncs.since() == [tmp_path / "KILL", tmp_path]


def test_a_file_is_replaced_by_content_that_is_on_the_disk_already(tmp_path: Path, syncs: Syncs) -> None:
    path, beside = tmp_path / "report.json", tmp_path / "report.json.new"
    replace(path, b"first")
    assert syncs.since() == [beside, tmp_path]
    syncs.failing = {beside}
    with pytest.raises(OSError, match="Input/output"):
        replace(path, b"second")
    assert path.read_bytes() == b"first"
    syncs.failing = set()
    replace(path, b"second")
    assert path.read_bytes() == b"second"


def test_every_folder_that_is_made_is_synced_by_its_name(tmp_path: Path, syncs: Syncs) -> None:
    make_folder(tmp_path / "run" / "journal")
    assert syncs.since() == [tmp_path, tmp_path / "run"]
    make_folder(tmp_path / "run" / "journal")
    assert syncs.since() == []
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "file")


def test_no_descriptor_is_left_open_when_a_sync_fails(tmp_path: Path, syncs: Syncs) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    syncs.failing = {tmp_path}
    with pytest.raises(OSError, match="Input/output"):
        sync(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
