"""The sweeps: a power cut at every call, a full disk at every size, a failing sync at every sync, a flipped bit."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Final

import apsw
import msgspec

from simulation.disk.life import BALLAST_BYTES, Life, Lost, Mark, afterlife, live, remember_epoch
from simulation.disk.medium import (
    CREATE,
    FAILED_SYNC,
    SYNC,
    WRITE,
    Call,
    Files,
    Medium,
    everything,
    nothing,
    some,
)
from storage.opening import Synchronous
from storage.ownership import beside
from storage.port import JournalCorrupt

PAGE: Final = 4096
RAM: Final = Path("/dev/shm")  # noqa: S108 - the companions of a journal are tiny, and synced often


class Case(msgspec.Struct, frozen=True):
    """One run.  ``number`` counts calls (power, rot: places), bytes (full), or syncs (sync) of the recorded life."""

    kind: str  # power, power_normal, full, sync, rot
    number: int
    variant: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.number}:{self.variant}"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it: ``outcome`` in a word, ``lost`` acknowledged turns, ``wrong`` what must not be."""

    case: Case
    outcome: str
    lost: int = 0
    wrong: str = ""


class Bench:
    """A directory for the lock and the ballast, and the recorded lives, by (turns, openings, synchronous)."""

    def __init__(self, turns: int, openings: int) -> None:
        self.turns, self.openings = turns, openings
        self.directory = Path(mkdtemp(prefix="journal-", dir=RAM if RAM.is_dir() else None)).resolve()
        self.path = self.directory / "cell-0.db"
        self.lives = {"FULL": self.record("FULL"), "NORMAL": self.record("NORMAL")}

    def record(self, synchronous: Synchronous, medium: Medium | None = None) -> Life:
        """Live once more."""
        remember_epoch(self.path, 0)
        life = live(medium or Medium(), self.path, self.turns, self.openings, synchronous)
        if medium is None and life.failed:
            raise Lost(f"the recorded life failed: {life.failed}")
        return life

    def close(self) -> None:
        """Remove the directory."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def cases(self, variants: int, every: int = 1) -> Iterator[Case]:
        """All of them; of each sweep every so-manyth."""
        life = self.lives["FULL"]
        for kind, recorded in (("power", life), ("power_normal", self.lives["NORMAL"])):
            yield from (
                Case(kind, number, variant)
                for number in range(0, len(recorded.medium.calls) + 1, every)
                for variant in range(variants)
            )
        sizes = range(PAGE, _size(life) + PAGE, PAGE)
        yield from (Case("full", size, variant) for size in sizes[::every] for variant in range(2))
        syncs = range(sum(call.kind == SYNC for call in life.medium.calls))
        yield from (Case("sync", number, variant) for number in syncs[::every] for variant in range(2))
        yield from (Case("rot", number, variant) for number in range(0, 400, every) for variant in range(2))

    def run(self, case: Case) -> Verdict:
        """One case; what raises is told as wrong."""
        try:
            match case.kind:
                case "power":
                    return self._power(case, self.lives["FULL"])
                case "power_normal":
                    return self._power_normal(case)
                case "full":
                    return self._full(case)
                case "sync":
                    return self._sync(case)
            return self._rot(case)
        except Exception as error:
            return Verdict(case=case, outcome="violation", wrong=f"{type(error).__name__}: {error}")

    # --- power cuts ---

    def _power(self, case: Case, life: Life) -> Verdict:
        told = life.acknowledged(case.number)
        self._after(_cut(life.medium, case), life, told)
        return Verdict(case=case, outcome="nothing lost")

    def _power_normal(self, case: Case) -> Verdict:
        life = self.lives["NORMAL"]
        told = life.acknowledged(case.number)
        # The epoch alone is synced: the lock file's own fsync remembers it.
        found = self._after(_cut(life.medium, case), life, Mark(told.calls, told.epoch, 0))
        lost = max(0, told.turn - found)
        return Verdict(case=case, outcome="lost turns" if lost else "nothing lost", lost=lost)

    def _after(self, files: Files, life: Life, told: Mark, further: int = 1) -> int:
        remember_epoch(self.path, told.epoch)
        return afterlife(files, self.path, life, told, further)

    # --- a full disk ---

    def _full(self, case: Case) -> Verdict:
        """The disk holds so many bytes beside the ballast; variant 1: and not even the ballast fits."""
        medium = Medium()
        ballast = beside(self.path, ".ballast")

        def before(call: Call) -> None:
            if call.kind != WRITE:
                return
            grows = max(0, call.offset + len(call.data) - len(medium.files[call.file]))
            room = case.number + (BALLAST_BYTES if not case.variant and not ballast.exists() else 0)
            if grows and medium.size() + grows > room:
                raise apsw.FullError("database or disk is full")

        medium.before = before
        life = self.record("FULL", medium)
        told = life.acknowledged(len(medium.calls))
        lenient = self._after(medium.after_power_cut(len(medium.calls), nothing), life, told)
        self._after(medium.after_power_cut(len(medium.calls), everything), life, told)
        done = len(life.attempted) == lenient and not life.failed
        return Verdict(case=case, outcome="went on" if done else "refused, nothing lost")

    # --- a sync that fails ---

    def _sync(self, case: Case) -> Verdict:
        """The sync fails once, and the kernel forgets what it was to write.

        Variant 0: the power goes at once.  1: only the process is restarted, goes on, and then the power goes.
        """
        medium = Medium()
        left = [case.number]

        def before(call: Call) -> None:
            if call.kind == SYNC:
                left[0] -= 1
                if left[0] == -1:
                    medium.calls.append(Call(FAILED_SYNC, call.file))
                    raise apsw.IOError("disk I/O error")

        medium.before = before
        life = self.record("FULL", medium)
        told = life.acknowledged(len(medium.calls))
        if case.variant == 0:
            self._after(medium.after_power_cut(len(medium.calls), nothing), life, told)
            return Verdict(case=case, outcome="refused, nothing lost" if life.failed else "went on")
        medium.before = lambda _call: None
        again = self._go_on(medium, life, told)
        self._after(medium.after_power_cut(len(medium.calls), nothing), again, again.marks[-1])
        return Verdict(case=case, outcome="restarted, nothing lost")

    def _go_on(self, medium: Medium, life: Life, told: Mark) -> Life:
        """The next owner on the same machine: it sees what was written, synced or not, and goes on."""
        remember_epoch(self.path, told.epoch)
        return live(medium, self.path, 3, 1, after=life)

    # --- rot ---

    def _rot(self, case: Case) -> Verdict:
        """One bit flips: after a power cut (variant 0; in the file or its WAL), or after closing in order (1)."""
        life = self.lives["FULL"]
        calls = life.medium.calls
        random = Random(case.number)  # noqa: S311 - repeatable, not secret
        opened = [number for number, call in enumerate(calls) if call.kind == CREATE and call.file.endswith("-wal")]
        end = opened[1] if case.variant else len(calls)
        files = life.medium.after_power_cut(end, everything)
        name = random.choice(sorted(name for name in files if files[name]))
        data = bytearray(files[name])
        place = random.randrange(len(data))
        data[place] ^= 1 << random.randrange(8)
        told = life.acknowledged(end)
        try:
            self._after({**files, name: bytes(data)}, life, told)
        except JournalCorrupt:
            return Verdict(case=case, outcome="found at the opening")
        except Lost as lost:
            if "turns are there" in str(lost):
                return Verdict(case=case, outcome="tail of the WAL cut off", lost=told.turn)
            if "is not the log folded" in str(lost):
                return Verdict(case=case, outcome="found by journal verify")
            return Verdict(case=case, outcome="violation", wrong=str(lost))
        return Verdict(case=case, outcome="harmless")


def _cut(medium: Medium, case: Case) -> Files:
    """Variant 0: nothing unsynced is left; 1: all of it; others: some."""
    ways = (nothing, everything)
    random = Random(case.number * 1_000 + case.variant)  # noqa: S311 - repeatable, not secret
    return medium.after_power_cut(case.number, ways[case.variant] if case.variant < 2 else some(random))


def _size(life: Life) -> int:
    """The most bytes that the life's files had at once, about."""
    medium = Medium()
    most = 0
    for call in life.medium.calls:
        medium.do(call)
        most = max(most, medium.size())
    return most
