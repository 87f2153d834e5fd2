"""Priority lanes with reserved rate tokens (E7, R25): what saves money leaves first, and new risk never starves it.

Queries leave after all that repairs and before new risk, and spare the reserve like new risk; but one that has waited
for a second goes first, one in each second: an order of unknown fate is not repaired while nobody asks about it (R7).

A token is spent by whatever leaves and comes back exactly one second later.  So at most ``orders_per_second`` leave in
*any* second, and at once when none was spent; a bucket that refills evenly would let twice as many through in the
second after a pause, and a broker that counts per second would refuse the rest, hedges included.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from enum import Enum, IntEnum
from typing import Final

from msgspec.structs import replace

from config.schema import ControlsConfig
from decisions.effects import Request
from decisions.gateway.ledger import same_payload
from domain.execution import OrdType
from domain.groups import ENTRY_ROLES, Role
from messages.orders import CancelOrder, SubmitOrder

WINDOW_MS = 1_000  # after so long a spent token is back
PATIENCE_MS = 1_000  # so long a query waits for what is more urgent, and for the next one that does not


class Lane(IntEnum):
    """In the order in which they leave."""

    REPAIR = 1  # hedges, closes and stop-loss market orders, and changes that turn an order into an exit
    CANCEL = 2
    CHANGE = 3  # stop-limit orders, and changes that leave them what they are; queries follow
    PROTECTION = 4
    RISK = 5


class Query(Enum):
    """What the broker is asked for.  A level: it is wanted, or not, and one answer serves all who want it."""

    INSTRUMENTS = "instruments"
    ACCOUNT = "account"
    SNAPSHOT = "snapshot"


LANE_OF_ROLE: Final = {
    Role.HEDGE: Lane.REPAIR,
    Role.CLOSE: Lane.REPAIR,
    Role.STOP_MARKET: Lane.REPAIR,
    Role.STOP_LIMIT: Lane.CHANGE,
    Role.PROTECTION: Lane.PROTECTION,
    Role.RISK: Lane.RISK,
}
ENTRY_LANES: Final = frozenset({LANE_OF_ROLE[role] for role in ENTRY_ROLES})
OWN_EPOCH: Final = 0  # of the gateway's own cancels; those of cells begin with 1
_Key = tuple[str, ...]
_SUBMIT: Final = "submit"
_CANCEL: Final = "cancel"


def is_own(request: Request) -> bool:
    """Whether it is a cancel that a control asks for (E8, E9, E12, E13): no cell's epoch stands behind it."""
    return isinstance(request, CancelOrder) and request.epoch == OWN_EPOCH


def lane_of(request: Request) -> Lane:
    """The lane that a request waits in."""
    if isinstance(request, SubmitOrder):
        return LANE_OF_ROLE[request.role]
    if isinstance(request, CancelOrder):
        return Lane.CANCEL
    return Lane.CHANGE if request.order_type is OrdType.STOP_LIMIT else Lane.REPAIR


