"""A small world with one strategy in it."""

from __future__ import annotations

from typing import Any

from world import World, call, put

from config.schema import Config, SystemConfig
from domain.money import PRICE_SCALE
from domain.strategies import StrategyRules
from domain.verticals import VerticalKind
from messages.strategy_records import StrategyRecord, VerticalRecord
from storage.tables import STRATEGIES, VERTICALS

CONTRACT = {VerticalKind.BULL_PUT: put, VerticalKind.BEAR_PUT: put}
DISTANT = {  # short and long strike, 5 % out of the money at 100, and the prices that make an honest market
    VerticalKind.BULL_PUT: (95, 90),
    VerticalKind.BEAR_CALL: (105, 110),
    VerticalKind.BULL_CALL: (105, 100),
    VerticalKind.BEAR_PUT: (95, 100),
}


def rules(kind: VerticalKind = VerticalKind.BULL_PUT, **changes: Any) -> StrategyRules:
    """Sells 5 % out of the money, 5 wide, 10 units."""
    wanted: dict[str, Any] = {
        "name": "weekly", "kind": kind, "underlying": "XYZ", "quantity": 10, "short_distance_pct": 5.0,
        "width": 50_000,
    }  # fmt: skip
    return StrategyRules(**(wanted | changes))


def contract(kind: VerticalKind, strike: int) -> str:
    return CONTRACT.get(kind, call)(strike)


class Trader(World):
    """An option is worth its intrinsic value, and 3.00 at the money, falling by 0.30 for each unit of distance."""

    def __init__(self, *strategies: StrategyRules, spot: float = 100.0, **world: Any) -> None:
        self.price_of_spot = spot
        config = Config(system=SystemConfig(cells=1), strategy=strategies)
        super().__init__(config=world.pop("config", config), **world)
        self.move(spot)

    def move(self, spot: float, half_spread: int = 500) -> None:
        """Move the underlying and every option with it, and tell the cell."""
        self.price_of_spot = spot
        self.spot = (round(spot * PRICE_SCALE) - 100, 100, round(spot * PRICE_SCALE) + 100, 100)
        for symbol, instrument in self.exchange.instruments.items():
            right = instrument.right
            inside = (spot - instrument.strike / PRICE_SCALE) * (1 if right is not None and right.value == "C" else -1)
            value = max(0.0, inside) + max(0.0, 3 - 0.3 * abs(inside))
            mid = max(1_000, round(value * 20) * 500)
            self.prices[symbol] = (max(0, mid - half_spread), mid + half_spread)
        self.show()

    def strategy(self, name: str = "weekly") -> StrategyRecord:
        found: list[StrategyRecord] = self.journal.rows(STRATEGIES)
        return next(record for record in found if record.name == name)

    def verticals(self) -> list[VerticalRecord]:
        found: list[VerticalRecord] = self.journal.rows(VERTICALS)
        return sorted(found, key=lambda vertical: (vertical.decided_ns, vertical.group_id))

    def positions(self) -> dict[str, int]:
        return {p.symbol: p.quantity for p in self.exchange.positions() if p.quantity}
