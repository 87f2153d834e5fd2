"""What the kill campaign does to a running system: each fault by name, and whether this machine can do it."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

from simulation.bench import Bench, cont, is_alive, stop, wait_for
from simulation.host_clock import READ_EVERY_S, HostClock
from simulation.strikes import WALL_JUMP_HOURS
from simulation.zombies import cutting_is_refused, freeze_all, outlive, revive, zombie
from venue.child import VenueChild

LOOK_EVERY_S = 0.5
TMPFS_BYTES = 64 * 1024 * 1024
STRACE = shutil.which("strace")
INJECTED = "(INJECTED)"  # so strace marks a call that it made fail
ENDS_WHEN_REFUSED = """
import os
print(flush=True)
try:
    while True:
        os.listdir("/")
except OSError:
    pass
"""
PROBE_S = 30


class Site:
    """Where it happens: the bench, the running system, and how to start either end anew."""

    def __init__(self, bench: Bench, arguments: tuple[str, ...], *, has_tmpfs: bool) -> None:
        self.bench, self.arguments, self.has_tmpfs = bench, arguments, has_tmpfs
        self.clock = HostClock(bench.directory)
        bench.environment |= self.clock.environment
        self.system = bench.start()
        self._looked_s = 0.0

    def mend(self) -> None:
        """Do what an operator does: start what has ended, and start again what says that it must be.

        Everything of the old one must be gone by itself.
        """
        if self.system.process.poll() is None and self._must_be_restarted():
            self.system.stop()
        if self.system.process.poll() is not None:
            wait_for(lambda: not self.bench.left(), "every process to end with its program")
            self.system = self.bench.start()

    def _must_be_restarted(self) -> bool:
        """Whether a cell is reduce-only because its disk was full: so it stays until it is started again."""
        now_s = time.monotonic()
        if now_s - self._looked_s < LOOK_EVERY_S:
            return False
        self._looked_s = now_s
        return any("the disk is full, or was" in str(process) for process in self.system.processes().values())

    def pid(self, name: str) -> int:
        """Of a part that may be restarting: 0 when it cannot be said now."""
        try:
            return self.system.pid_of(name)
        except (AssertionError, IndexError):
            return 0


Act = Callable[[Site, Random], bool]


class Fault(NamedTuple):
    """One row.  ``act`` says whether it struck: what was aimed at may be on its way back just then, or do nothing that
    could fail.  ``able`` says why this machine cannot do it, "" when it can."""

    name: str
    about: str
    act: Act
    able: Callable[[Site], str] = lambda _site: ""


def kill(name: str, *, ends_all: bool = False) -> Act:
    """SIGKILL to a part; where it takes all others with it, that is waited for."""

    def act(site: Site, _random: Random) -> bool:
        pid = site.pid(name)
        struck = bool(pid) and is_alive(pid)
        if struck:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            wait_for(lambda: not is_alive(pid), f"{name} ({pid}) to end")
        if ends_all and pid:
            site.system.wait_until_ended()
        return struck

    return act


def freeze(shortest_s: float, longest_s: float, *names: str) -> Act:
    """SIGSTOP to one of these parts, and SIGCONT after a while: what it then does, it does late."""

    def act(site: Site, random: Random) -> bool:
        pid = site.pid(random.choice(names))
        if not pid:
            return False
        struck = False
        with contextlib.suppress(AssertionError, ProcessLookupError):
            stop(pid)
            struck = True
        time.sleep(random.uniform(shortest_s, longest_s))
        cont(pid)
        return struck

    return act


def restart_exchange(site: Site, random: Random) -> bool:
    """The exchange is killed and goes on where its record ends."""
    bench = site.bench
    assert bench.venue is not None
    struck = is_alive(bench.venue.pid)
    os.kill(bench.venue.pid, signal.SIGKILL)
    bench.venue.stop()
    time.sleep(random.uniform(0, 0.5))
    bench.venue = VenueChild("--port", str(bench.broker_port), *site.arguments, log=bench.directory / "venue.log")
    return struck


def cut_links(site: Site, random: Random) -> bool:
    """Every connection to the exchange is reset, a few times."""
    struck = False
    for _ in range(random.randint(1, 3)):
        there = links(site.bench.broker_port)
        with contextlib.suppress(OSError, ValueError), site.bench.steering() as hand:
            hand.cut_links()
            struck |= bool(there)
        time.sleep(random.uniform(0, 0.2))
    return struck


def links(port: int) -> int:
    """How many connections to this port of the loopback interface are established (proc(5), ``/proc/net/tcp``)."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return sum(row[2].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


