"""Order groups for a demonstration, picked from whatever chain the exchange shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
from random import Random

import msgspec
from msgspec.structs import replace

from cli.market import Market
from domain.coverage import protects
from domain.execution import Side
from domain.groups import Plan, PlanLeg, PlanStop, Policy
from domain.instruments import Instrument, Right
from domain.money import round_up

SIZES = (1.5, 4.0)  # a group's quantity, times the size that its thinnest leg displays: so that fills come in parts
MAX_QUANTITY = 60
MOST_ORDERS = 1_000  # of one leg of the plan that must be refused; a parent order has room for 1,296
EXPIRIES = 4  # the nearest ones: further out, real chains are quoted with long gaps


class Pick(msgspec.Struct, frozen=True):
    """Long and short legs of one shape."""

    longs: tuple[Instrument, ...]
    shorts: tuple[Instrument, ...]


class Chain:
    """The options that can be traded right now: both sides quoted, cheap enough to move, not too wide."""

    def __init__(self, market: Market) -> None:
        self.quotes = market.quotes
        self.options = [
            instrument
            for instrument in market.instruments.values()
            if instrument.right is not None and not instrument.expired(market.today) and self._tradable(instrument)
        ]
        soonest = sorted({option.expiry for option in self.options})[:EXPIRIES]
        self.options = [option for option in self.options if option.expiry in soonest]
        spots = {i.underlying: market.spot(i.underlying) for i in self.options}
        self.spot = next((spot for spot in spots.values() if spot), 0) or self._middle()

    def _tradable(self, instrument: Instrument) -> bool:
        quote = self.quotes.get(instrument.symbol)
        if quote is None or not quote.usable or not quote.bid_size or not quote.ask_size:
            return False
        return quote.ask - quote.bid <= max(quote.mid // 10, 2 * instrument.tick_size)

    def _middle(self) -> int:
        strikes = sorted(option.strike for option in self.options)
        return strikes[len(strikes) // 2] if strikes else 0

    def vertical(self, right: Right, random: Random) -> Iterator[Pick]:
        """A short and a long that protects it: further out of the money where there is one, else later."""
        near = sorted((o for o in self.options if o.right is right), key=lambda o: abs(o.strike - self.spot))[:40]
        pairs = [(long, short) for short in near for long in near if long != short and protects(long, short)]
        outside = 1 if right is Right.CALL else -1
        proper = [(a, b) for a, b in pairs if a.expiry == b.expiry and (a.strike - b.strike) * outside > 0]
        chosen = proper or pairs
        random.shuffle(chosen)
        return (Pick((long,), (short,)) for long, short in chosen)

    def condor(self, random: Random) -> Iterator[Pick]:
        """A put vertical and a call vertical of one expiry."""
        calls = defaultdict(list)
        for pick in self.vertical(Right.CALL, random):
            calls[pick.shorts[0].expiry].append(pick)
        for put in self.vertical(Right.PUT, random):
            for call in calls[put.shorts[0].expiry]:
                if call.shorts[0].strike >= put.shorts[0].strike or len(self.options) < 20:
                    yield Pick(put.longs + call.longs, put.shorts + call.shorts)
                    break

    def winged_straddle(self, random: Random) -> Iterator[Pick]:
        """A short call and a short put of one strike and expiry, each with a long that protects it."""
        calls = defaultdict(list)
        for pick in self.vertical(Right.CALL, random):
            calls[pick.shorts[0].expiry, pick.shorts[0].strike].append(pick)
        for put in self.vertical(Right.PUT, random):
            for call in calls[put.shorts[0].expiry, put.shorts[0].strike][:1]:
                yield Pick(put.longs + call.longs, put.shorts + call.shorts)

    def single(self, random: Random) -> Iterator[Pick]:
        """One long option."""
        near = sorted(self.options, key=lambda o: abs(o.strike - self.spot))[:40]
        random.shuffle(near)
        return (Pick((option,), ()) for option in near)


def plans(market: Market, count: int, seed: int) -> list[Plan]:
    """``count`` plans: bull puts, bear calls, iron condors, straddles with wings and single legs, in turn.

    Raises ``ValueError`` when the chain has not even one tradable pair.
    """
    random = Random(seed)  # noqa: S311 - a demonstration, not a secret
    chain = Chain(market)
    shapes: dict[str, Callable[[], Iterator[Pick]]] = {
        "bull_put": lambda: chain.vertical(Right.PUT, random),
        "bear_call": lambda: chain.vertical(Right.CALL, random),
        "iron_condor": lambda: chain.condor(random),
        "straddle_with_wings": lambda: chain.winged_straddle(random),
        "single_leg": lambda: chain.single(random),
    }
    supplies = {name: list(islice(make(), count)) for name, make in shapes.items()}
    available = {name: picks for name, picks in supplies.items() if picks}
    if not available:
        raise ValueError("the chain shows no two-sided quotes yet: try a later --offset-s, or another file")
    result = []
    for number in range(count):
        name = list(available)[number % len(available)]
        pick = available[name][number // len(available) % len(available[name])]
        result.append(_plan(f"{name.replace('_', '-')}-{number + 1:02}", name, pick, chain, random))
    return result


def spare(
    market: Market, group_id: str, number: int, seed: int, *, orders: int = 1, guarded: bool = True
) -> Plan | None:
    """A vertical sold for a credit, the ``number``-th, perhaps with a stop-loss that the market alone does not reach.

    Each leg takes so many ``orders``, or more where the chain shows little; ``None`` when there is no vertical.
    """
    chain, random = Chain(market), Random(seed)  # noqa: S311 - a demonstration, not a secret
    picks = [pick for right in (Right.PUT, Right.CALL) for pick in islice(chain.vertical(right, random), number + 1)]
    if not picks:
        return None
    (long,), (short,) = (pick := picks[number % len(picks)]).longs, pick.shorts
    sold, bought = _leg(short, Side.SELL), _leg(long, Side.BUY)
    trigger = round_up(2 * chain.quotes[short.symbol].ask, short.tick_size)
    return Plan(
        group_id=group_id,
        strategy="bull_put" if short.right is Right.PUT else "bear_call",
        quantity=(orders - 1) * min(long.max_order_qty, short.max_order_qty) + 2,
        legs=(sold, bought),
        stops=(PlanStop(leg_id=sold.leg_id, trigger_price=trigger),) if guarded else (),
    )


def resting(market: Market, number: int) -> Plan:
    """A plan that works and does not fill: to buy one option for a single tick."""
    chain = Chain(market)
    dearest = max(chain.options, key=lambda option: (chain.quotes[option.symbol].bid, option.symbol))
    leg = replace(_leg(dearest, Side.BUY), limit_price=dearest.tick_size)
    return Plan(group_id=f"resting-{number:02}", strategy="single_leg", quantity=dearest.lot_size, legs=(leg,))


def enormous(market: Market) -> Plan | None:
    """The widest spread in the largest quantity that can still be cut into orders: nobody has the margin for it."""
    chain = Chain(market)
    pairs = [
        (abs(long.strike - short.strike), long, short)
        for long in chain.options
        for short in chain.options
        if long.expiry == short.expiry and long.right is short.right is Right.PUT and long.strike < short.strike
    ]
    if not pairs:
        return None
    _, long, short = max(pairs, key=lambda pair: (pair[0], pair[1].symbol))
    quantity = MOST_ORDERS * min(long.max_order_qty, short.max_order_qty)
    return Plan(
        group_id="enormous", strategy="bull_put", quantity=quantity, legs=(_leg(short, Side.SELL), _leg(long, Side.BUY))
    )


def _plan(group_id: str, strategy: str, pick: Pick, chain: Chain, random: Random) -> Plan:
    sizes = [chain.quotes[o.symbol].ask_size for o in pick.longs] + [
        chain.quotes[o.symbol].bid_size for o in pick.shorts
    ]
    quantity = max(2, min(MAX_QUANTITY, round(min(sizes) * random.uniform(*SIZES))))
    legs = [_leg(option, Side.SELL) for option in pick.shorts] + [_leg(option, Side.BUY) for option in pick.longs]
    stops: tuple[PlanStop, ...] = ()
    if strategy == "bull_put":
        short = pick.shorts[0]
        ask = chain.quotes[short.symbol].ask
        near = random.random() < 0.5  # half of the stops lie so near that the market may reach them
        trigger = round_up(ask + (short.tick_size if near else ask), short.tick_size)
        stops = (PlanStop(leg_id=legs[0].leg_id, trigger_price=trigger),)
    policy = Policy.FLATTEN if strategy == "bear_call" else Policy.COMPLETE
    return Plan(
        group_id=group_id, strategy=strategy, quantity=quantity, legs=tuple(legs), policy=policy, stops=stops
    )  # fmt: skip


def _leg(option: Instrument, side: Side) -> PlanLeg:
    right = "call" if option.right is Right.CALL else "put"
    return PlanLeg(leg_id=f"{side.value}-{right}", symbol=option.symbol, side=side)
