"""No process outlives its parent: an orphan gateway that keeps trading is the worst fault there is.

Thespian's processes live on when a parent is killed.  Here every process that is forked from the main program asks the
kernel for SIGKILL on its parent's death (``PR_SET_PDEATHSIG``) before it runs anything else, and dies if the parent
is gone already.  The admin is special: Thespian forks it twice, so its first parent is meant to die.  The main program
therefore becomes a child subreaper, and the admin waits until it has been handed to it.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


class _Lifeline:
    def __init__(self) -> None:
        self.main_pid = os.getpid()
        self.parent_pid = 0
        self.admin_detached = False

    def before_fork(self) -> None:
        self.parent_pid = os.getpid()

    def after_fork_in_child(self) -> None:
        if multiprocessing.current_process().name == "ThespianAdmin" and not self.admin_detached:
            self.admin_detached = True
            self.parent_pid = self._wait_for_new_parent()
        hold_on_to(self.parent_pid)

    def _wait_for_new_parent(self) -> int:
        deadline = time.monotonic() + 5
        while os.getppid() == self.parent_pid and time.monotonic() < deadline:
            time.sleep(0.001)
        if os.getppid() != self.main_pid:
            os._exit(1)  # the main program is gone: nobody would ever stop this system
        return self.main_pid


def hold_on_to(parent_pid: int) -> None:
    """Die with ``parent_pid``, which must be this process's parent; at once when it is gone already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os.kill(os.getpid(), signal.SIGKILL)


def tie_descendants() -> None:
    """Tie every process that is forked from now on, at any depth, to its parent.  Call once, in the main program."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    lifeline = _Lifeline()
    os.register_at_fork(before=lifeline.before_fork, after_in_child=lifeline.after_fork_in_child)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl({option}): {os.strerror(error)}; legkeeper needs Linux")
