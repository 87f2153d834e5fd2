"""The account's life apart from orders: assignments, expiries, and the hands of broker, people and companies.

Each change is a movement of the account, a line of the truth record, and an activity; none has an execution report.
An assignment before expiry is told late, as in the real world: the position changes the next morning (with the
``always`` calendar: after ``assign_after_ms``), and nobody hears of it before.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType

from domain.execution import Side
from domain.instruments import Instrument
from domain.money import to_decimal
from messages.orders import ActivityKind
from venue import settlement
from venue.account import Account
from venue.reporting import Reporter
from venue.rules import Rules
from venue.truth import Kind

INTERVENTIONS: Mapping[ActivityKind, Kind] = MappingProxyType(
    {
        ActivityKind.LIQUIDATION: "liquidated",
        ActivityKind.MANUAL: "manual",
        ActivityKind.CORPORATE: "corporate",
    }
)


class Custody:
    """Moves positions; ``price`` gives the last price of a symbol, 0 when there is none."""

    def __init__(
        self,
        rules: Rules,
        instruments: Mapping[str, Instrument],
        account: Account,
        reporter: Reporter,
        price: Callable[[str], int],
    ) -> None:
        self._rules = rules
        self._instruments = instruments
        self._account = account
        self._reporter = reporter
        self._price = price
        self._untold: list[tuple[int, int, str, int]] = []  # heap: when it is told, a number, symbol, quantity
        self._told = 0
        self._settled_at: dict[str, int] = {}  # contract that has ended -> the price of its underlying then
        self._random = Random(rules.assign_seed)  # noqa: S311 - an exchange that can be repeated, no secret

    def assign(self, symbol: str, quantity: int, now_ns: int, *, late: bool = False) -> None:
        """Exercise ``quantity`` of a short American option against the account; shares at the strike take its place.

        ``late``: it takes effect when it is told, the next morning.  Raises ``ValueError`` when ``symbol`` is not an
        American option with a listed underlying, or is not held short in that quantity.
        """
        option = self._instruments.get(symbol)
        if option is None or option.right is None or option.style != "american":
            raise ValueError(f"{symbol!r} is not a listed American option: it cannot be assigned early")
        if option.underlying not in self._instruments:
            raise ValueError(f"{option.underlying!r} is not listed: {symbol!r} cannot turn into it")
        if not 0 < quantity <= self._short(symbol):
            raise ValueError(f"cannot assign {quantity} of {symbol!r}: the account is short {self._short(symbol)}")
        if late:
            self._told += 1
            heapq.heappush(self._untold, (self._rules.told_ns(now_ns), self._told, symbol, quantity))
        else:
            self._assigned(option, quantity, now_ns)

    def sold(self, option: Instrument, side: Side, quantity: int, now_ns: int) -> None:
        """A trade: what was sold short may be assigned early, by the chance of the house's rules."""
        short = min(quantity, self._short(option.symbol))
        assignable = option.style == "american" and option.underlying in self._instruments and option.is_option
        if side is Side.SELL and short > 0 and assignable and self._random.random() < self._rules.assign_early:
            self.assign(option.symbol, short, now_ns, late=True)

    def intervene(self, kind: ActivityKind, symbol: str, quantity: int, price: int, now_ns: int) -> None:
        """Change a position as the broker (a liquidation), a person (manual) or a company (corporate) does.

        ``quantity`` is signed; ``price`` 0 is the last one.  Raises ``ValueError`` for a kind that only the exchange
        itself brings about, a symbol that is not listed or that has expired, a quantity of nothing, and a liquidation
        of more than is held.
        """
        if kind not in INTERVENTIONS:
            possible = ", ".join(sorted(k.value for k in INTERVENTIONS))
            raise ValueError(f"{kind.value}: only {possible} come from outside")
        if symbol not in self._instruments:
            raise ValueError(f"{symbol!r} is not listed")
        if symbol in self._settled_at:
            raise ValueError(f"{symbol!r} has expired: nobody trades it any more")
        held = self._account.net.get(symbol, 0)
        if not quantity or (kind is ActivityKind.LIQUIDATION and not (-held <= quantity < 0 or 0 < quantity <= -held)):
            raise ValueError(f"cannot do a {kind.value} of {quantity} of {symbol!r}: the account holds {held}")
        movement = settlement.Movement(INTERVENTIONS[kind], symbol, quantity, price or self._price(symbol))
        self._move([movement], now_ns, kind.value)

    def expire(self, option: Instrument, now_ns: int) -> None:
        """End what is held of a contract whose time has come.  Without a price of its underlying it stays."""
        held = self._account.net.get(option.symbol, 0)
        spot = self._settled_at.get(option.symbol) or self._price(option.underlying)
        if spot:
            self._settled_at[option.symbol] = spot
        if held and spot:
            self._move(settlement.ended(option, held, spot), now_ns, f"expiry at {to_decimal(spot)}")

    def settle_again(self, now_ns: int) -> None:
        """A trade was changed or told late: what that leaves of contracts that have ended ends too, at the same price.

        A clearing house settles anew what is corrected after an expiry; nobody could ever trade it away.
        """
        for option in [self._instruments[symbol] for symbol, held in self._account.net.items() if held]:
            if option.expiry and now_ns >= self._rules.expiry_ns(option.expiry):
                self.expire(option, now_ns)

    def tell(self, now_ns: int) -> None:
        """Let the assignments take effect that are told by now, as far as the short is still there."""
        while self._untold and self._untold[0][0] <= now_ns:
            due_ns, _, symbol, quantity = heapq.heappop(self._untold)
            still = min(quantity, self._short(symbol))
            if still > 0:
                self._assigned(self._instruments[symbol], still, due_ns)

    def _short(self, symbol: str) -> int:
        return max(0, -self._account.net.get(symbol, 0))

    def _assigned(self, option: Instrument, quantity: int, now_ns: int) -> None:
        self._move(settlement.in_shares(option, -quantity), now_ns, "early assignment")

    def _move(self, movements: list[settlement.Movement], now_ns: int, reason: str) -> None:
        for movement in movements:
            exec_id = self._reporter.next_exec_id()
            self._account.post(exec_id, self._instruments[movement.symbol], movement.quantity, movement.price)
            self._reporter.moved(movement, exec_id, now_ns, reason)
