"""Processes that a command starts end with it, also when somebody stops it (SIGTERM, SIGHUP) or kills it.

A signal to stop unwinds the command as Ctrl-C does, so that every ``with`` and ``finally`` ends what it has begun; and
the kernel tells its children when it is gone.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.pool import Pool
from types import FrameType
from typing import Any, Final, NoReturn

from venue.launch import die_with_parent

STOP: Final = (signal.SIGTERM, signal.SIGHUP)
PATIENCE_S: Final = 60.0  # for a child to end what it has begun itself: a kill campaign has a whole system to end


def unwind_when_stopped() -> None:
    """From now on a signal to stop ends this program by ``SystemExit``, with status 128 and its number."""
    for number in STOP:
        signal.signal(number, _unwind)


def _unwind(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def run(command: Sequence[str], *, ask: signal.Signals = signal.SIGTERM, **options: Any) -> tuple[int, str]:
    """Its exit status, and what it said where ``stdout`` is a pipe (text).

    When this program unwinds meanwhile, the child is asked to end, with the signal ``ask``, and waited for.
    """
    parent = os.getpid()
    with (
        _held(),
        subprocess.Popen(
            command,
            text=True,
            preexec_fn=lambda: _born(ask, parent),  # noqa: PLW1509  whoever calls this has no threads
            **options,
        ) as child,
    ):
        try:
            _let_come()
            said, _ = child.communicate()
        except BaseException as error:
            if not isinstance(error, KeyboardInterrupt):  # Ctrl-C is told to both
                child.send_signal(ask)
            try:
                child.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                child.kill()
            raise
    return child.returncode, said or ""


@contextmanager
def workers(
    count: int, begin: Callable[..., object] = tuple, arguments: tuple[Any, ...] = (), tasks: int | None = None
) -> Iterator[Pool]:
    """So many forked processes; leaving the block ends them.

    Each begins with ``begin(*arguments)``, and another takes its place after so many ``tasks``.
    """
    told = (os.getpid(), begin, arguments)
    with _held(), get_context("fork").Pool(count, _begin, told, maxtasksperchild=tasks) as pool:
        _let_come()
        yield pool


def _begin(parent: int, begin: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    _born(signal.SIGKILL, parent)
    begin(*arguments)


def _born(number: signal.Signals, parent: int) -> None:
    """What a child does first; it was forked while signals were held, so that none of them is lost on it."""
    for each in STOP:
        signal.signal(each, signal.SIG_DFL)
    _let_come()
    die_with_parent(number, parent)


@contextmanager
def _held() -> Iterator[None]:
    """Signals to stop wait until :func:`_let_come`: a child may be there of which this program does not know yet."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    try:
        yield
    finally:
        _let_come()


def _let_come() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP)
