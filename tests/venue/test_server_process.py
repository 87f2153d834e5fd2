"""The exchange as a process: its arguments, its start and its end."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from test_server import raw

from venue import protocol as wire
from venue.child import Steering, VenueChild


def started_badly(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "venue", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_a_port_in_use_is_a_clear_error() -> None:
    with VenueChild() as server:
        status, said = started_badly("--port", str(server.port))
    assert status == 2
    assert f"cannot listen on 127.0.0.1:{server.port}: Address already in use; choose another --port" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--speed", "0"], "speed is 0.0; give a positive number"),
        (["--port", "70000"], "give 1 to 65535"),
        (["--offset-s", "-1"], "give seconds after the open"),
        (["--rules", '{"deduplicate": 5}'], "Expected `bool`"),
        (["--nasty", "very"], "invalid choice: 'very'"),
    ],
)
def test_bad_arguments_are_errors_in_words(arguments: list[str], words: str) -> None:
    status, said = started_badly(*arguments)
    assert status == 2
    assert words in said


def test_a_missing_quote_file_is_a_clear_error(tmp_path: Path) -> None:
    status, said = started_badly("--quotes", str(tmp_path / "none.zip"))
    assert status == 2
    assert "none.zip" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly_and_it_says_goodbye(number: signal.Signals) -> None:
    with VenueChild() as server, Steering(server.port) as client:
        os.kill(server.pid, number)
        assert client.next(wire.Goodbye).reason == "the exchange stops"
        assert server.stop() == 0, "a second signal, on its way out, changes nothing"


PARENT = """
import sys, time
from venue.chain import seeded_chain
from venue.child import VenueChild
server = VenueChild()
print(server.pid, flush=True)
sys.stdin.read()
"""


def test_it_dies_with_the_process_that_started_it() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        ended, _, _ = select.select([child], [], [], 5)
        if not ended:
            signal.pidfd_send_signal(child, signal.SIGKILL)
        os.close(child)
    assert ended, "the server outlived its parent"


def test_its_standard_output_is_one_line_that_names_the_port() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "venue", "--die-with-parent"], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        port = json.loads(server.stdout.readline())["listening"]
        raw(port, b"\xc1")
        server.terminate()
        assert server.stdout.read() == ""
