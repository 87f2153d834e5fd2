"""Two small worlds beside each other, live and paper, with the same strategies in both and one share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trader import Trader

from actors.beside import OtherRealm
from actors.cell_tree import CellTree
from config.realms import view
from config.schema import Config, PaperConfig, RolloutConfig, SystemConfig
from domain.groups import GroupOutcome
from domain.rollout import FIRST_CELL, OTHER, Realm
from domain.strategies import StrategyRules, StrategyStatus
from messages.operator import OperateStrategy
from messages.strategy import Beside
from messages.strategy_records import VerticalRecord
from storage.port import CommitUnknown


class Side(Trader):
    """One realm.  It sees of the other what is durable there, as a process does that reads its journal."""

    def __init__(self, realm: Realm, beside: OtherRealm, config: Config, spot: float) -> None:
        self.realm, self.beside = realm, beside
        super().__init__(spot=spot, config=view(config, realm))

    def new_cell(self) -> CellTree:
        return CellTree(FIRST_CELL[self.realm], self.config, self.journal, beside=self.beside, **self.declared)


class TwoRealms:
    """``share`` may be set at any time; ``problem`` is what hides the other realm; ``mode`` holds from a restart on."""

    def __init__(self, strategy: StrategyRules, share: int, spot: float = 100.0) -> None:
        self.name, self.share, self.problem = strategy.name, share, ""
        self.strategy = strategy
        self.sides: dict[Realm, Side] = {}
        self.deaths = 0
        self.start("rollout", spot)

    def start(self, mode: str, spot: float = 100.0) -> None:
        """Start the realms of this mode on the journals that there are, and nothing else."""
        config = Config(
            system=SystemConfig(cells=1),
            paper=PaperConfig(cells=1),
            rollout=RolloutConfig(mode=mode),
            strategy=(self.strategy,),
        )
        self.running = {"rollout": tuple(Realm), "live": (Realm.LIVE,), "paper": (Realm.PAPER,)}[mode]
        self.mode = mode
        for realm in self.running:
            side = self.sides.get(realm)
            if side is None:
                self.sides[realm] = Side(realm, _Eyes(self, realm), config, spot)
            else:
                side.config = view(config, realm)
                side.restart()

    def of(self, name: str, realm: Realm) -> Beside:
        """What ``realm`` sees."""
        if self.problem:
            return Beside(problem=self.problem)
        other = self.sides.get(OTHER[realm])
        known = [record for record in other.journal.strategies() if record.name == name] if other else []
        share = {"live": 100, "paper": 0}.get(self.mode, self.share)
        return Beside(share=share, other=known[0] if known else None)

    def each(self, act: Callable[[Side], Any]) -> None:
        """Do it in every realm that runs; a commit whose fate is unknown ends a cell, and the next one takes over."""
        for realm in self.running:
            side = self.sides[realm]
            try:
                act(side)
            except CommitUnknown:
                self.deaths += 1
                side.restart()
            self.judge()

    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.each(lambda side: side.advance(1_000, step_ms=250, fresh=True))
            self.each(Side.snapshot)

    def wait_until(self, holds: Callable[[], bool], seconds: int = 15) -> None:
        while not holds():
            assert seconds > 0, "it never came"
            self.wait(1)
            seconds -= 1

    def move(self, spot: float) -> None:
        self.each(lambda side: side.move(spot))

    def run(self, *, run: bool) -> None:
        self.each(lambda side: side.take([OperateStrategy(self.name, run)]))

    def verticals(self) -> list[tuple[Realm, VerticalRecord]]:
        """Those of both, by number."""
        found = [(realm, vertical) for realm, side in self.sides.items() for vertical in side.verticals()]
        return sorted(found, key=lambda pair: number_of(pair[1].group_id))

    def entered(self) -> list[tuple[Realm, str]]:
        return [(realm, vertical.group_id) for realm, vertical in self.verticals() if vertical.entered_ns]

    def holding(self) -> list[Realm]:
        """The realms in which the strategy has something, or is about to."""
        return [
            realm
            for realm, side in self.sides.items()
            if side.positions() or any(r.status is not StrategyStatus.FLAT for r in side.journal.strategies())
        ]

    def judge(self) -> None:
        """What holds at every moment: never in both, no number twice, and what is held is a vertical."""
        holding = self.holding()
        assert len(holding) < 2, f"the strategy is in {holding} at once"
        numbers = [number_of(vertical.group_id) for _, vertical in self.verticals()]
        assert len(set(numbers)) == len(numbers), f"a number was used twice: {numbers}"
        for side in self.sides.values():
            assert sum(side.positions().values()) >= 0, "a short without its long"

    def outcomes(self) -> set[GroupOutcome]:
        return {
            rows.group.outcome
            for realm, group_id in self.entered()
            if (rows := self.sides[realm].journal.group(group_id)) is not None
        }


class _Eyes:
    def __init__(self, both: TwoRealms, realm: Realm) -> None:
        self.both, self.realm = both, realm

    def look(self, name: str) -> Beside:
        return self.both.of(name, self.realm)


def number_of(group_id: str) -> int:
    return int(group_id.split(".")[1])
