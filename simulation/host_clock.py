"""The time of day that a system under test is told: that of this machine, or hours and years beside it.

A clock cannot be set for a few processes alone, but what they ask it can be answered by another: libfaketime, which is
loaded before the C library and adds what a file says (https://github.com/wolfcw/libfaketime).  Every process that was
started in :attr:`HostClock.environment` is told the same, the running ones within a second.  The monotonic clock, the
times of files, and the exchange, which is another machine, are left as they are.  What Debian 12 has of it (0.9.10)
breaks every sleep of Python 3.11 when the monotonic clock is left alone (its issue 426); PyPI's is newer.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from storage.durable import replace

SHARED: Final = Path("/dev/shm")  # noqa: S108 - where shm_open(3) and sem_open(3) keep them
READ_EVERY_S: Final = 1  # the library's shortest, but for every call
PROBE_S: Final = 1_000_000
PROBE: Final = "import time; time.sleep(0.001); print(time.time(), time.monotonic())"


def libraries() -> list[Path]:
    """Where libfaketime may lie: as the extra ``campaign`` installs it, and as Debian does."""
    spec = find_spec("libfaketime")
    rooms = [Path(room) / "vendor" / "libfaketime" / "src" for room in (spec and spec.submodule_search_locations) or ()]
    found = [room / "libfaketime.so.1" for room in rooms]
    return [path for path in found if path.exists()] + sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))


def tidy(pids: Iterable[int]) -> None:
    """Remove the shared memory that the library made for each program, and that a killed one left behind."""
    for pid in pids:
        for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
            (SHARED / name).unlink(missing_ok=True)


class HostClock:
    """One that can jump, where a libfaketime works; else this machine's, and :attr:`environment` is empty."""

    def __init__(self, directory: Path) -> None:
        self.environment: dict[str, str] = {}
        self.unable = "libfaketime is not installed"
        self._path = directory / "host-clock"
        for library in libraries():
            environment = self._preloading(library)
            self.unable = self._probe(environment)
            if not self.unable:
                self.environment = environment
                break
        self.jump(0)

    def jump(self, beside_s: int) -> bool:
        """From now on it is so many seconds beside this machine's clock; says whether it was not before."""
        told = f"{beside_s:+d}\n".encode()
        moved = not self._path.exists() or self._path.read_bytes() != told
        replace(self._path, told)
        return moved

    def _preloading(self, library: Path) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._path),
            "FAKETIME_CACHE_DURATION": str(READ_EVERY_S),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def _probe(self, environment: dict[str, str]) -> str:
        """Why this library is of no use; "" when a process that slept and asked was told what the file says."""
        self.jump(PROBE_S)
        command = [sys.executable, "-c", PROBE]
        said = subprocess.run(command, env=os.environ | environment, capture_output=True, check=False, text=True)
        told = [float(word) for word in said.stdout.split()]
        clocks = (time.time() + PROBE_S, time.monotonic())
        if len(told) == len(clocks) and all(
            abs(one - other) < PROBE_S / 2 for one, other in zip(told, clocks, strict=True)
        ):
            return ""
        why = (said.stdout or said.stderr).strip().splitlines()
        return f"{environment['LD_PRELOAD']} does not work with this Python: {why[-1] if why else 'it said nothing'}"
