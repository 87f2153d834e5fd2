"""What the realms make of one configuration: which of them there are, and how a process on paper sees it."""

from __future__ import annotations

from msgspec.structs import replace

from config.paths import paper_dir
from config.schema import BrokerConfig, Config
from domain.rollout import Realm, realm_for


def realms(config: Config) -> tuple[Realm, ...]:
    """The realms that take groups, live first."""
    return {"live": (Realm.LIVE,), "paper": (Realm.PAPER,), "rollout": (Realm.LIVE, Realm.PAPER)}[config.rollout.mode]


def strategy_realm(name: str, config: Config) -> Realm:
    """Where a strategy opens its groups.

    It is routed by its own name, at the share that is in force when the system starts: its memory of what it opened and
    failed to open lives in one cell.  What it has open elsewhere from before is still looked after there.
    """
    only = {"live": Realm.LIVE, "paper": Realm.PAPER}.get(config.rollout.mode)
    return only or realm_for(name, config.rollout.live_share_pct)


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
    return replace(config, system=system, broker=broker)
