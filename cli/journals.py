"""The journals of a system's cells, read-only; they answer while the system runs and while it is down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from cli.problems import BadInput, CommandFailed
from config.paths import all_gateway_journals, all_journal_paths, all_vanished_journals
from config.schema import Config
from domain.groups import group_tag
from messages.records import GroupRecord
from storage.reader import JournalReader


def paths(config: Config) -> list[Path]:
    """The journal files that exist, live ones first.  Raises ``CommandFailed`` when there never was one."""
    found = all_journal_paths(config.system.journal_dir)
    if not found and not all_vanished_journals(config.system.journal_dir):
        raise CommandFailed(
            f"there is no journal in {config.system.journal_dir}; start the system once, or name its configuration "
            "with --config"
        )
    return found


def audited(config: Config) -> list[Path]:
    """The journals of the cells and the gateways' own (E15)."""
    return [*paths(config), *all_gateway_journals(config.system.journal_dir)]


def missing(config: Config) -> list[tuple[Path, str]]:
    """The journals that were there once and are not now, each with what to say about it."""
    return [
        (path, f"{path}: the file is missing, but it was there before; restore the latest copy before trading")
        for path in all_vanished_journals(config.system.journal_dir)
    ]


def groups(config: Config) -> list[GroupRecord]:
    """Every group of every cell, oldest first."""
    found: list[GroupRecord] = []
    for path in paths(config):
        with JournalReader(path, snapshot=True) as reader:
            found += reader.groups()
    return sorted(found, key=lambda group: (group.created_ns, group.group_id))


def unresolved(config: Config) -> dict[str, int]:
    """How many orders of unknown fate each group has, in all cells."""
    found: dict[str, int] = {}
    for path in paths(config):
        with JournalReader(path) as reader:
            found |= reader.unresolved()
    return found


def name_of(config: Config, path: Path) -> str:
    """What a journal is called in listings: ``cell-0.db``, ``paper/cell-25.db``."""
    return str(path.resolve().relative_to(Path(config.system.journal_dir).resolve()))


@contextmanager
def holding(config: Config, group_id: str) -> Iterator[JournalReader]:
    """The journal that knows this group, as of one moment.  Raises ``BadInput`` with the nearest ids when none does."""
    for path in paths(config):
        with JournalReader(path, snapshot=True) as reader:
            if reader.group(group_id) is not None:
                yield reader
                return
            archived = reader.archived_in(group_tag(group_id))
        if archived is not None:
            raise BadInput(
                f"the group {group_id!r} was archived to {archived}; ask there: set LEGKEEPER_SYSTEM_JOURNAL_DIR to "
                f"{Path(archived).parent}"
            )
    known = [group.group_id for group in groups(config)]
    near = get_close_matches(group_id, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "'groups' lists those that there are"
    raise BadInput(f"no journal in {config.system.journal_dir} knows the group {group_id!r}; {hint}")
