"""What is done to a running system says whether it struck, so that a campaign counts hits and not attempts."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from system import bench, wait_for

from simulation.havoc import (
    Site,
    _fill,
    cut_links,
    fail_calls,
    freeze,
    injecting_is_refused,
    kill,
    links,
    second_instance,
)


def test_what_finds_nobody_or_makes_nothing_fail_has_not_struck(tmp_path: Path) -> None:
    random = Random(1)
    with bench(tmp_path) as made:
        site = Site(made, (), has_tmpfs=False)
        site.system.wait_until_open()
        assert links(made.broker_port)
        assert cut_links(site, random)
        assert second_instance(site, random)
        assert freeze(0.0, 0.1, "gateway")(site, random)
        assert kill("cell-0")(site, random)
        assert kill("program", ends_all=True)(site, random)
        wait_for(lambda: not made.left(), "everything to end with its program")
        assert not kill("program", ends_all=True)(site, random)
        assert not freeze(0.0, 0.1, "program")(site, random)
        assert not links(made.broker_port)
        assert not cut_links(site, random)


def test_an_injected_error_counts_when_a_call_met_it(tmp_path: Path) -> None:
    if refusal := injecting_is_refused():
        pytest.skip(refusal)
    random = Random(1)
    with bench(tmp_path) as made:
        site = Site(made, (), has_tmpfs=False)
        site.system.wait_until_open()
        waits = fail_calls("epoll_wait", "EINTR")  # which everybody does all the time, and takes calmly
        wait_for(lambda: waits(site, random), "a call to fail")
        assert not fail_calls("sync", "EIO")(site, random)  # which nobody does


def test_a_full_disk_counts_when_it_refused_a_byte(tmp_path: Path) -> None:
    assert _fill(Path("/dev/full"), b"x")
    assert not _fill(tmp_path, b"x")


def test_what_cannot_be_traced_is_told_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for tracer, why in ((None, "not installed"), ("/bin/false", "strace cannot have a call of another process fail")):
        monkeypatch.setattr("simulation.havoc.STRACE", tracer)
        injecting_is_refused.cache_clear()
        assert why in injecting_is_refused()
    injecting_is_refused.cache_clear()
