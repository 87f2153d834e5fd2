"""Writers that stand still while their system goes on without them, and are told to go on when it has: no two write.

The lifeline (:mod:`supervisors.lifeline`) ends a stopped process too, so that a writer never outlives its system.  What
then keeps two from writing, the locks, is tried by cutting the lifeline of a running process by hand, with gdb.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple

from config.paths import wire_record_path
from simulation.bench import Bench, cont, stands_still, stop, wait_for
from storage.reader import JournalReader
from supervisors.line import has_ended

if TYPE_CHECKING:
    from simulation.havoc import Site

GDB = shutil.which("gdb")
LET_GO: Final = "call (int)prctl(1, 0, 0, 0, 0)"  # PR_SET_PDEATHSIG: no signal when the parent ends
DONE: Final = "$1 = 0"  # so gdb says that the call has returned 0
CUT_S: Final = 20.0
WAITS: Final = "import time\nprint(flush=True)\ntime.sleep(60)"
WRITERS: Final = {"cell-0": ("cells",), "cell-1": ("cells",), "gateway": ()}  # and who is above them, besides the top
TOP: Final = ("program", "admin", "root")
SENDER: Final = re.compile(rb'"pid":(\d+)')


class Writer(NamedTuple):
    """A process that writes a journal, or to the broker; a descriptor of it, for its number may be given out again; and
    who is above it."""

    name: str
    pid: int
    handle: int
    above: tuple[int, ...]

    def signal(self, number: signal.Signals) -> None:
        """No error when it is gone."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.handle, number)

    def has_ended(self) -> bool:
        return has_ended(self.handle)


def freeze_all(site: Site, random: Random) -> bool:
    """Every process of the system stands still, and a second program is started, which must be refused.

    They go on one after the other, from above or in any order: whom the others believe dead goes on among them.
    """
    if not site.pid("gateway"):  # who says so owns the journals
        return False
    frozen = _stand_still(site.bench)
    try:
        struck = site.system.process.poll() is None
        if struck:
            told = refusal_of_a_second(site)
            assert f"owned by process {site.system.pid}, which a signal has suspended" in told, told
            time.sleep(random.uniform(0, 1.0))
    finally:
        if random.random() < 0.5:
            random.shuffle(frozen)
        for pid in frozen:
            cont(pid)
            time.sleep(random.choice((0.0, random.uniform(0, 1.0))))
    return struck


def _stand_still(bench: Bench) -> list[int]:
    """Stop every process, the oldest first; again, until none is left that was born meanwhile."""
    stopped: dict[int, None] = {}

    def all_stand() -> bool:
        running = [pid for pid in sorted(bench.left()) if not stands_still(pid)]
        for pid in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
            stopped[pid] = None
        return not running

    try:
        wait_for(all_stand, "every process to stand still")
    except AssertionError:
        for pid in stopped:
            cont(pid)
        raise
    return list(stopped)


def refusal_of_a_second(site: Site) -> str:
    """What a second program says, which has to end by itself."""
    second = site.bench.launch()
    wait_for(lambda: second.process.poll() is not None, "the second of two programs to end")
    site.bench.systems.remove(second)
    _, told = second.process.communicate()
    assert second.process.returncode == 1, f"a second instance ran beside the first: {told}"
    return told


def outlive(site: Site, random: Random) -> bool:
    """All above a writer that stands still are killed, and a new program is started; then the old writer may go on.

    It must be gone by then, because a lifeline ends who is stopped too.
    """
    with _stopped_writer(site, random) as old:
        if old is None:
            return False
        written = deeds(site.bench, old.name, old.pid, stands_still=True)
        _kill_above(site, old)
        wait_for(old.has_ended, f"{old.name} ({old.pid}), which is stopped, to end with its parent")
        _come_back(site, old)
        _go_on(site, old, written)
    return True


def zombie(site: Site, random: Random) -> bool:
    """The same with a writer whose lifeline was cut: it holds its lock, and a person is told who has to end it.

    The operator does as told, and the new program takes over; what was told to the old one to go on comes too late.
    """
    with _orphan(site, random) as (old, written):
        if old is None:
            return False
        old.signal(signal.SIGKILL)
        wait_for(old.has_ended, f"{old.name} ({old.pid}) to end")
        _come_back(site, old)
        _go_on(site, old, written)
    return True


def revive(site: Site, random: Random) -> bool:
    """The same, and the operator does not: the old one is told to go on while its successor waits for its lock.

    It must end by itself before it takes another message, and the new program takes over.
    """
    with _orphan(site, random) as (old, _):
        if old is None:
            return False
        old.signal(signal.SIGCONT)
        wait_for(old.has_ended, f"{old.name} ({old.pid}) to find that its system has ended, and to end")
        _come_back(site, old)
    return True


@contextlib.contextmanager
def _orphan(site: Site, random: Random) -> Iterator[tuple[Writer | None, tuple[int, int]]]:
    """A writer that stands still, for which a new program waits, and what it has written.  ``None``: not to be had."""
    with _stopped_writer(site, random, cut=True) as old:
        written = (0, 0)
        if old is not None:
            written = deeds(site.bench, old.name, old.pid, stands_still=True)
            _kill_above(site, old)
            wait_for(lambda: site.bench.left() == [old.pid], f"all but {old.name} ({old.pid}) to end")
            site.system = site.bench.launch()
            wait_for(lambda: _is_named(site, old), f"an alert that names {old.name} ({old.pid})")
            time.sleep(random.uniform(0, 1.0))
        yield old, written


