"""E9: the kill switch works while another process hangs: a cell with commands under way, or the main program."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from system import ROOT, STOP_DEADLINE_S, Bench, bench, cont, id_in_cell, stop, wait_for

from cli import control
from config.paths import control_path, kill_switch_path, wire_record_path

NEVER = {"heartbeat_timeout_ms": 600_000}  # nobody kills what hangs


def kills(where: Bench) -> list[bool]:
    """What the gateway has noted of its kill switch: on or off, each time that it was turned."""
    path = wire_record_path(where.journal_dir)
    noted = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")] if path.exists() else []
    return [note["on"] for note in noted if note["kind"] == "kill"]


def test_e9_a_cell_that_hangs_with_two_commands_does_not_hold_up_the_kill_switch(tmp_path: Path) -> None:
    with bench(tmp_path, NEVER) as where, ExitStack() as until:
        system = where.start()
        system.wait_until_open()
        cell = system.pid_of("cell-0")
        stop(cell)
        waiting: list[socket.socket] = []
        for word in ("one", "other"):
            client = until.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            client.connect(str(control_path(where.journal_dir)))
            client.sendall(json.dumps(control.cancel(id_in_cell(0, word))).encode() + b"\n")
            client.setblocking(False)
            waiting.append(client)
        for on in (True, False):
            said = control.ask(where.journal_dir, control.kill_switch(on=on))["text"]
            assert f"kill switch {'on' if on else 'off'}" in said
            assert kill_switch_path(where.journal_dir).exists() is on
        for client in waiting:  # they were asked before, and are waited for still
            with pytest.raises(BlockingIOError):
                client.recv(1)
        cont(cell)
        for client in waiting:
            client.settimeout(STOP_DEADLINE_S)
            assert b"there is no group" in client.recv(65_536)
        system.stop()


def test_e9_a_main_program_that_hangs_does_not_keep_the_gateway_from_seeing_the_kill_switch(tmp_path: Path) -> None:
    with bench(tmp_path, NEVER) as where:
        system = where.start()
        system.wait_until_open()
        stop(system.pid)
        with subprocess.Popen(
            [sys.executable, str(ROOT / "run_system.py"), "kill-switch", "on", "--config", str(where.config_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as asking:
            wait_for(lambda: kills(where) == [True], "the gateway to see the file")
            cont(system.pid)
            said, _ = asking.communicate(timeout=STOP_DEADLINE_S)
        assert "kill switch on" in said or "is made and holds" in said
        system.stop()
