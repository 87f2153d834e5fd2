"""The command line as an operator has it: arguments in, status and two streams out."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cli.app import run
from config.paths import control_path

Json = dict[str, Any]


class Result(NamedTuple):
    """What one command did."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class ControlServer:
    """A tiny system: listens on the control socket, keeps what it is asked, and answers what it is told to."""

    def __init__(self, journal_dir: Path) -> None:
        self.asked: list[Any] = []
        self.answer: bytes | Callable[[Any], bytes] = b'{"ok": true}\n'
        self.path = control_path(journal_dir)
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(self.path))
        self._server.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._server.accept()
            except OSError:
                return
            with line, line.makefile("rb") as stream:
                request = stream.readline()
                if not request:
                    return
                self.asked.append(json.loads(request))
                line.sendall(self.answer if isinstance(self.answer, bytes) else self.answer(self.asked[-1]))

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as last:
            last.connect(str(self.path))  # says nothing, and so ends the thread
        self._thread.join(5)
        self._server.close()
        self.path.unlink()
        assert not self._thread.is_alive()


@pytest.fixture
def journal_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory that the configuration in force names."""
    for name in ("LEGKEEPER_SYSTEM_JOURNAL_DIR", "LEGKEEPER_BROKER_PORT"):
        monkeypatch.delenv(name, raising=False)
    directory = tmp_path / "j"
    directory.mkdir()
    monkeypatch.setenv("LEGKEEPER_SYSTEM_JOURNAL_DIR", str(directory))
    return directory


@pytest.fixture
def start_system() -> Iterator[Callable[[Path], ControlServer]]:
    """Starts systems on directories, and ends them with the test."""
    with ExitStack() as started:

        def start(directory: Path) -> ControlServer:
            server = ControlServer(directory)
            started.callback(server.close)
            return server

        yield start


@pytest.fixture
def system(start_system: Callable[[Path], ControlServer], journal_dir: Path) -> ControlServer:
    """A system on the directory that the configuration names."""
    return start_system(journal_dir)


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Carries out one command line."""

    def carry_out(*arguments: object) -> Result:
        capfd.readouterr()
        status = run([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Result(status, captured.out, captured.err)

    return carry_out