@contextlib.contextmanager
def _stopped_writer(site: Site, random: Random, *, cut: bool = False) -> Iterator[Writer | None]:
    """One of the writers, stopped; ``None`` when it was not to be had.  What is cut does not live on after this."""
    with contextlib.ExitStack() as undo:
        old = _writer(site, random)
        if old is not None:
            undo.callback(os.close, old.handle)
            undo.callback(old.signal, signal.SIGKILL if cut else signal.SIGCONT)
            stands = (not cut or cut_lifeline(old.pid)) and _is_stopped(old)
        yield old if old is not None and stands else None


def _writer(site: Site, random: Random) -> Writer | None:
    name = random.choice(sorted(WRITERS))
    pids = [site.pid(one) for one in (name, *TOP, *WRITERS[name])]
    random.shuffle(above := pids[1:])
    try:
        return Writer(name, pids[0], os.pidfd_open(pids[0]), tuple(above)) if all(pids) else None
    except ProcessLookupError:
        return None


def _is_stopped(old: Writer) -> bool:
    with contextlib.suppress(AssertionError, ProcessLookupError):
        stop(old.pid)
        return True
    return False


def _kill_above(site: Site, old: Writer) -> None:
    """SIGKILL to everybody above it, in the order that was drawn."""
    for pid in old.above:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    site.system.wait_until_ended()


def _is_named(site: Site, old: Writer) -> bool:
    """Whether a person was told that the next one waits for this process."""
    begins, named = f"{old.name} cannot start yet", f"process {old.pid}, which a signal has suspended"
    return any(alert["text"].startswith(begins) and named in alert["text"] for alert in site.bench.alerts())


def _come_back(site: Site, old: Writer) -> None:
    """As an operator would: start the program when none runs, and look whether the successor is there."""

    def is_replaced() -> bool:
        site.mend()
        found = site.system.processes().get(old.name, {})
        return bool(found.get("pid")) and found["pid"] != old.pid

    wait_for(is_replaced, f"{old.name} ({old.pid}) to be replaced")


def _go_on(site: Site, old: Writer, written: tuple[int, int]) -> None:
    """SIGCONT arrives, at last: nobody is there, and nothing was written since it stood still."""
    old.signal(signal.SIGCONT)
    cont(old.pid)
    found = deeds(site.bench, old.name, old.pid)
    assert found == written, f"{old.name} ({old.pid}) has written beside its successor: {found}, and it was {written}"


def deeds(bench: Bench, name: str, pid: int, *, stands_still: bool = False) -> tuple[int, int]:
    """How many turns of its journal this writer has written, and how many lines about what left for the broker.

    One that stands still may have written a turn that only its successor sees, since nobody was told of it yet: the
    journal is read as after its death, then.
    """
    journal = bench.journal_dir / f"{name}.db"
    with TemporaryDirectory() as copy:
        if stands_still:
            for path in journal.parent.glob(f"{journal.name}*"):
                if path.name in (journal.name, f"{journal.name}-wal"):
                    shutil.copy(path, copy)
            journal = Path(copy) / journal.name
        with JournalReader(journal) as reader:
            mine = {epoch.epoch for epoch in reader.epochs() if epoch.pid == pid}
            return sum(turn.epoch in mine for turn in reader.turns()), senders(bench).count(pid)


def senders(bench: Bench) -> list[int]:
    """The process of each line of the wire record, in order."""
    path = wire_record_path(bench.journal_dir)
    return [int(pid) for pid in SENDER.findall(path.read_bytes())] if path.exists() else []


def twice(pids: Iterable[int]) -> list[int]:
    """Those who went on after another one had begun."""
    in_turn = [pid for pid, _ in groupby(pids)]
    return sorted({pid for pid in in_turn if in_turn.count(pid) > 1})


def cut_lifeline(pid: int) -> bool:
    """Have a process live on when its parent ends; ``False`` when that could not be done."""
    try:
        return DONE in _gdb(pid).stdout
    except subprocess.TimeoutExpired:
        return False


def _gdb(pid: int) -> subprocess.CompletedProcess[str]:
    assert GDB is not None
    command = [GDB, "-nx", "-batch", "--readnever", "-p", str(pid), "-ex", LET_GO]
    return subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL, text=True, timeout=CUT_S)


@cache
def cutting_is_refused() -> str:
    """Why no lifeline can be cut here; "" when one could: it is tried."""
    if GDB is None:
        return "gdb is not installed"
    with subprocess.Popen([sys.executable, "-c", WAITS], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        try:
            done = _gdb(other.pid)
        except subprocess.TimeoutExpired:
            return f"gdb does not end within {CUT_S:g} s"
        finally:
            other.kill()
    return "" if DONE in done.stdout else f"gdb cannot have another process call prctl(2): {done.stderr.strip()}"
