"""A supervisor that stood still itself has heard nobody, and blames nobody for it."""

from __future__ import annotations

from pathlib import Path

from roots import root

from supervisors.tree import GATEWAY


def test_a_supervisor_that_stood_still_kills_nobody_for_what_it_did_not_hear(tmp_path: Path) -> None:
    with root(tmp_path) as made:
        made.beats(10)
        made.machine.ns += 60 * 10**9  # SIGSTOP, a paused machine; their answers wait behind its timer
        made.heartbeat()
        assert made.machine.killed == []
        made.beats(20)
        assert made.machine.killed == []


def test_who_hangs_is_killed_all_the_same(tmp_path: Path) -> None:
    with root(tmp_path) as made:
        made.beats(10)
        made.machine.ns += 60 * 10**9
        made.silent.add(GATEWAY)
        made.beats(11)
        assert made.machine.killed == [made.children[GATEWAY].born_pid]
