"""Where a group goes while journals cannot be read: never into both realms; and a cancel to all who may know it."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from pathlib import Path

import left_journals
import pytest
from system import plan

from config.paths import journal_path, paper_dir
from config.schema import Config, RolloutConfig, SystemConfig
from decisions.groups.validation import validate
from domain.groups import GroupOutcome, GroupStatus, Mode
from domain.rollout import FIRST_CELL, Realm, cell_for
from messages.records import GroupRecord
from storage.port import Turn
from storage.sqlite import open_journal
from supervisors.routing import NotRouted, Router, home
from venue.chain import seeded_chain

LIVE, PAPER = "in-live-1", "on-paper-1"
TODAY = date(2026, 1, 5)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A journal for each cell of both realms; two groups are known."""
    paper_dir(tmp_path).mkdir()
    for realm, group_id in ((Realm.LIVE, LIVE), (Realm.PAPER, PAPER)):
        for path in paths(tmp_path, realm):
            with closing(open_journal(path)) as journal:
                if path.name == f"cell-{cell_for(group_id, realm, 2)}.db":
                    journal.commit(Turn(epoch=journal.epoch, at_ns=1, records=(known(group_id, realm),)))
    return tmp_path


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


def router(directory: Path, share: int, mode: str = "rollout") -> Router:
    return Router(
        Config(system=SystemConfig(journal_dir=str(directory)), rollout=RolloutConfig(mode=mode, live_share_pct=share))
    )


def spoil(directory: Path, *spoiled: Realm) -> None:
    for realm in spoiled:
        for path in paths(directory, realm):
            left_journals.damage(path, ["order_groups", "archived_groups"])


def test_what_can_be_read_says_where_a_group_is(directory: Path) -> None:
    assert home(directory, LIVE) == (Realm.LIVE, {})
    assert home(directory, PAPER) == (Realm.PAPER, {})
    assert home(directory, "new") == (None, {})


@pytest.mark.parametrize(("spoiled", "share"), [(Realm.PAPER, 100), (Realm.LIVE, 0)])
def test_a_group_that_the_other_realm_may_know_is_entered_in_neither(
    directory: Path, spoiled: Realm, share: int
) -> None:
    spoil(directory, spoiled)
    for group_id in (LIVE if spoiled is Realm.LIVE else PAPER, "new"):
        with pytest.raises(NotRouted, match=rf"is a {spoiled.value} group already is not known.*restore the latest"):
            router(directory, share).cell_of_new(group_id)


@pytest.mark.parametrize(("spoiled", "share"), [(Realm.PAPER, 0), (Realm.LIVE, 100)])
def test_its_own_realm_is_judged_by_its_own_cells(directory: Path, spoiled: Realm, share: int) -> None:
    """The damage of one journal does not stop its realm: the cell refuses what it has taken before."""
    spoil(directory, spoiled)
    assert router(directory, share).cell_of_new("new") == cell_for("new", spoiled, 2)


@pytest.mark.parametrize(("share", "group_id", "realm"), [(0, LIVE, Realm.LIVE), (100, PAPER, Realm.PAPER)])
def test_a_group_that_is_known_goes_where_it_is_whatever_cannot_be_read(
    directory: Path, share: int, group_id: str, realm: Realm
) -> None:
    spoil(directory, Realm.PAPER if realm is Realm.LIVE else Realm.LIVE)
    assert router(directory, share).cell_of_new(group_id) == cell_for(group_id, realm, 2)
    assert router(directory, share).cells_of_known(group_id) == [cell_for(group_id, realm, 2)]


def test_a_realm_that_does_not_run_hinders_nobody(directory: Path) -> None:
    spoil(directory, Realm.PAPER)
    only_live = router(directory, 0, "live")
    assert only_live.cell_of_new("new") == cell_for("new", Realm.LIVE, 2)
    assert only_live.cells_of_known("new") == [cell_for("new", Realm.LIVE, 2)]
    assert only_live.cells_of_known(LIVE) == [cell_for(LIVE, Realm.LIVE, 2)]


def test_a_cancel_asks_all_who_may_know_what_no_reader_sees(directory: Path) -> None:
    spoil(directory, Realm.PAPER)
    assert router(directory, 50).cells_of_known(PAPER) == [cell_for(PAPER, Realm.PAPER, 2)]
    spoil(directory, Realm.LIVE)
    both = [cell_for(PAPER, realm, 2) for realm in (Realm.LIVE, Realm.PAPER)]
    assert router(directory, 50).cells_of_known(PAPER) == both


def test_a_journal_that_its_cell_is_about_to_make_holds_nothing(directory: Path) -> None:
    left_journals.make_file_only(journal_path(paper_dir(directory), 30))
    assert home(directory, "new") == (None, {})
