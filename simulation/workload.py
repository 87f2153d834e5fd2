"""What a seed has the system do: groups of every shape, a market, a house, a configuration, all drawn from the tape."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

import msgspec
from msgspec.structs import replace

from config.schema import Config
from domain.execution import Side
from domain.groups import Plan, PlanGroupStop, PlanLeg, PlanStop, Policy, TriggerOn
from domain.instruments import Instrument, Right, osi_symbol
from domain.quotes import Quote
from simulation.faults import Faults
from simulation.schedule import MS
from simulation.sessions import PRICE, Hours, draw_hours
from simulation.settings import draw_config
from simulation.strategies import Walk, draw_strategies, price
from simulation.tape import Corners, Tape
from venue.rules import Rules

EXPIRY = "2021-01-15"
UNDERLYING = "XYZ"
TICK = 500
FREEZE_QTY = 20
DEEP_POCKETS = 10**15
MID = 20_250  # of every option, unless they move with their underlying
QUOTE_EVERY_NS = 250 * MS
ROUND = 3  # so many beats apart all contracts are quoted, once the market is deep
STRIKES = range(90, 115, 5)


def option(strike: int, right: Right) -> Instrument:
    """One contract of the simulated chain."""
    return Instrument(
        symbol=osi_symbol(UNDERLYING, date.fromisoformat(EXPIRY), right, strike * 10_000),
        underlying=UNDERLYING, right=right, strike=strike * 10_000, expiry=EXPIRY, multiplier=100, lot_size=1,
        tick_size=TICK, freeze_qty=FREEZE_QTY,
    )  # fmt: skip


SHARES = Instrument(
    symbol=UNDERLYING, underlying=UNDERLYING, right=None, strike=0, expiry="", multiplier=1, lot_size=1, tick_size=100,
    freeze_qty=100_000,
)  # fmt: skip
CHAIN = [SHARES, *(option(strike, right) for strike in STRIKES for right in Right)]
P, C = Right.PUT, Right.CALL
Shape = tuple[tuple[int, Right, Side, int], ...]  # strike, right, side, ratio
SHAPES: dict[str, Shape] = {
    "bull_put": ((90, P, Side.BUY, 1), (95, P, Side.SELL, 1)),
    "bear_call": ((110, C, Side.BUY, 1), (105, C, Side.SELL, 1)),
    "bull_call": ((100, C, Side.BUY, 1), (105, C, Side.SELL, 1)),
    "iron_condor": ((90, P, Side.BUY, 1), (95, P, Side.SELL, 1), (110, C, Side.BUY, 1), (105, C, Side.SELL, 1)),
    "butterfly": ((95, P, Side.BUY, 1), (100, P, Side.SELL, 2), (105, P, Side.BUY, 1)),
    "ratio": ((95, P, Side.BUY, 2), (100, P, Side.SELL, 1)),
    "long_call": ((110, C, Side.BUY, 1),),
    "naked_call": ((110, C, Side.SELL, 1),),
    "jade_lizard": ((95, P, Side.SELL, 1), (110, C, Side.BUY, 1), (105, C, Side.SELL, 1)),
    "short_strangle": ((95, P, Side.SELL, 1), (105, C, Side.SELL, 1)),
    "front_ratio": ((100, C, Side.BUY, 1), (105, C, Side.SELL, 2)),
    "call_ladder": ((100, C, Side.BUY, 1), (105, C, Side.SELL, 1), (110, C, Side.SELL, 1)),
}  # what is new comes last: a stored tape knows a shape by its number


def leaves_naked(shape: Shape) -> bool:
    """Whether more is sold than bought of a right: all of a shape expires on one day, so only numbers count."""
    return any(sum(side.sign * ratio for _, right, side, ratio in shape if right is kind) < 0 for kind in Right)


CORNERS: Final[Corners] = {
    "under fire for, ms": (4_000, 6_000, 8_000, 16_000, 5_000, 3_000, 4_000, 6_000),
    "groups": (1, 2, 3),
    "a strategy is stopped, and started": (False, False, True),
    "market protection, %": (0.0, 0.0, 5.0),
    "ids are deduplicated": (True, False),
    "the account's cash": (*(DEEP_POCKETS,) * 5, 1_000_000_000, 200_000_000, 30_000_000),  # for 200, 40, 6 verticals
    "cancel latency, ms": (0, 5, 200, 900),
    "price band, %": (0.0, 0.0, 40.0),
    "a person closes what is halted": (False, True),
    "shape": tuple(SHAPES),
    "quantity": (2, 1, 5, 10, 25, 60),
    "legs in the opposite order": (False, True),
    "limits of so many legs, and by how much above the mid": (
        *((0, 0),) * 4, (4, 1_000), (1, -3_000), (1, -500), (4, 0),
    ),
    "stop-loss trigger": (0, 0, 21_500, 30_000),
    "stop-losses on so many shorts": (1, 2),
    "stop-loss trigger of a long": (0, 0, 19_000, 12_000),
    "policy": tuple(Policy),
    "trigger on": tuple(TriggerOn),
    "group stop": (0, 0, 2_000_000),
    "move": (0, 0, TICK, -TICK),
    "size": (200, 20, 5, 2, 1),  # what an order that is larger fills by
}  # fmt: skip
OF_FAULTS: Final[Corners] = {
    "move in a gap": (0, 12_000, -8_000, 4_000),
    "how it is broken": ("no bid", "no ask", "crossed", "nobody"),
}


class Action(msgspec.Struct, frozen=True):
    """Something that the operator does at a time (from the start of the run)."""

    at_ns: int
    kind: str  # submit, cancel, kill_switch, strategy; bust: the exchange takes back the first trade of ``symbol``
    plan: Plan | None = None
    on: bool = False
    symbol: str = ""
    name: str = ""  # of a strategy that is to run, or to stop


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a run that is drawn before it begins."""

    config: Config
    rules: Rules
    promises_ids: bool
    actions: tuple[Action, ...]
    fire_ns: int  # how long faults strike
    hours: Hours = Hours()
    closes_halted: bool = False  # when all has healed, a person has what is halted closed

    @property
    def symbols(self) -> list[str]:
        """Contracts of which there are quotes: those of the plans, and all that a strategy may choose from."""
        planned = {leg.symbol for action in self.actions if action.plan for leg in action.plan.legs}
        rights = {rules.kind.right for rules in self.config.strategy}
        return sorted(planned | {one.symbol for one in CHAIN if one.right in rights})


