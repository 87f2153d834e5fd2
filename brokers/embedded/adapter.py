"""The embedded exchange behind the broker port: a non-blocking socket and a table of unanswered requests.

No thread and no event loop: the adapter lives in an actor process that watches :meth:`EmbeddedAdapter.fileno`.

What a result means here.  ``REFUSED`` is only what the exchange itself has said.  ``UNKNOWN`` is everything else that
is not ``ACCEPTED``: no answer in time, the link broke first, there was no session to send it through, or the
exchange's front end failed (429, 5xx).  An answer
that comes after its request was called unknown is dropped; what it would have told comes with the reports and the next
snapshot.  A submit that the exchange refuses as a duplicate is ``ACCEPTED`` with the first order's ``venue_order_id``:
it is the same order, sent again.  The report of such a refusal carries the first order's state (FIX 4.4, scenario
F.1.b) and is passed on as an ``ORDER_STATUS``, so that nobody takes a live order for a rejected one.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import msgspec

from brokers.embedded.link import Link, LinkError
from brokers.port import BrokerEvent, Capabilities, Heartbeat, LinkDown, LinkUp
from domain.execution import ExecType, ExecutionReport
from domain.quotes import Quote
from messages.market import Funds, MarketStatus
from messages.orders import (
    CancelOrder,
    CancelResult,
    InstrumentList,
    ModifyOrder,
    ModifyResult,
    Outcome,
    Snapshot,
    SubmitOrder,
    SubmitResult,
)
from venue import protocol as wire

DUPLICATE = "duplicate"
UNKNOWN_ORDER = "unknown order"

DECLARED = Capabilities(
    name="embedded",
    deduplicates_client_order_ids=True,
    echoes_client_order_id=True,
    max_client_order_id_length=128,
    replace_in_place=True,
    native_combos=False,
    server_side_stops=True,
    cancel_all=False,
    snapshot_lag_ms=1000,
    clock_source="the exchange's heartbeats, every 100 ms",
    orders_per_second=1000,
    market_orders_rest=False,
    cancel_on_disconnect=True,
)


class _State(Enum):
    DOWN = "down"
    LOGGING_IN = "logging in"
    UP = "up"


class _Asked(msgspec.Struct, frozen=True):
    """A request without an answer; ``what`` is None for a query, whose silence is not reported."""

    deadline_s: float
    what: SubmitOrder | CancelOrder | ModifyOrder | None


class EmbeddedAdapter:
    """One account at the embedded exchange; :class:`brokers.port.BrokerAdapter` says what each method does.

    ``monotonic`` gives seconds; ``answer_timeout_s`` is how long a request may go unanswered before it is ``UNKNOWN``,
    ``silence_timeout_s`` how long the exchange may say nothing at all (it says something every 100 ms).  ``declared``
    is what the rest of the system may rely on: a server that promises less is not logged in to.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        monotonic: Callable[[], float],
        answer_timeout_s: float = 2.0,
        silence_timeout_s: float = 3.0,
        declared: Capabilities = DECLARED,
        dial: Callable[[str, int], Link] = Link,
        cancel_on_disconnect_ms: int = 0,
    ) -> None:
        self.late_answers = 0  # answers that came after their request was given up
        self._dial = dial
        self._host = host
        self._port = port
        self._monotonic = monotonic
        self._answer_timeout_s = answer_timeout_s
        self._silence_timeout_s = silence_timeout_s
        self._declared = declared
        self._cancel_on_disconnect_ms = cancel_on_disconnect_ms
        self._state = _State.DOWN
        self._link: Link | None = None
        self._session = 0
        self._requests = 0
        self._asked: dict[int, _Asked] = {}  # oldest first, and all with the same patience
        self._events: list[BrokerEvent] = []
        self._symbols: frozenset[str] = frozenset()
        self._ts_ns = 0
        self._heard_s = 0.0

    @property
    def capabilities(self) -> Capabilities:
        return self._declared

    def connect(self) -> None:
        if self._state is not _State.DOWN:
            return
        self._heard_s = self._monotonic()
        try:
            self._link = self._dial(self._host, self._port)
        except LinkError as error:
            self._events.append(LinkDown(self._session, str(error)))
            return
        self._state = _State.LOGGING_IN
        self._send(
            wire.Hello(
                version=wire.PROTOCOL_VERSION,
                client="legkeeper",
                cancel_on_disconnect_ms=self._cancel_on_disconnect_ms,
            )
        )

    def fileno(self) -> int:
        return -1 if self._link is None else self._link.fileno()

    @property
    def has_unsent(self) -> bool:
        return self._link is not None and self._link.has_unsent

    def pump(self) -> list[BrokerEvent]:
        if self._link is not None:
            self._exchange_bytes(self._link)
        self._give_up_late_requests()
        events, self._events = self._events, []
        return events

    def submit(self, order: SubmitOrder) -> None:
        self._ask(
            lambda request: wire.Submit(
                request=request,
                client_order_id=order.client_order_id,
                symbol=order.symbol,
                side=order.side,
                quantity=order.quantity,
                order_type=order.order_type,
                time_in_force=order.time_in_force,
                price=order.price,
                trigger_price=order.trigger_price,
                entry=not order.reduce_only,
            ),
            order,
        )

    def cancel(self, request: CancelOrder) -> None:
        self._ask(
            lambda number: wire.Cancel(
                request=number, client_order_id=request.client_order_id, request_id=request.request_id
            ),
            request,
        )

    def modify(self, request: ModifyOrder) -> None:
        self._ask(
            lambda number: wire.Modify(
                request=number,
                client_order_id=request.client_order_id,
                request_id=request.request_id,
                order_type=request.order_type,
                quantity=request.quantity,
                price=request.price,
                trigger_price=request.trigger_price,
            ),
            request,
        )

    def request_snapshot(self) -> None:
        self._ask(lambda number: wire.QuerySnapshot(request=number), None)

    def request_instruments(self) -> None:
        self._ask(lambda number: wire.QueryInstruments(request=number), None)

    def request_account(self) -> None:
        self._ask(lambda number: wire.QueryAccount(request=number), None)

    def subscribe(self, symbols: frozenset[str]) -> None:
        self._symbols = symbols
        if self._state is _State.UP:
            self._send(wire.Subscribe(symbols=tuple(sorted(symbols))))

    def close(self) -> None:
        if self._state is not _State.DOWN:
            self._down("closed by this side")

    # --- the link ---

    def _exchange_bytes(self, link: Link) -> None:
        now_s = self._monotonic()
        try:
            link.flush()
            for message in link.receive():
                self._heard_s = now_s
                self._read(message)
                if self._link is None:
                    return
        except (LinkError, wire.ProtocolError) as error:
            self._down(str(error))
            return
        if now_s - self._heard_s > self._silence_timeout_s:
            self._down(f"the exchange has said nothing for {self._silence_timeout_s:g} s")

    def _send(self, message: wire.ClientMessage) -> None:
        assert self._link is not None
        try:
            self._link.send(message)
        except LinkError as error:
            self._down(str(error))

    def _down(self, reason: str) -> None:
        """Give up the connection: first what is in flight becomes unknown, then the link is down."""
        assert self._link is not None
        self._link.close()
        self._link = None
        self._state = _State.DOWN
        asked, self._asked = self._asked, {}
        for one in asked.values():
            self._unknown(one, f"the link broke before an answer came: {reason}")
        self._events.append(LinkDown(self._session, reason))

    # --- requests ---

    def _ask(
        self, message: Callable[[int], wire.Order | wire.Query], what: SubmitOrder | CancelOrder | ModifyOrder | None
    ) -> None:
        asked = _Asked(self._monotonic() + self._answer_timeout_s, what)
        if self._state is not _State.UP:
            self._unknown(asked, f"nothing was sent: the link is {self._state.value}")
            return
        self._requests += 1
        self._asked[self._requests] = asked
        self._send(message(self._requests))

    def _give_up_late_requests(self) -> None:
        now_s = self._monotonic()
        late = []
        for request, asked in self._asked.items():
            if asked.deadline_s > now_s:
                break
            late.append(request)
        for request in late:
            self._unknown(self._asked.pop(request), f"no answer within {self._answer_timeout_s:g} s")

    def _unknown(self, asked: _Asked, reason: str) -> None:
        if asked.what is not None:
            self._events.append(_result(asked.what, Outcome.UNKNOWN, self._ts_ns, "", reason))

    # --- what the exchange says ---

    def _read(self, message: wire.ServerMessage) -> None:
        match message:
            case Quote():
                self._tell(message, message.ts_ns)
            case ExecutionReport():
                self._tell(_without_duplicate_refusal(message), message.ts_ns)
            case wire.VenueHeartbeat():
                self._tell(Heartbeat(message.ts_ns), message.ts_ns)
            case MarketStatus():
                self._events.append(message)
            case wire.Answer():
                self._answered(message)
            case wire.SnapshotAnswer() | wire.InstrumentsAnswer() | wire.AccountAnswer():
                if self._claim(message.request) is not None:
                    self._queried(message)
            case wire.Welcome():
                self._welcomed(message)
            case wire.Goodbye():
                self._down(f"the exchange hung up: {message.reason}")
            case wire.ServerTime() | wire.Pong():
                pass  # answers to questions that this adapter never asks

    def _welcomed(self, welcome: wire.Welcome) -> None:
        missing = broken_promises(self._declared, welcome.promises)
        if missing:
            self._down(f"this server promises less than was declared: {'; '.join(missing)}")
            return
        self._state = _State.UP
        self._session += 1
        self._tell(LinkUp(self._session, welcome.ts_ns), welcome.ts_ns)
        if self._symbols:
            self._send(wire.Subscribe(symbols=tuple(sorted(self._symbols))))

    def _answered(self, answer: wire.Answer) -> None:
        self._ts_ns = max(self._ts_ns, answer.ts_ns)
        asked = self._claim(answer.request)
        if asked is None or asked.what is None:
            return
        same_order = isinstance(asked.what, SubmitOrder) and answer.reason.startswith(DUPLICATE)
        accepted = answer.accepted or (same_order and answer.venue_order_id != "")
        outcome = Outcome.UNKNOWN if answer.failed else Outcome.ACCEPTED if accepted else Outcome.REFUSED
        self._events.append(_result(asked.what, outcome, answer.ts_ns, answer.venue_order_id, answer.reason))

    def _queried(self, answer: wire.SnapshotAnswer | wire.InstrumentsAnswer | wire.AccountAnswer) -> None:
        match answer:
            case wire.SnapshotAnswer():
                self._tell(self._snapshot(answer), answer.as_of_ns)
            case wire.InstrumentsAnswer():
                self._events.append(InstrumentList(answer.instruments))
            case wire.AccountAnswer():
                funds = Funds(available=answer.cash - answer.margin, used=answer.margin, ts_ns=answer.ts_ns)
                self._tell(funds, answer.ts_ns)

    def _claim(self, request: int) -> _Asked | None:
        asked = self._asked.pop(request, None)
        if asked is None:
            self.late_answers += 1
        return asked

    def _snapshot(self, answer: wire.SnapshotAnswer) -> Snapshot:
        return Snapshot(
            as_of_ns=answer.as_of_ns,
            session=self._session,
            orders=answer.orders,
            executions=answer.executions,
            positions=answer.positions,
            activities=answer.activities,
        )

    def _tell(self, event: BrokerEvent, ts_ns: int) -> None:
        self._ts_ns = max(self._ts_ns, ts_ns)
        self._events.append(event)


