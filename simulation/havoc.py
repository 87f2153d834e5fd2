"""What the kill campaign does to a running system: each fault by name, and whether this machine can do it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from simulation.bench import Bench, cont, is_alive, stop, wait_for
from simulation.host_clock import READ_EVERY_S, HostClock
from simulation.strikes import WALL_JUMP_HOURS
from venue.child import VenueChild

LOOK_EVERY_S = 0.5
TMPFS_BYTES = 64 * 1024 * 1024
STRACE = shutil.which("strace")


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


Act = Callable[[Site, Random], None]


class Fault(NamedTuple):
    """One row.  ``able`` says why this machine cannot do it, "" when it can."""

    name: str
    about: str
    act: Act
    able: Callable[[Site], str] = lambda _site: ""


def kill(name: str, *, ends_all: bool = False) -> Act:
    """SIGKILL to a part; where it takes all others with it, that is waited for."""

    def act(site: Site, _random: Random) -> None:
        pid = site.pid(name)
        if not pid:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not is_alive(pid), f"{name} ({pid}) to end")
        if ends_all:
            site.system.wait_until_ended()

    return act


def freeze(name: str, shortest_s: float, longest_s: float) -> Act:
    """SIGSTOP to a part, and SIGCONT after a while: what it then does, it does late."""

    def act(site: Site, random: Random) -> None:
        pid = site.pid(name)
        if not pid:
            return
        with contextlib.suppress(AssertionError, ProcessLookupError):
            stop(pid)
        time.sleep(random.uniform(shortest_s, longest_s))
        cont(pid)

    return act


def restart_exchange(site: Site, random: Random) -> None:
    """The exchange is killed and goes on where its record ends."""
    bench = site.bench
    assert bench.venue is not None
    os.kill(bench.venue.pid, signal.SIGKILL)
    bench.venue.stop()
    time.sleep(random.uniform(0, 0.5))
    bench.venue = VenueChild("--port", str(bench.broker_port), *site.arguments, log=bench.directory / "venue.log")


def cut_links(site: Site, random: Random) -> None:
    """Every connection to the exchange is reset, a few times."""
    for _ in range(random.randint(1, 3)):
        with contextlib.suppress(OSError, ValueError), site.bench.steering() as hand:
            hand.cut_links()
        time.sleep(random.uniform(0, 0.2))


def freeze_exchange(site: Site, random: Random) -> None:
    """The exchange stands still for a while, with its connections open."""
    assert site.bench.venue is not None
    with site.bench.venue.frozen():
        time.sleep(random.uniform(0.05, 1.0))


def second_instance(site: Site, _random: Random) -> None:
    """A second program is started on the same journals: it must end by itself, and change nothing.

    Where the first one is dead, or dies now, it is not the second one, and goes on in its place.
    """
    second = site.bench.launch()
    programs = (second.process, site.system.process)
    wait_for(lambda: any(program.poll() is not None for program in programs), "one of two programs to end")
    if second.process.poll() is None:
        site.system = second
        return
    site.bench.systems.remove(second)
    _, told = second.process.communicate()
    first_lives = site.system.process.poll() is None
    assert second.process.returncode or not first_lives, f"a second instance ran beside the first: {told}"


def fill_disk(site: Site, random: Random) -> None:
    """The file system of the journals is filled to the last byte, for a while."""
    filler = site.bench.journal_dir / "filler"
    try:
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(1 << 16)):
                pass
        with contextlib.suppress(OSError), filler.open("ab", buffering=0) as file:
            while file.write(b"x"):
                pass
        time.sleep(random.uniform(0.1, 1.0))
    finally:
        filler.unlink(missing_ok=True)


def jump_clock(site: Site, random: Random) -> None:
    """The machine's wall clock jumps by hours, days or years, and stays there until it jumps again."""
    site.clock.jump(random.choice(WALL_JUMP_HOURS) * 3600)
    time.sleep(random.uniform(0, READ_EVERY_S))  # what comes next may come before or after they are told


def fail_calls(call: str, error: str) -> Act:
    """A system call of a cell fails for a moment, by strace's fault injection."""

    def act(site: Site, random: Random) -> None:
        pid = site.pid(random.choice(("cell-0", "cell-1", "gateway")))
        if not pid or STRACE is None:
            return
        injection = f"inject={call}:error={error}:when={random.randint(1, 3)}..{random.randint(3, 5)}"
        tracer = subprocess.Popen(
            [STRACE, "-f", "-qq", "-o", os.devnull, "-p", str(pid), "-e", f"trace={call}", "-e", injection],
            stderr=subprocess.DEVNULL,
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            tracer.wait(random.uniform(0.3, 1.0))
        tracer.terminate()
        tracer.wait(10)

    return act


def _needs_tmpfs(site: Site) -> str:
    return "" if site.has_tmpfs else "no tmpfs can be mounted here"


def _needs_clock(site: Site) -> str:
    return site.clock.unable


def _needs_strace(_site: Site) -> str:
    return "" if STRACE else "strace is not installed"


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
    Fault("freeze cell", "SIGSTOP of a cell, up to beyond its heartbeat", freeze("cell-0", 0.05, 3.0)),
    Fault("freeze gateway", "SIGSTOP of the gateway, up to beyond its heartbeat", freeze("gateway", 0.05, 3.0)),
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
