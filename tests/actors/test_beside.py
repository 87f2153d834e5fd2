"""What a cell knows of the other realm comes from a file that may be damaged: that is a problem, and no crash."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from trader import rules
from world import World

from actors.beside import OnDisk
from actors.cell_tree import CellTree
from config.realms import journal_beside, view
from config.schema import Config, PaperConfig, RolloutConfig, SystemConfig
from domain.rollout import Realm
from storage.sqlite import open_journal
from storage.tables import GROUPS


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Both realms, one cell each, and a strategy of which the paper cell has written down that it exists."""
    config = Config(
        system=SystemConfig(journal_dir=str(tmp_path), cells=1),
        paper=PaperConfig(cells=1),
        rollout=RolloutConfig(mode="rollout", live_share_pct=100),
        strategy=(rules(),),
    )
    paper = view(config, Realm.PAPER)
    path = of_paper(config)
    path.parent.mkdir(parents=True)
    journal = open_journal(path)

    class PaperWorld(World):
        def new_cell(self) -> CellTree:
            return CellTree(25, paper, journal, **self.declared)

    PaperWorld(config=paper).advance(1_000)
    journal.close()
    return config


def of_paper(config: Config) -> Path:
    return journal_beside(rules().name, config, Realm.LIVE)


def live_cell(config: Config) -> World:
    class Live(World):
        def new_cell(self) -> CellTree:
            return CellTree(0, config, self.journal, **self.declared, beside=OnDisk(config, Realm.LIVE))

    return Live(config=config)


def spoil(path: Path) -> None:
    """One page of the file is rubbish: the first of the strategies."""
    with sqlite3.connect(path) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = conn.execute("SELECT rootpage FROM sqlite_master WHERE name = 'strategies'").fetchone()
        (size,) = conn.execute("PRAGMA page_size").fetchone()
    conn.close()
    content = bytearray(path.read_bytes())
    content[(page - 1) * size : (page - 1) * size + 64] = b"\xff" * 64
    path.write_bytes(content)


def misspell(path: Path) -> None:
    """A row says what no strategy can be."""
    with sqlite3.connect(path) as conn:
        conn.execute("UPDATE strategies SET status = 'nonsense'")
    conn.close()


@pytest.mark.parametrize("damage", [spoil, misspell])
def test_a_cell_lives_on_beside_a_damaged_journal(config: Config, damage: object) -> None:
    assert OnDisk(config, Realm.LIVE).look(rules().name).other is not None
    assert callable(damage)
    damage(of_paper(config))
    told = OnDisk(config, Realm.LIVE).look(rules().name)
    assert str(of_paper(config)) in told.problem
    world = live_cell(config)
    world.advance(5_000, fresh=True)
    world.restart()
    world.advance(5_000, fresh=True)
    assert not world.journal.rows(GROUPS), "where a new group belongs is not known"