class Lanes:
    """Requests on their way to the broker.  Times are monotonic milliseconds, passed in.

    Raises ``ValueError`` when the configuration reserves every token, because no entry could ever leave.
    """

    def __init__(self, config: ControlsConfig) -> None:
        if config.reserved_tokens >= config.orders_per_second:
            raise ValueError(
                f"controls.reserved_tokens = {config.reserved_tokens} leaves nothing for new orders; it must be below "
                f"controls.orders_per_second = {config.orders_per_second}"
            )
        self._tokens = config.orders_per_second
        self._entry_tokens = config.orders_per_second - config.reserved_tokens
        self._waiting: dict[Lane, OrderedDict[_Key, Request]] = {lane: OrderedDict() for lane in Lane}
        self._lane_of: dict[_Key, Lane] = {}
        self._copies = 0
        self._spent: deque[int] = deque()  # when each token that is not back yet was spent
        self._queries: dict[Query, int] = {}  # what is to be asked, and since when it waits
        self._pressed_ms = -PATIENCE_MS  # when a query last went before what is more urgent
        self.opening = False  # a session begins: all else waits for its first answers, queries for tokens alone

    def __len__(self) -> int:
        return len(self._lane_of) + len(self._queries)

    def put(self, request: Request) -> SubmitOrder | None:
        """Let ``request`` wait in its lane; the same request again changes nothing.

        The cancel of a submit that still waits takes it out of its lane and returns it: answer it as refused, "canceled
        before it was sent".  The cancel itself then has nothing to do and does not leave, unless the submit was a
        *resend*: its first copy may be at the broker, so the cancel leaves, and the fate of the order stays unknown.
        """
        withdrawn = None
        if isinstance(request, CancelOrder):
            withdrawn = self._withdraw(request.client_order_id)
        if withdrawn is None or withdrawn.resend:
            self._enqueue(request)
        return withdrawn

    def next(self, now_ms: int) -> Request | None:
        """The most urgent request that may leave now, out of its lane; if it does leave, :meth:`spend` its token."""
        for lane, waiting in self._waiting.items():
            if waiting and self.free(lane, now_ms):
                key, request = waiting.popitem(last=False)
                del self._lane_of[key]
                return request
        return None

    def hasten(self, client_order_id: str) -> None:
        """Put the gateway's own cancel of this order at the head of its lane, if it waits."""
        key = (_CANCEL, client_order_id)
        if key in self._lane_of:
            self._waiting[Lane.CANCEL].move_to_end(key, last=False)

    def pull(self, client_order_id: str) -> Request | None:
        """The gateway's own cancel of this order, out of its lane; ``None``: it does not wait."""
        key = (_CANCEL, client_order_id)
        return self._waiting[self._lane_of.pop(key)].pop(key) if key in self._lane_of else None

    def left(self, now_ms: int) -> int:
        """How many tokens there are for what is most urgent."""
        self._recover(now_ms)
        return self._tokens - len(self._spent)

    def free(self, lane: Lane, now_ms: int) -> bool:
        """Whether there is a token for a request of this lane."""
        self._recover(now_ms)
        return len(self._spent) < self._limit(lane)

    def spend(self, now_ms: int) -> None:
        """A request leaves."""
        self._spent.append(now_ms)

    def remember(self, left_ms: Iterable[int]) -> None:
        """An earlier gateway sent something at these times, oldest first: the broker still counts it."""
        self._spent.extend(left_ms)

    @property
    def own_cancels(self) -> int:
        """How many cancels wait that the gateway itself asks for."""
        return sum(is_own(request) for request in self._waiting[Lane.CANCEL].values())

    def ask(self, query: Query, now_ms: int) -> None:
        """Let ``query`` wait; one that waits already stays where it is."""
        self._queries.setdefault(query, now_ms)

    def waits(self, query: Query) -> bool:
        """Whether it has not been asked yet."""
        return query in self._queries

    def next_query(self, now_ms: int) -> Query | None:
        """The query that may leave now, no longer waiting; when it has left, :meth:`spend` its token.

        While one waits, new risk finds no token either.
        """
        query = next(iter(self._queries), None)
        if query is None:
            return None
        self._recover(now_ms)
        presses = now_ms >= self._presses_ms()
        first = presses or self.opening
        if (self._urgent() and not first) or len(self._spent) >= (self._tokens if first else self._entry_tokens):
            return None
        if presses:
            self._pressed_ms = now_ms
        del self._queries[query]
        return query

    def forget_queries(self) -> None:
        """There is nobody to be asked: the link is down, and the next session asks anew."""
        self._queries.clear()

    def next_ms(self, now_ms: int) -> int | None:
        """When the next request or query may leave: ``now_ms`` if at once, ``None`` if none waits."""
        self._recover(now_ms)
        lane = next((lane for lane, waiting in self._waiting.items() if waiting), None)
        moments = [] if lane is None else [self._token_ms(self._limit(lane), now_ms)]
        if self._queries:
            presses_ms = now_ms if self.opening else self._presses_ms()
            moments.append(max(presses_ms, self._token_ms(self._tokens, now_ms)))
            if not self._urgent():
                moments.append(self._token_ms(self._entry_tokens, now_ms))
        return min(moments, default=None)

    def _token_ms(self, limit: int, now_ms: int) -> int:
        """When fewer than ``limit`` tokens are spent."""
        excess = len(self._spent) - limit
        return now_ms if excess < 0 else self._spent[excess] + WINDOW_MS

    def _urgent(self) -> bool:
        """Whether anything waits that goes before queries."""
        return any(waiting for lane, waiting in self._waiting.items() if lane not in ENTRY_LANES)

    def _presses_ms(self) -> int:
        """When the query at the head has waited for too long to let anything go before it."""
        return max(next(iter(self._queries.values())), self._pressed_ms) + PATIENCE_MS

    def drop(self, chosen: Callable[[Request], bool]) -> list[Request]:
        """Take out and return every waiting request for which ``chosen`` holds, most urgent first."""
        dropped = []
        for waiting in self._waiting.values():
            for key in [key for key, request in waiting.items() if chosen(request)]:
                dropped.append(waiting.pop(key))
                del self._lane_of[key]
        return dropped

    def drop_entries(self) -> list[Request]:
        """Take out and return the new risk that waits (the kill switch): it is to be answered as refused."""
        return self.drop(lambda request: lane_of(request) in ENTRY_LANES)

    def drop_all(self) -> list[Request]:
        """Take out and return everything that waits (the link is down)."""
        return self.drop(lambda _: True)

    def _limit(self, lane: Lane) -> int:
        return self._entry_tokens if lane in ENTRY_LANES else self._tokens

    def _recover(self, now_ms: int) -> None:
        while self._spent and self._spent[0] + WINDOW_MS <= now_ms:
            self._spent.popleft()

    def _withdraw(self, client_order_id: str) -> SubmitOrder | None:
        key = (_SUBMIT, client_order_id)
        lane = self._lane_of.pop(key, None)
        withdrawn = self._waiting[lane].pop(key) if lane else None
        return withdrawn if isinstance(withdrawn, SubmitOrder) else None

    def _enqueue(self, request: Request) -> None:
        key = _key(request)
        known_lane = self._lane_of.get(key)
        if known_lane is not None:
            known = self._waiting[known_lane][key]
            if _same(known, request):
                self._waiting[known_lane][key] = _joined(known, request)
                return
            self._copies += 1  # two meanings of one id: both stay in line, and the duplicate check refuses the second
            key = (*key, str(self._copies))
        lane = lane_of(request)
        self._lane_of[key] = lane
        self._waiting[lane][key] = request


def _key(request: Request) -> _Key:
    """What makes two requests the same one.  One cancel by the gateway itself is as good as two of the same order."""
    if is_own(request):
        return _CANCEL, request.client_order_id
    if isinstance(request, SubmitOrder):
        return _SUBMIT, request.client_order_id
    return "change", request.request_id


def _joined(known: Request, copy: Request) -> Request:
    """One of the two: asked by the newer epoch, and measured (E6) by the parent's larger quantity."""
    newest = replace(known, epoch=max(known.epoch, copy.epoch))
    if isinstance(newest, SubmitOrder) and isinstance(copy, SubmitOrder):
        return replace(newest, parent_qty=max(newest.parent_qty, copy.parent_qty))
    return newest


def _same(one: Request, other: Request) -> bool:
    if isinstance(one, SubmitOrder) and isinstance(other, SubmitOrder):
        return same_payload(one, other)
    if is_own(one):
        return True
    return one == replace(other, epoch=one.epoch)
