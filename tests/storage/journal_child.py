"""A process that owns a journal, for tests that need a real one: ``journal_child.py <task> <path>``."""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

from journal_data import commit, event_record, group_record, intent_record

from storage.port import CommitUnknown
from storage.sqlite import open_journal


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def commit_forever(path: Path) -> None:
    journal = open_journal(path)
    say(f"epoch {journal.epoch}")
    for number in count(1):
        event = f"{journal.epoch}-{number}"
        say(f"{commit(journal, event_record(event), group_record(event), intent_record(event))} {event}")


def hold(path: Path) -> None:
    journal = open_journal(path)
    commit(journal, group_record("held"))
    say("held")
    sys.stdin.readline()
    journal.close()


def die_without_closing(path: Path) -> None:
    journal = open_journal(path)
    commit(journal, group_record("last"))
    raise SystemExit(f"died after turn {journal.head.turn}")


def fill_the_disk(path: Path) -> None:
    """Fill the small disk that ``path`` is on; then say how commits and another opening went."""
    journal = open_journal(path)
    commit(journal, group_record("before"))
    with (path.parent / "filler").open("wb", buffering=0) as filler:
        for size in (4096, 512, 1):
            try:
                while True:
                    filler.write(b"x" * size)
            except OSError:
                say(f"full {size}")
    outcomes = []
    for number in range(1000):
        try:
            commit(journal, group_record(f"after-{number}"))
            outcomes.append("ok" + "-low" * journal.storage_low)
        except CommitUnknown:
            outcomes.append("unknown")
            break
    say(" ".join(dict.fromkeys(outcomes)))
    say(f"{len(outcomes)} low={journal.storage_low} ballast={path.with_name(path.name + '.ballast').exists()}")
    journal.close()
    (path.parent / "filler").unlink()
    journal = open_journal(path)
    kept = {f"after-{n}" for n in range(1000) if journal.group(f"after-{n}")}
    say(f"acknowledged={outcomes.count('ok-low') + outcomes.count('ok')} kept={len(kept)} low={journal.storage_low}")
    journal.close()


if __name__ == "__main__":
    tasks = (commit_forever, hold, die_without_closing, fill_the_disk)
    {task.__name__: task for task in tasks}[sys.argv[1]](Path(sys.argv[2]))