def freeze_exchange(site: Site, random: Random) -> bool:
    """The exchange stands still for a while, with its connections open."""
    assert site.bench.venue is not None
    struck = is_alive(site.bench.venue.pid)
    with site.bench.venue.frozen():
        time.sleep(random.uniform(0.05, 1.0))
    return struck


def second_instance(site: Site, _random: Random) -> bool:
    """A second program is started on the same journals: it must end by itself, and change nothing.

    Where the first one is dead, or dies now, it is not the second one, and goes on in its place.
    """
    second = site.bench.launch()
    programs = (second.process, site.system.process)
    wait_for(lambda: any(program.poll() is not None for program in programs), "one of two programs to end")
    if second.process.poll() is None:
        site.system = second
        return False
    site.bench.systems.remove(second)
    _, told = second.process.communicate()
    first_lives = site.system.process.poll() is None
    assert second.process.returncode or not first_lives, f"a second instance ran beside the first: {told}"
    return first_lives


def fill_disk(site: Site, random: Random) -> bool:
    """The file system of the journals is filled to the last byte, for a while."""
    filler = site.bench.journal_dir / "filler"
    try:
        struck = _fill(filler, bytes(1 << 16)) and _fill(filler, b"x")
        time.sleep(random.uniform(0.1, 1.0))
    finally:
        filler.unlink(missing_ok=True)
    return struck


def _fill(path: Path, piece: bytes) -> bool:
    """Append until the disk is full; says whether it was."""
    try:
        with path.open("ab", buffering=0) as file:
            while file.write(piece):
                pass
    except OSError as error:
        return error.errno == errno.ENOSPC
    return False


def jump_clock(site: Site, random: Random) -> bool:
    """The machine's wall clock jumps by hours, days or years, and stays there until it jumps again."""
    struck = site.clock.jump(random.choice(WALL_JUMP_HOURS) * 3600) and is_alive(site.system.pid)
    time.sleep(random.uniform(0, READ_EVERY_S))  # what comes next may come before or after they are told
    return struck


def fail_calls(call: str, error: str) -> Act:
    """A system call of a cell fails for a moment, by strace's fault injection."""

    def act(site: Site, random: Random) -> bool:
        pid = site.pid(random.choice(("cell-0", "cell-1", "gateway")))
        if not pid:
            return False
        told = site.bench.directory / "strace.txt"
        told.unlink(missing_ok=True)
        tracer = _failing(pid, call, f"{error}:when={random.randint(1, 3)}..{random.randint(3, 5)}", told)
        with contextlib.suppress(subprocess.TimeoutExpired):
            tracer.wait(random.uniform(0.3, 1.0))
        tracer.terminate()
        tracer.communicate(timeout=10)
        return told.exists() and INJECTED in told.read_text()

    return act


