"""Where a group goes: where it is known, whatever the share and the number of cells have become, and never twice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import left_journals
import pytest
from asked_tree import DONE, UNKNOWN, Tree, cells, running
from msgspec.structs import replace
from system import plan

from cli.rollout import route
from config.paths import journal_path, paper_dir
from config.schema import Config, PaperConfig, RolloutConfig, SystemConfig
from decisions.groups.validation import validate
from domain.groups import GroupOutcome, GroupStatus, Mode, group_tag
from domain.rollout import FIRST_CELL, OTHER, Realm, cell_for
from messages.operator import CancelGroup
from messages.records import GroupRecord
from storage.archive import archive
from storage.port import Turn
from storage.reader import JournalReader
from storage.sqlite import open_journal
from supervisors.routing import Home, NotRouted, Router, home
from venue.chain import seeded_chain

__all__ = ["running"]  # a fixture

LIVE, PAPER = "in-live-1", "on-paper-1"
NAMES = {Realm.LIVE: r"cell-\d", Realm.PAPER: r"paper-cell-2\d"}
TODAY = date(2026, 1, 5)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A journal for each cell of both realms; two groups are known."""
    paper_dir(tmp_path).mkdir()
    for realm, group_id in ((Realm.LIVE, LIVE), (Realm.PAPER, PAPER)):
        for path in paths(tmp_path, realm):
            write(path, *([known(group_id, realm)] if path.name == f"cell-{cell_for(group_id, realm, 2)}.db" else []))
    return tmp_path


def write(path: Path, *groups: GroupRecord) -> None:
    with closing(open_journal(path)) as journal:
        at_ns = max((group.updated_ns for group in groups), default=1)
        journal.commit(Turn(epoch=journal.epoch, at_ns=at_ns, records=groups))


def known(group_id: str, realm: Realm) -> GroupRecord:
    instruments = {instrument.symbol: instrument for instrument in seeded_chain(0).instruments}
    return GroupRecord(
        group_id=group_id, cell=cell_for(group_id, realm, 2), strategy="vertical", status=GroupStatus.RISK_SUBMITTED,
        mode=Mode.ENTERING, outcome=GroupOutcome.OPEN, reason="", group=validate(plan(group_id), instruments, TODAY),
        hedges_placed=0, crashes=0, quarantined=False, created_ns=1, updated_ns=1,
    )  # fmt: skip


def paths(directory: Path, realm: Realm) -> list[Path]:
    where = directory if realm is Realm.LIVE else paper_dir(directory)
    return [journal_path(where, cell) for cell in (FIRST_CELL[realm], FIRST_CELL[realm] + 1)]


def router(directory: Path, share: int, mode: str = "rollout", cells: int = 2) -> Router:
    return Router(
        Config(
            system=SystemConfig(journal_dir=str(directory), cells=cells),
            paper=PaperConfig(cells=cells),
            rollout=RolloutConfig(mode=mode, live_share_pct=share),
        )
    )


def moving(realm: Realm, cell: int, cells: int = 3) -> str:
    """A group of this cell when there were two, which another one would get now."""
    names = (f"moving-{n}" for n in range(1_000))
    return next(name for name in names if cell_for(name, realm, 2) == cell != cell_for(name, realm, cells))


def spoil(directory: Path, *spoiled: Realm) -> None:
    for realm in spoiled:
        for path in paths(directory, realm):
            left_journals.damage(path, ["order_groups", "archived_groups"])


def test_what_can_be_read_says_where_a_group_is(directory: Path) -> None:
    assert home(directory, LIVE) == Home((cell_for(LIVE, Realm.LIVE, 2),), {})
    assert home(directory, PAPER) == Home((cell_for(PAPER, Realm.PAPER, 2),), {})
    assert home(directory, "new") == Home((), {})


