"""What a seed's configuration is drawn from."""

from __future__ import annotations

from typing import Any

import pytest

from config.load import load_config, settings
from config.schema import AlertsConfig, Config
from simulation.settings import EDGES, at_edge
from venue.nasty import LISTED_AFTER_MS, MAX_STALE_MS

VARIABLES = {setting.name: setting.variable for setting in settings()}


@pytest.mark.parametrize(("edge", "value"), list(dict.fromkeys(edge for edge in EDGES if edge[0])))
def test_a_setting_at_its_edge_is_one_that_an_operator_can_make(edge: str, value: Any) -> None:
    drawn = Config(alerts=AlertsConfig(repeat_ms=10_000))
    said = " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    made = load_config(None, {VARIABLES["alerts.repeat_ms"]: "10000", VARIABLES[edge]: said})
    assert made == at_edge(drawn, edge, value) != drawn


def test_a_list_lags_for_less_than_any_horizon_after_which_an_absence_counts() -> None:
    """Else two absences would prove nothing, and the simulator would find fault with what no rule can mend."""
    horizons = {at_edge(Config(), edge, value).orders.absence_horizon_ms for edge, value in EDGES}
    assert len(horizons) > 1
    assert max(LISTED_AFTER_MS, MAX_STALE_MS) < min(horizons)
