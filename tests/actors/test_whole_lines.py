"""What is appended for a person stands there whole or not at all, also when the disk takes a part (F.storage)."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

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
