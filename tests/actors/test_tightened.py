"""A configuration that is tightened while a group is under way holds from the next start, and the group ends whole."""

from __future__ import annotations

import pytest
from world import LONG, SHORT, World, bull_put

from config.schema import AlertsConfig, Config, HedgeConfig, MarginConfig, OrdersConfig
from domain.groups import GroupOutcome

TIGHTER = {
    "patience": Config(orders=OrdersConfig(entry_patience_ms=1_000)),
    "attempts": Config(orders=OrdersConfig(max_attempts=1, working_timeout_ms=500)),
    "depth": Config(hedge=HedgeConfig(depth=1, timeout_ms=500)),
    "margin": Config(margin=MarginConfig(max_use_pct=0.0)),
    "quotes": Config(orders=OrdersConfig(quote_max_age_ms=200)),
    "exposure": Config(alerts=AlertsConfig(exposure_units=1, uncovered_ms=100)),
}


@pytest.mark.parametrize("what", TIGHTER)
@pytest.mark.parametrize("dry", ["", LONG, SHORT])
def test_a_group_under_way_ends_hedged_flat_or_halted_and_never_naked(what: str, dry: str) -> None:
    world = World(size=3)
    world.submit(bull_put(quantity=10, stop=30_000))
    assert (world.position(LONG), world.position(SHORT)) == (3, -3)
    world.config = TIGHTER[what]
    world.restart()
    if dry:
        world.sizes[dry] = 0
        world.show()
    for _ in range(12):
        world.advance(5_000, step_ms=200, fresh=True)
        world.snapshot()
        assert world.position(LONG) + world.position(SHORT) >= 0
    group = world.group().group
    assert group.outcome is not GroupOutcome.OPEN
    if group.outcome is GroupOutcome.HEDGED:
        assert (world.position(LONG), world.position(SHORT)) == (10, -10)
    elif group.outcome is GroupOutcome.FLAT:
        assert (world.position(LONG), world.position(SHORT)) == (0, 0)
    else:
        assert "GROUP_HALTED" in world.kinds()