def _failing(pid: int, call: str, error: str, told: Path) -> subprocess.Popen[str]:
    """An strace that has a system call of this process fail and tells of each in a file, until it is ended."""
    assert STRACE is not None
    return subprocess.Popen(
        [
            STRACE, "-f", "-qq", "-o", str(told), "-p", str(pid),
            "-e", f"trace={call}", "-e", f"inject={call}:error={error}",
        ],
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


@cache
def injecting_is_refused() -> str:
    """Why no call of another process can be made to fail here; "" when one could: it is tried."""
    if STRACE is None:
        return "strace is not installed"
    command = [sys.executable, "-c", ENDS_WHEN_REFUSED]
    with TemporaryDirectory() as name, subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        told = Path(name) / "strace.txt"
        tracer = _failing(other.pid, "getdents64", "EIO", told)
        try:
            _, why = tracer.communicate(timeout=PROBE_S)  # it ends with who is traced, or when it may not trace
        except subprocess.TimeoutExpired:
            tracer.kill()
            why = f"{tracer.communicate()[1]} no call failed within {PROBE_S} s"
        finally:
            other.kill()
        failed = told.exists() and INJECTED in told.read_text()
    return "" if failed else f"strace cannot have a call of another process fail: {why.strip()}"


def _needs_tmpfs(site: Site) -> str:
    return "" if site.has_tmpfs else "no tmpfs can be mounted here"


def _needs_clock(site: Site) -> str:
    return site.clock.unable


def _needs_strace(_site: Site) -> str:
    return injecting_is_refused()


def _needs_gdb(_site: Site) -> str:
    return cutting_is_refused()


FAULTS = (
    Fault("kill cell-0", "SIGKILL of a cell", kill("cell-0")),
    Fault("kill cell-1", "SIGKILL of the other cell", kill("cell-1")),
    Fault("kill gateway", "SIGKILL of the gateway", kill("gateway")),
    Fault("kill notifier", "SIGKILL of the notifier", kill("notifier")),
    Fault("kill reconciler", "SIGKILL of the position reconciler", kill("reconciler")),
    Fault("kill cells", "SIGKILL of the supervisor of the cells", kill("cells")),
    Fault("kill root", "SIGKILL of the root supervisor", kill("root", ends_all=True)),
    Fault("kill admin", "SIGKILL of the actor system's admin", kill("admin", ends_all=True)),
    Fault("kill program", "SIGKILL of the main program", kill("program", ends_all=True)),
    Fault("freeze cell", "SIGSTOP of either cell, up to beyond its heartbeat", freeze(0.05, 3.0, "cell-0", "cell-1")),
    Fault("freeze gateway", "SIGSTOP of the gateway, up to beyond its heartbeat", freeze(0.05, 3.0, "gateway")),
    Fault("freeze cells", "SIGSTOP of the cells' supervisor beyond its heartbeat", freeze(2.2, 4.0, "cells")),
    Fault("freeze root", "SIGSTOP of the root supervisor, longer than it waits for others", freeze(2.2, 4.0, "root")),
    Fault("freeze program", "SIGSTOP of the main program or the admin", freeze(0.05, 4.0, "program", "admin")),
    Fault("freeze all", "SIGSTOP of every process, and a second program meanwhile", freeze_all),
    Fault(
        "outlive",
        "SIGKILL of all above a stopped cell or gateway, which is told to go on beside its successor",
        outlive,
    ),
    Fault(
        "zombie",
        "the same where its lifeline was cut, by gdb: it has to be ended by hand",
        zombie,
        _needs_gdb,
    ),
    Fault("revive", "the same, and it is told to go on before its successor can", revive, _needs_gdb),
    Fault("restart exchange", "SIGKILL of the exchange, which goes on where its record ends", restart_exchange),
    Fault("freeze exchange", "SIGSTOP of the exchange", freeze_exchange),
    Fault("cut links", "connections to the exchange are reset", cut_links),
    Fault("second instance", "a second program on the same journals", second_instance),
    Fault("clock jump", "the wall clock of the system jumps by hours, days or years", jump_clock, _needs_clock),
    Fault("full disk", "the journals' file system is full", fill_disk, _needs_tmpfs),
    Fault(
        "EIO of fdatasync",
        "injected by strace",
        fail_calls("fdatasync", "EIO"),
        _needs_strace,
    ),
    Fault("EIO of pwrite64", "the same for writes", fail_calls("pwrite64", "EIO"), _needs_strace),
    Fault("ENOSPC of pwrite64", "the same, as of a full disk", fail_calls("pwrite64", "ENOSPC"), _needs_strace),
)


@contextlib.contextmanager
def tmpfs(directory: Path) -> Iterator[bool]:
    """A small file system of its own at ``directory``; says whether it could be mounted."""
    directory.mkdir(parents=True, exist_ok=True)
    mount, umount = shutil.which("mount"), shutil.which("umount")
    done = bool(mount and umount) and os.geteuid() == 0
    if done and mount:
        command = [mount, "-t", "tmpfs", "-o", f"size={TMPFS_BYTES}", "legkeeper-campaign", str(directory)]
        done = subprocess.run(command, check=False, capture_output=True).returncode == 0
    try:
        yield done
    finally:
        if done and umount:
            subprocess.run([umount, "-l", str(directory)], check=False, capture_output=True)