def _without_duplicate_refusal(report: ExecutionReport) -> ExecutionReport:
    if report.exec_type is ExecType.REJECTED and report.text.startswith(DUPLICATE):
        return msgspec.structs.replace(report, exec_type=ExecType.ORDER_STATUS)
    return report


def broken_promises(declared: Capabilities, promised: wire.Promises) -> list[str]:
    """Where a server promises less than is declared, in words; empty when everything declared holds."""
    checks = (
        (
            promised.deduplicates or not declared.deduplicates_client_order_ids,
            "it does not deduplicate client order ids",
        ),
        (
            promised.max_tag_length >= declared.max_client_order_id_length,
            f"client order ids may have {promised.max_tag_length} characters, "
            f"declared are {declared.max_client_order_id_length}",
        ),
        (
            promised.orders_per_second == 0 or promised.orders_per_second >= declared.orders_per_second,
            f"it takes {promised.orders_per_second} orders a second, declared are {declared.orders_per_second}",
        ),
        (declared.market_orders_rest or not promised.market_orders_rest, "its market orders may rest"),
        (
            promised.snapshot_lag_ms <= declared.snapshot_lag_ms,
            f"its snapshots may be {promised.snapshot_lag_ms} ms old, declared are {declared.snapshot_lag_ms}",
        ),
    )
    return [words for holds, words in checks if not holds]


def _result(
    what: SubmitOrder | CancelOrder | ModifyOrder, outcome: Outcome, ts_ns: int, venue_order_id: str, reason: str
) -> SubmitResult | CancelResult | ModifyResult:
    if isinstance(what, SubmitOrder):
        return SubmitResult(
            client_order_id=what.client_order_id,
            outcome=outcome,
            ts_ns=ts_ns,
            venue_order_id=venue_order_id,
            reason=reason,
        )
    kind = CancelResult if isinstance(what, CancelOrder) else ModifyResult
    result = kind(
        client_order_id=what.client_order_id,
        request_id=what.request_id,
        outcome=outcome,
        ts_ns=ts_ns,
        reason=reason,
    )
    if isinstance(result, CancelResult) and outcome is Outcome.REFUSED and reason == UNKNOWN_ORDER:
        return msgspec.structs.replace(result, unknown_order=True)
    return result
