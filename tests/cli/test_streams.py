"""The streams of a program that goes on whoever reads it (cli/streams.py), on real descriptors."""

from __future__ import annotations

import os
import pty
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

import pytest

from cli.render import print_table
from cli.streams import BestEffort, nobody_need_listen

TEXT = "told\n" * 50_000  # more than any pipe or terminal takes at once


@pytest.fixture
def after() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def stream(after: ExitStack, descriptor: int, encoding: str = "utf-8") -> TextIO:
    return after.enter_context(open(descriptor, "w", encoding=encoding))


def dead_pipe(after: ExitStack) -> TextIO | None:
    reader, writer = os.pipe()
    os.close(reader)
    return stream(after, writer)


def stuck_pipe(after: ExitStack) -> TextIO | None:
    reader, writer = os.pipe()
    after.callback(os.close, reader)
    return stream(after, writer)


def stopped_terminal(after: ExitStack) -> TextIO | None:
    """Somebody has pressed Ctrl-S."""
    keyboard, screen = pty.openpty()
    for descriptor in (keyboard, screen):
        after.callback(os.close, descriptor)
    termios.tcflow(screen, termios.TCOOFF)
    after.callback(termios.tcflow, screen, termios.TCOON)
    return stream(after, os.dup(screen))


def terminal_that_is_gone(after: ExitStack) -> TextIO | None:
    keyboard, screen = pty.openpty()
    os.close(keyboard)
    return stream(after, screen)


def full_disk(after: ExitStack) -> TextIO | None:
    return stream(after, os.open("/dev/full", os.O_WRONLY))


def closed(after: ExitStack) -> TextIO | None:
    reader, writer = os.pipe()
    after.callback(os.close, reader)
    made = stream(after, writer)
    made.close()
    return made


def closed_before_the_start(_after: ExitStack) -> TextIO | None:
    return None


@pytest.mark.parametrize(
    "made",
    [dead_pipe, stuck_pipe, stopped_terminal, terminal_that_is_gone, full_disk, closed, closed_before_the_start],
)
def test_what_nobody_takes_is_lost_and_nothing_fails_or_waits(
    after: ExitStack, monkeypatch: pytest.MonkeyPatch, made: Callable[[ExitStack], TextIO | None]
) -> None:
    told = made(after)
    monkeypatch.setattr(sys, "stdout", told)
    monkeypatch.setattr(sys, "stderr", told)
    with nobody_need_listen():
        for out in (sys.stdout, sys.stderr):
            assert out.write(TEXT) == len(TEXT)
            out.flush()
        print_table("Title", ["a"], [("é",)])
    assert sys.stdout is told, "afterwards it is as it was"


def test_a_reader_hears_everything_at_once_in_his_own_characters(after: ExitStack, tmp_path: Path) -> None:
    path = tmp_path / "said"
    for encoding, wanted in (("utf-8", "é\n"), ("ascii", "\\xe9\n")):
        out = BestEffort(stream(after, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), encoding))
        out.write(TEXT + "é\n")
        assert path.read_text() == TEXT + wanted
