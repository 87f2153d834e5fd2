"""Which processes there are in each mode, and who knows whom."""

from __future__ import annotations

import pytest

from config.realms import realms, view
from config.schema import Config, PaperConfig, RolloutConfig
from domain.rollout import Realm, realm_of_cell
from supervisors.tree import (
    GATEWAY,
    ON_PAPER,
    PAPER_CELLS,
    PAPER_EXCHANGE,
    PAPER_GATEWAY,
    PAPER_RECONCILER,
    cells_spec,
    known_as,
    root_spec,
)


def configured(mode: str, quotes: str = "replay") -> Config:
    return Config(rollout=RolloutConfig(mode=mode), paper=PaperConfig(quotes=quotes))


LIVE = ["gateway", "cells", "reconciler"]
PAPER = ["paper-exchange", "paper-gateway", "paper-cells", "paper-reconciler"]


@pytest.mark.parametrize(
    ("mode", "quotes", "children"),
    [
        ("live", "replay", ["notifier", *LIVE, "metrics"]),
        ("rollout", "replay", ["notifier", *LIVE, *PAPER, "metrics"]),
        ("rollout", "live", ["notifier", *LIVE, *PAPER, "metrics"]),
        ("paper", "replay", ["notifier", *PAPER, "metrics"]),
        ("paper", "live", ["notifier", "gateway", *PAPER, "metrics"]),  # the gateway for its quotes
    ],
)
def test_a_mode_starts_what_it_needs_and_nothing_else(mode: str, quotes: str, children: list[str]) -> None:
    assert [child.name for child in root_spec(configured(mode, quotes)).children] == children


def test_nothing_on_paper_is_vital() -> None:
    children = root_spec(configured("rollout")).children
    assert {child.name for child in children if not child.vital} == {*ON_PAPER, "metrics", "reconciler"}


def test_only_the_paper_exchange_knows_the_live_gateway_and_nobody_live_knows_the_paper_one() -> None:
    names = [child.name for child in root_spec(configured("rollout")).children]
    assert {name for name in names if name in ON_PAPER and known_as(name, GATEWAY)} == {PAPER_EXCHANGE}
    assert {name for name in names if known_as(name, PAPER_GATEWAY)} == {PAPER_CELLS, PAPER_RECONCILER}
    assert known_as(PAPER_CELLS, PAPER_GATEWAY) == GATEWAY
    assert {known_as(name, "notifier") for name in names} == {"notifier"}


def test_the_cells_of_a_realm_have_its_numbers_and_its_view_of_the_configuration() -> None:
    config = configured("rollout")
    assert realms(config) == (Realm.LIVE, Realm.PAPER)
    for realm, names in ((Realm.LIVE, ["cell-0", "cell-1"]), (Realm.PAPER, ["paper-cell-25", "paper-cell-26"])):
        seen = view(config, realm)
        children = cells_spec(seen, realm).children
        assert [child.name for child in children] == names
        assert all(realm_of_cell(child.position) is realm for child in children)
    paper = view(config, Realm.PAPER)
    assert (paper.system.journal_dir, paper.broker.port) == ("run/journal/paper", config.paper.port)
    assert view(config, Realm.LIVE) == config