def draw_scenario(tape: Tape, faults: Faults) -> Scenario:
    """A seed's scenario."""
    fire_ms = tape.corner("under fire for, ms", CORNERS)
    plans = [_plan(tape, number) for number in range(tape.corner("groups", CORNERS))]
    actions = [Action(tape.between("submit at, ms", 400, fire_ms // 2) * MS, "submit", plan) for plan in plans]
    for plan in plans:
        if faults.strikes("F.operator.cancel"):
            actions.append(Action(tape.between("cancel at, ms", 500, fire_ms) * MS, "cancel", plan))
    if faults.strikes("F.operator.kill_switch"):
        on_ms = tape.between("kill switch at, ms", 500, fire_ms)
        actions.append(Action(on_ms * MS, "kill_switch", on=True))
        actions.append(Action((on_ms + tape.between("and off after, ms", 100, 10_000)) * MS, "kill_switch"))
    strategies = draw_strategies(tape)
    for rules in strategies:
        if tape.corner("a strategy is stopped, and started", CORNERS):
            off_ms = tape.between("strategy stopped at, ms", 500, fire_ms)
            actions.append(Action(off_ms * MS, "strategy", name=rules.name))
            on_ms = off_ms + tape.between("and started after, ms", 100, 5_000)
            actions.append(Action(on_ms * MS, "strategy", on=True, name=rules.name))
    protection_pct = tape.corner("market protection, %", CORNERS)
    promises_ids = tape.corner("ids are deduplicated", CORNERS)
    hours = draw_hours(tape, faults, fire_ms)
    cash = tape.corner("the account's cash", CORNERS)
    return Scenario(
        config=replace(draw_config(tape, rests=protection_pct > 0, calendar=hours.calendar), strategy=strategies),
        rules=Rules(
            calendar=hours.calendar,
            cash=cash,
            margin_check=cash < DEEP_POCKETS,
            deduplicate=promises_ids,  # a house that does not promise it makes a second order of a second copy
            cancel_latency_ns=tape.corner("cancel latency, ms", CORNERS) * MS,
            market_protection_pct=protection_pct,
            price_band_pct=tape.corner("price band, %", CORNERS),
        ),
        promises_ids=promises_ids,
        actions=tuple(sorted(actions, key=lambda action: action.at_ns)),
        fire_ns=fire_ms * MS,
        hours=hours,
        closes_halted=tape.corner("a person closes what is halted", CORNERS),
    )


def _plan(tape: Tape, number: int) -> Plan:
    shape = tape.corner("shape", CORNERS)
    quantity = tape.corner("quantity", CORNERS)
    rows = SHAPES[shape]
    if tape.corner("legs in the opposite order", CORNERS):
        rows = rows[::-1]
    limited, better = tape.corner("limits of so many legs, and by how much above the mid", CORNERS)
    legs = tuple(
        PlanLeg(
            leg_id=f"{side.value}{right.value}{strike}", symbol=option(strike, right).symbol, side=side, ratio=ratio,
            limit_price=MID // TICK * TICK + side.sign * better if number < limited else 0,
        )
        for number, (strike, right, side, ratio) in enumerate(rows)
    )  # fmt: skip
    stop = tape.corner("stop-loss trigger", CORNERS)
    shorts = [leg for leg in legs if leg.side is Side.SELL]
    guarded = shorts[: tape.corner("stop-losses on so many shorts", CORNERS)]
    if not shorts:
        guarded, stop = list(legs[:1]), tape.corner("stop-loss trigger of a long", CORNERS)
    return Plan(
        group_id=f"g{number}",
        quantity=quantity,
        legs=legs,
        strategy=shape,
        policy=tape.corner("policy", CORNERS),
        allow_naked=leaves_naked(rows),
        stops=tuple(
            PlanStop(leg_id=leg.leg_id, trigger_price=stop, trigger_on=tape.corner("trigger on", CORNERS))
            for leg in guarded
            if stop
        ),
        stop=PlanGroupStop(max_loss=max_loss) if (max_loss := tape.corner("group stop", CORNERS)) else None,
    )


class Market:
    """An endless feed, which quotes one contract every ``every_ns``.

    While it is ``deep``, every side has size, prices rest, and all contracts are quoted at once, though ``ROUND`` times
    more seldom: who needs several fresh quotes has them.
    """

    def __init__(self, tape: Tape, faults: Faults, symbols: tuple[str, ...]) -> None:
        self.tape, self.faults, self.symbols = tape, faults, symbols
        self.deep = False
        self.every_ns = QUOTE_EVERY_NS
        self.mids = dict.fromkeys(symbols, MID)
        self.spot = PRICE  # of the underlying
        self.walk: Walk | None = None  # where it goes, and every option with it
        self.asleep_until_ns = 0  # a night without quotes lasts until then
        self.by_lots: set[str] = set()  # contracts whose last quote was for one lot only, by a fault
        self.silent_until_ns: dict[str, int] = {}  # contracts of which no quote comes until then

    def follow(self, walk: Walk) -> None:
        """Options are worth more or less by their strikes, and move with the underlying."""
        self.walk = walk
        self.mids = self._worth(walk.spot)

    def calm_down(self) -> None:
        """Everybody offers, and nothing moves any more."""
        self.deep = True
        self.mids = dict.fromkeys(self.symbols, MID) if self.walk is None else self._worth(self.walk.spot)

    def _worth(self, spot: int) -> dict[str, int]:
        return {one.symbol: price(one, spot) for one in CHAIN if one.symbol in self.symbols}

    def quotes(self, from_ns: int) -> Iterator[Quote]:
        """Everything once at the start, then one after the other."""
        yield from (self._deep(symbol, from_ns) for symbol in self.symbols)
        yield self._underlying(from_ns)
        at_ns, turn = from_ns, 0
        while True:
            if self.deep:
                at_ns = max(at_ns + ROUND * self.every_ns, self.asleep_until_ns)
                yield self._underlying(at_ns)
                yield from (self._deep(symbol, at_ns) for symbol in self.symbols)
                continue
            at_ns = max(at_ns + self.every_ns, self.asleep_until_ns)
            turn += 1
            if turn % (20 if self.walk is None else 6) == 0:
                self._move()
                yield self._underlying(at_ns)
            symbol = self.symbols[turn % len(self.symbols)]
            if at_ns >= self.silent_until_ns.get(symbol, 0):
                yield self._next(symbol, at_ns)

    def _move(self) -> None:
        if self.walk is None:
            return
        before, self.spot = self._worth(self.spot), self.walk.step()
        after = self._worth(self.spot)
        self.mids = {symbol: max(750, mid + after[symbol] - before[symbol]) for symbol, mid in self.mids.items()}

    def _underlying(self, at_ns: int) -> Quote:
        return Quote(UNDERLYING, at_ns, self.spot - 100, 1_000, self.spot + 100, 1_000)

    def _deep(self, symbol: str, at_ns: int) -> Quote:
        mid = self.mids[symbol]
        return Quote(symbol, at_ns, mid - TICK // 2, 200, mid + TICK // 2, 200)

    def _next(self, symbol: str, at_ns: int) -> Quote:
        tape, faults = self.tape, self.faults
        if faults.strikes("F.market.gap"):
            move = tape.corner("move", OF_FAULTS, "move in a gap")
        else:
            move = tape.corner("move", CORNERS)
        mid = self.mids[symbol] = max(750, self.mids[symbol] + move)
        self.by_lots.discard(symbol)
        if faults.strikes("F.market.dry"):
            size = 0
        elif faults.comes("F.broker.one_lot"):
            size = 1
            self.by_lots.add(symbol)
        else:
            size = tape.corner("size", CORNERS)
        bid, ask = mid - TICK // 2, mid + TICK // 2
        if faults.strikes("F.market.broken_quote"):
            broken = {"no bid": (0, ask), "no ask": (bid, 0), "crossed": (ask + TICK, bid), "nobody": (0, 0)}
            bid, ask = broken[tape.corner("how it is broken", OF_FAULTS)]
        return Quote(symbol, at_ns, bid, size if bid else 0, ask, size if ask else 0)