@pytest.mark.parametrize("realm", Realm)
@pytest.mark.parametrize("share", [0, 100])
@pytest.mark.parametrize("number", [0, 1])
def test_R19_a_group_stays_in_its_cell_when_there_are_more_cells(
    directory: Path, realm: Realm, share: int, number: int
) -> None:
    """Asked of the cell that its id gives by now, a cancel was refused, and the plan entered again."""
    group_id = moving(realm, FIRST_CELL[realm] + number)
    path = paths(directory, realm)[number]
    write(path, known(group_id, realm))
    cell = FIRST_CELL[realm] + number
    assert router(directory, share, cells=3).cells_of_known(group_id) == [cell]
    assert router(directory, share, cells=3).cell_of_new(group_id) == cell
    assert route(router(directory, share, cells=3).config, group_id) == cell, "a dry run says so"


def test_new_groups_are_spread_over_all_cells(directory: Path) -> None:
    wide = router(directory, 100, cells=3)
    assert {wide.cell_of_new(f"new-{n}") for n in range(30)} == {0, 1, 2}
    assert {wide.cells_of_known(f"new-{n}")[0] for n in range(30)} == {0, 1, 2}, "they are where they were sent"


def test_an_archived_group_is_known_where_it_was(directory: Path) -> None:
    """Its rows are in another file; its id and its orders' ids are not free."""
    group_id = moving(Realm.LIVE, 1)
    path = journal_path(directory, 1)
    write(path, replace(known(group_id, Realm.LIVE), outcome=GroupOutcome.FLAT))
    write(path, replace(known("late", Realm.LIVE), updated_ns=10))
    archive(path, directory / "archive" / path.name, 5)
    with JournalReader(path) as reader:
        assert reader.group(group_id) is None and reader.archived_in(group_tag(group_id))
    assert router(directory, 100, cells=3).cell_of_new(group_id) == 1
    assert router(directory, 100, cells=3).cells_of_known(group_id) == [1]


def test_a_group_of_a_cell_that_does_not_run_any_more_is_not_entered_by_another(directory: Path) -> None:
    """It has ended, or the start would have been refused; its id is not free for all that."""
    group_id = moving(Realm.LIVE, 1, cells=1)
    write(journal_path(directory, 1), replace(known(group_id, Realm.LIVE), outcome=GroupOutcome.FLAT))
    narrow = router(directory, 100, cells=1)
    with pytest.raises(NotRouted, match=r"submitted before, as one of cell-1, and system.cells = 1 does not run that"):
        narrow.cell_of_new(group_id)
    with pytest.raises(NotRouted, match=r"is one of cell-1, and system.cells = 1 does not run that"):
        narrow.cells_of_known(group_id)


def test_a_group_that_was_entered_twice_is_canceled_in_both_cells(directory: Path, running: Callable[..., Any]) -> None:
    """An earlier legkeeper went by the id alone."""
    group_id = moving(Realm.LIVE, 0)
    write(journal_path(directory, 0), known(group_id, Realm.LIVE))
    write(journal_path(directory, 2), known(group_id, Realm.LIVE))
    assert router(directory, 100, cells=3).cells_of_known(group_id) == [0, 2]
    assert router(directory, 100, cells=3).cell_of_new(group_id) == 0
    assert router(directory, 100, cells=2).cells_of_known(group_id) == [0], "the other cell does not run"
    tree = Tree(lambda _now: cells(0, 1, 2), lambda *_: DONE)
    with running(tree, cells=3) as system:
        assert system.operate(CancelGroup(group_id)) == DONE
    assert [to for to, _ in tree.asked] == ["cell-0", "cell-2"]


@pytest.mark.parametrize(("spoiled", "share"), [(Realm.PAPER, 100), (Realm.LIVE, 0)])
def test_a_group_that_the_other_realm_may_know_is_entered_in_neither(
    directory: Path, spoiled: Realm, share: int
) -> None:
    spoil(directory, spoiled)
    for group_id in (LIVE if spoiled is Realm.LIVE else PAPER, "new"):
        with pytest.raises(NotRouted, match=rf"is one of {NAMES[spoiled]} already is not known.*restore the latest"):
            router(directory, share).cell_of_new(group_id)


