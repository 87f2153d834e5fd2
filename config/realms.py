"""What the realms make of one configuration: which of them there are, and how a process on paper sees it."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from config.paths import journal_path, paper_dir
from config.schema import BrokerConfig, Config
from domain.rollout import OTHER, Realm, cell_for, cells_in


def realms(config: Config) -> tuple[Realm, ...]:
    """The realms that take groups, live first."""
    return {"live": (Realm.LIVE,), "paper": (Realm.PAPER,), "rollout": (Realm.LIVE, Realm.PAPER)}[config.rollout.mode]


def view(config: Config, realm: Realm) -> Config:
    """The configuration as a process of this realm sees it.

    On paper the broker is the paper exchange, and the journal directory is the one of the paper realm.  A process that
    knows nothing else cannot reach anything live.
    """
    if realm is Realm.LIVE:
        return config
    system = replace(config.system, journal_dir=str(paper_dir(config.system.journal_dir)), cells=config.paper.cells)
    broker = BrokerConfig(
        port=config.paper.port,
        calendar=config.broker.calendar if config.paper.quotes == "live" else BrokerConfig().calendar,
        answer_timeout_ms=config.broker.answer_timeout_ms,
        silence_timeout_ms=config.broker.silence_timeout_ms,
    )
    return replace(config, system=system, broker=broker, live_cells=config.system.cells)


def cells_of(config: Config, realm: Realm) -> range:
    """The numbers of the cells that this realm has when it runs; ``config`` is the main program's."""
    return cells_in(realm, view(config, realm).system.cells)


def running_cells(config: Config) -> list[int]:
    """The numbers of all cells that run, the live ones first; ``config`` is the main program's."""
    return [cell for realm in realms(config) for cell in cells_of(config, realm)]


def cells_setting(config: Config, realm: Realm) -> str:
    """How many cells the realm has, in the words of the configuration file."""
    return f"{'system' if realm is Realm.LIVE else 'paper'}.cells = {len(cells_of(config, realm))}"


def strategy_cells(config: Config) -> tuple[int, ...]:
    """The numbers of cells, in a realm's view, under which the home of a strategy's groups must be the strategy's."""
    own = config.system.cells
    return (own, _cells_beside(config)) if config.rollout.mode == "rollout" else (own,)


def _cells_beside(config: Config) -> int:
    """How many cells the other realm has, in the view of either."""
    return config.live_cells or config.paper.cells


def journal_beside(name: str, config: Config, realm: Realm) -> Path:
    """Where, as seen from ``realm`` in its view, the other realm remembers the strategy ``name``."""
    home = main_dir(config, realm)
    other = OTHER[realm]
    directory = paper_dir(home) if other is Realm.PAPER else home
    return journal_path(directory, cell_for(name, other, _cells_beside(config)))


def main_dir(config: Config, realm: Realm) -> Path:
    """The system's journal directory, of which paper's is a part, in the view of ``realm``."""
    directory = Path(config.system.journal_dir)
    return directory if realm is Realm.LIVE else directory.parent
