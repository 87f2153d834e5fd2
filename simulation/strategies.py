"""Strategies in a run: which the configuration has, where their underlying goes, and what must hold of them.

A person stops them all when everything has healed: what they hold must then be closed, or a person called.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from domain.groups import GroupOutcome, group_tag
from domain.instruments import Instrument, Right
from domain.strategies import Exit, Standing, StrategyRules, StrategyStatus, strategy_of
from domain.verticals import VerticalKind
from messages.records import GroupRecord
from messages.strategy_records import StrategyRecord, VerticalRecord
from simulation.sessions import PRICE
from simulation.tape import Corners, Tape
from storage.port import Turn
from storage.tables import STRATEGIES

if TYPE_CHECKING:
    from simulation.world import World

NAMES: Final = ("weekly", "other")
AT_THE_MONEY, PER_POINT = 20_250, 1_000  # an option's price, and how it falls with each unit of distance
CORNERS: Final[Corners] = {
    "strategies": (0, 0, 0, 1, 0, 0, 1, 2),
    "strategy's kind": tuple(VerticalKind),
    "strategy's quantity": (2, 1, 5, 25),
    "strategy's distance, %": (1.0, 4.0),
    "profit target, %": (50.0, 5.0),
    "strategy's stop-loss, %": (0.0, 20.0),
    "adjust within, %": (20.0, 100.0),
    "adjustments": (1, 3),
    "exit before expiry, days": (1, 0, 14),
    "it enters again": (False, True),
    "it tries again after, ms": (5_000, 500),
    "its tries": (10, 2),
    "the underlying moves": (0, 0, 0, 10_000, -10_000, 40_000, -40_000),
}


def draw_strategies(tape: Tape) -> tuple[StrategyRules, ...]:
    """Those of a seed's configuration; most have none."""
    count = tape.corner("strategies", CORNERS)
    return tuple(_draw(tape, name) for name in NAMES[:count])


def _draw(tape: Tape, name: str) -> StrategyRules:
    return StrategyRules(
        name=name,
        kind=tape.corner("strategy's kind", CORNERS),
        underlying="XYZ",
        quantity=tape.corner("strategy's quantity", CORNERS),
        short_distance_pct=tape.corner("strategy's distance, %", CORNERS),
        width=50_000,
        min_days=0,
        profit_target_pct=tape.corner("profit target, %", CORNERS),
        stop_loss_pct=tape.corner("strategy's stop-loss, %", CORNERS),
        adjust_within_pct=tape.corner("adjust within, %", CORNERS),
        max_adjustments=tape.corner("adjustments", CORNERS),
        exit_days_before_expiry=tape.corner("exit before expiry, days", CORNERS),
        re_enter=tape.corner("it enters again", CORNERS),
        retry_ms=tape.corner("it tries again after, ms", CORNERS),
        max_tries=tape.corner("its tries", CORNERS),
    )


def price(instrument: Instrument, spot: int) -> int:
    """What an option is worth while its underlying stands there: the further out of the money, the less."""
    outward = 1 if instrument.right is Right.CALL else -1
    out = (instrument.strike - spot) * outward
    return max(PER_POINT, AT_THE_MONEY - out // 10_000 * PER_POINT)


class Walk:
    """The underlying's: one step at each of its quotes."""

    def __init__(self, tape: Tape, spot: int) -> None:
        self._tape, self.spot = tape, spot

    def step(self) -> int:
        """Where it stands next."""
        self.spot = min(max(self.spot + self._tape.corner("the underlying moves", CORNERS), PRICE // 2), 2 * PRICE)
        return self.spot


class StrategyWatch:
    """Told of what becomes durable; looks at the exchange's record through the world's oracles."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._groups: dict[str, list[str]] = defaultdict(list)  # strategy -> tags of its groups
        self._handed_over: set[str] = set()  # tags of groups that could not be closed: a person was called
        self._let_run: set[str] = set()  # strategies that a person has told to run

    def on_commit(self, turn: Turn) -> None:
        """A turn is durable."""
        for record in turn.records:
            if isinstance(record, GroupRecord):
                self._on_group(record)
            elif isinstance(record, VerticalRecord) and record.exit is Exit.HALTED:
                self._handed_over.add(group_tag(record.group_id))

    def let_run(self, name: str) -> None:
        """A person tells a strategy to run: what it could not close is that person's, and no matter of the next one."""
        self._let_run.add(name)

    def _on_group(self, record: GroupRecord) -> None:
        """A strategy has one vertical at a time, and nothing of the one before is left when it enters the next."""
        name, tag = strategy_of(record.group_id), group_tag(record.group_id)
        if not name or tag in self._groups[name]:
            return
        for before in self._groups[name]:
            self.world.oracles.demand(
                self._is_accepted(name, before) or not self._holds(before),
                "STRATEGY",
                f"{record.group_id} is entered while {before} holds something",
            )
        self._groups[name].append(tag)

    def _is_accepted(self, name: str, tag: str) -> bool:
        """Whether a person lets the strategy go on although this group, which was handed over, may hold something."""
        halted = self.world.oracles.groups[tag].outcome is GroupOutcome.HALTED
        return halted and tag in self._handed_over and name in self._let_run

    def _holds(self, tag: str) -> bool:
        """Whether it has anything by orders of its own; what came late or by other hands is its group's matter."""
        oracles = self.world.oracles
        if oracles.busted[tag] or tag in oracles.left_to_a_person:
            return False
        record = oracles.groups[tag]
        return record.outcome in (GroupOutcome.OPEN, GroupOutcome.HEDGED) or any(
            oracles.held(tag, record.group).values()
        )

    def unfinished(self) -> list[str]:
        """Names of strategies that are not stopped yet, or have not closed what they hold."""
        return [record.name for record in self._records() if not self._has_ended(record)]

    def _records(self) -> list[StrategyRecord]:
        return [record for journal in self.world.journals() for record in journal.rows(STRATEGIES)]

    def _has_ended(self, record: StrategyRecord) -> bool:
        if record.standing is Standing.DISABLED:
            return True
        return record.standing is not Standing.ACTIVE and record.status is StrategyStatus.FLAT

    def at_rest(self) -> None:
        """All are stopped: what they held is gone, or a person has it."""
        oracles = self.world.oracles
        disabled = {record.name for record in self._records() if record.standing is Standing.DISABLED}
        for name, tags in self._groups.items():
            for tag in tags:
                record = oracles.groups[tag]
                kept = record.outcome in (GroupOutcome.OPEN, GroupOutcome.HEDGED)
                text = f"{name} is stopped, and its group {record.group_id} is {record.outcome.value}"
                handed_over = name in disabled or tag in oracles.left_to_a_person or oracles.moves[tag]
                oracles.demand(not kept or bool(handed_over), "STRATEGY", text)
