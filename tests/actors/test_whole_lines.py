"""What is appended for a person stands there whole or not at all, also when the disk takes a part (F.storage).

And it is there after a power cut: the name of a new file is on the disk before its first line is.
"""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from syncs import Syncs

from actors.machine import machine


def test_a_disk_that_takes_a_part_keeps_nothing_of_it(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    machine().append(path, b'{"first": 1}\n')
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 5, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            machine().append(path, b'{"second": 2}\n')
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    machine().append(path, b'{"second": 2}\n')
    assert path.read_bytes() == b'{"first": 1}\n{"second": 2}\n'


def test_the_name_of_a_new_file_is_synced_before_its_first_line(tmp_path: Path, syncs: Syncs) -> None:
    path = tmp_path / "alerts.jsonl"
    machine().append(path, b'{"first": 1}\n')
    assert syncs.since() == [tmp_path, path]
    machine().append(path, b'{"second": 2}\n')
    assert syncs.since() == [path]


def test_a_line_whose_file_has_no_name_on_the_disk_was_not_written(tmp_path: Path, syncs: Syncs) -> None:
    path = tmp_path / "alerts.jsonl"
    syncs.failing = {tmp_path}
    for _ in range(2):
        with pytest.raises(OSError, match="Input/output"):
            machine().append(path, b'{"first": 1}\n')
        assert path.read_bytes() == b""
    syncs.failing = set()
    machine().append(path, b'{"first": 1}\n')
    assert syncs.since() == [tmp_path, path]
