"""Processes that a command starts end with it, also when somebody stops it (SIGTERM, SIGHUP) or kills it.

A signal to stop unwinds the command as Ctrl-C does, so that every ``with`` and ``finally`` ends what it has begun; and
the kernel tells its children when it is gone.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess as Process
from multiprocessing.pool import Pool
from types import FrameType
from typing import Any, Final, TypeVar, cast

from venue.launch import die_with_parent

T = TypeVar("T")
R = TypeVar("R")
STOP: Final = (signal.SIGTERM, signal.SIGHUP)
_came: Final[list[int]] = []  # signals to stop that wait until :func:`_let_come`
PATIENCE_S: Final = 60.0  # for a child to end what it has begun itself: a kill campaign has a whole system to end


def unwind_when_stopped() -> None:
    """From now on a signal to stop ends this program by ``SystemExit``, with status 128 and its number."""
    for number in STOP:
        signal.signal(number, _unwind)


def _unwind(number: int, _frame: FrameType | None) -> None:
    """The kernel may give a signal that the main thread holds to another (a progress bar's); Python calls this then."""
    if STOP[0] in signal.pthread_sigmask(signal.SIG_BLOCK, ()):
        _came.append(number)
    else:
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


def each(work: Callable[[T], R], jobs: Sequence[T], count: int, *, chunk: int = 1) -> Iterator[R]:
    """What ``work`` makes of every job, as it comes; each chunk of them in a forked process of its own.

    At most ``count`` are there at a time.  Raises what ``work`` raises, and ``ChildProcessError`` for a process that
    ended without a word.  Whoever stops listening ends them all.
    """
    running: dict[Connection, Process] = {}
    waiting = deque(jobs[first : first + chunk] for first in range(0, len(jobs), chunk))
    try:
        while waiting or running:
            while waiting and len(running) < count:
                _fork(running, work, waiting.popleft())
            said = wait(list(running))
            for ready in [one for one in running if one in said]:
                yield from _heard(ready, running)
    finally:
        for process in running.values():
            process.kill()
            process.join()


def _fork(running: dict[Connection, Process], work: Callable[[T], R], jobs: Sequence[T]) -> None:
    context = get_context("fork")
    with _held():
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(os.getpid(), there, work, jobs), daemon=True)
        process.start()
        running[here] = process
        there.close()


def _work(parent: int, there: Connection, work: Callable[[T], R], jobs: Sequence[T]) -> None:
    _born(signal.SIGKILL, parent)
    try:
        there.send([work(job) for job in jobs])
    except Exception as error:
        there.send(error)


def _heard(ready: Connection, running: dict[Connection, Process]) -> list[Any]:
    process = running.pop(ready)
    with ready:
        try:
            told = ready.recv()
        except EOFError:
            process.join()
            told = ChildProcessError(f"a process ended with {process.exitcode} before it said anything")
    process.join()
    if isinstance(told, Exception):
        raise told
    return cast(list[Any], told)


@contextmanager
def workers(count: int, begin: Callable[..., object], arguments: tuple[Any, ...]) -> Iterator[Pool]:
    """So many forked processes that keep what ``begin(*arguments)`` has made; leaving the block ends them."""
    with _held(), get_context("fork").Pool(count, _begin, (os.getpid(), begin, arguments)) as pool:
        _let_come()
        yield pool


def _begin(parent: int, begin: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    _born(signal.SIGKILL, parent)
    begin(*arguments)


def _born(number: signal.Signals, parent: int) -> None:
    """What a child does first; it was forked while signals were held, so that none of them is lost on it.

    The kernel tells it when the *thread* that forked it is gone: only a program without others may.
    """
    for stop in STOP:
        signal.signal(stop, signal.SIG_DFL)
    _came.clear()  # it was the parent that they meant
    _let_come()
    die_with_parent(number, parent)


@contextmanager
def _held() -> Iterator[None]:
    """Signals to stop wait until :func:`_let_come`: a child may be there of which this program does not know yet.

    And what is raised while a fork runs its callbacks is told as *ignored*, and is lost.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    try:
        yield
    finally:
        _let_come()


def _let_come() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP)
    if _came:
        raise SystemExit(128 + _came.pop())