@pytest.mark.parametrize(("realm", "share"), [(Realm.PAPER, 0), (Realm.LIVE, 100)])
def test_a_group_that_another_cell_of_its_realm_may_know_is_entered_in_none(
    directory: Path, realm: Realm, share: int
) -> None:
    """There may have been fewer cells when it was entered, or more."""
    group_id = moving(realm, FIRST_CELL[realm])
    write(paths(directory, realm)[0], known(group_id, realm))
    left_journals.damage(paths(directory, realm)[0], ["order_groups", "archived_groups"])
    wide = router(directory, share, cells=3)
    with pytest.raises(NotRouted, match=rf"is one of {NAMES[realm]} already is not known.*restore the latest"):
        wide.cell_of_new(group_id)
    assert set(wide.cells_of_known(group_id)) >= {FIRST_CELL[realm]}


@pytest.mark.parametrize(("realm", "share"), [(Realm.PAPER, 0), (Realm.LIVE, 100)])
def test_what_its_own_journal_holds_is_judged_by_its_own_cell(directory: Path, realm: Realm, share: int) -> None:
    """The cell refuses what it has taken before."""
    path = paths(directory, realm)[cell_for("new", realm, 2) - FIRST_CELL[realm]]
    left_journals.damage(path, ["order_groups", "archived_groups"])
    assert router(directory, share).cell_of_new("new") == cell_for("new", realm, 2)


@pytest.mark.parametrize(("share", "group_id", "realm"), [(0, LIVE, Realm.LIVE), (100, PAPER, Realm.PAPER)])
def test_a_group_that_is_known_goes_where_it_is_whatever_cannot_be_read(
    directory: Path, share: int, group_id: str, realm: Realm
) -> None:
    spoil(directory, OTHER[realm])
    assert router(directory, share).cell_of_new(group_id) == cell_for(group_id, realm, 2)
    assert router(directory, share).cells_of_known(group_id) == [cell_for(group_id, realm, 2)]


def test_a_realm_that_does_not_run_hinders_nobody(directory: Path) -> None:
    spoil(directory, Realm.PAPER)
    only_live = router(directory, 0, "live")
    assert only_live.cell_of_new("new") == cell_for("new", Realm.LIVE, 2)
    assert only_live.cells_of_known("new") == [cell_for("new", Realm.LIVE, 2)]
    assert only_live.cells_of_known(LIVE) == [cell_for(LIVE, Realm.LIVE, 2)]


def test_a_realm_that_does_not_run_keeps_its_groups(directory: Path) -> None:
    with pytest.raises(NotRouted, match=r"submitted before, as one of paper-cell-2\d, and rollout.mode = 'live'"):
        router(directory, 0, "live").cell_of_new(PAPER)
    with pytest.raises(NotRouted, match="set it to 'rollout'"):
        router(directory, 0, "live").cells_of_known(PAPER)


def test_a_cancel_asks_all_who_may_know_what_no_reader_sees(directory: Path) -> None:
    by_id = cell_for(PAPER, Realm.LIVE, 2)
    assert router(directory, 50).cells_of_known("nobody") == [cell_for("nobody", Realm.LIVE, 2)]
    spoil(directory, Realm.PAPER)
    assert router(directory, 50).cells_of_known(PAPER) == [by_id, 25, 26]
    spoil(directory, Realm.LIVE)
    assert router(directory, 50).cells_of_known(PAPER) == [by_id, 1 - by_id, 25, 26]


@pytest.mark.parametrize("knows", ["cell-0", "cell-1"])
def test_a_cancel_is_done_when_one_of_them_has_done_it(
    directory: Path, running: Callable[..., Any], knows: str
) -> None:
    spoil(directory, Realm.LIVE)
    tree = Tree(lambda _now: cells(0, 1), lambda to, _: DONE if to == knows else UNKNOWN)
    with running(tree) as system:
        assert system.operate(CancelGroup(LIVE)) == DONE


def test_a_journal_that_its_cell_is_about_to_make_holds_nothing(directory: Path) -> None:
    left_journals.make_file_only(journal_path(paper_dir(directory), 30))
    assert home(directory, "new") == Home((), {})
