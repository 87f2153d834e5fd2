"""The laws of the join (S8, S9, R6) as properties: over any reports whatever, and over those of an honest broker."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.execution import ExecType, ExecutionReport, OrdStatus
from domain.fills import count, settled
from domain.order_table import Verdict
from domain.orders import OrderState, merge
from domain.report_ids import event_id
from domain.retold import Registers

S, E, V = OrdStatus, ExecType, Verdict
laws = settings(derandomize=True, deadline=None, max_examples=150)
INTENT = OrderState.new("X", 10)


def report(kind: ExecType, status: OrdStatus, ts_ns: int, **told: object) -> ExecutionReport:
    fields: dict[str, object] = {"exec_id": f"{kind.value}-{ts_ns}", "order_qty": 10, "cum_qty": 0, "leaves_qty": 0}
    return ExecutionReport(
        client_order_id="X",
        exec_type=kind,
        ord_status=status,
        ts_ns=ts_ns,
        **(fields | told),  # type: ignore[arg-type]
    )


def replay(*reports: ExecutionReport) -> OrderState:
    state = INTENT
    for one in reports:
        state = merge(state, one).state
    return state


# Any report whatever, drawn from so few values that ids, times and contents collide.
exec_ids = st.sampled_from(["", "0", "a", "b", "c", "d"])
any_report = st.builds(
    ExecutionReport,
    client_order_id=st.just("X"),
    exec_type=st.one_of(
        st.sampled_from(ExecType), st.sampled_from([E.TRADE, E.TRADE_CORRECT, E.TRADE_CANCEL, E.CANCELED, E.REPLACED])
    ),
    ord_status=st.sampled_from(OrdStatus),
    exec_id=exec_ids,
    ts_ns=st.integers(0, 4),
    order_qty=st.sampled_from([0, 5, 10]),
    cum_qty=st.integers(0, 10),
    leaves_qty=st.integers(0, 10),
    last_qty=st.integers(-1, 6),
    last_px=st.integers(-2, 500),
    request_id=st.sampled_from(["", "Y", "Z"]),
    exec_ref_id=exec_ids,
    venue_order_id=st.sampled_from(["", "v1", "v2"]),
)


@laws
@given(st.lists(any_report, max_size=9).flatmap(lambda told: st.tuples(st.just(told), st.permutations(told * 2))))
def test_any_permutation_and_duplication_ends_in_an_equal_state(
    drawn: tuple[list[ExecutionReport], list[ExecutionReport]],
) -> None:
    told, shuffled = drawn
    once, often = replay(*told), replay(*shuffled)
    assert often == once
    assert msgspec.msgpack.encode(often) == msgspec.msgpack.encode(once)


@laws
@given(st.lists(any_report, max_size=6), st.lists(any_report, max_size=6))
def test_two_halves_can_be_joined_in_either_order(left: list[ExecutionReport], right: list[ExecutionReport]) -> None:
    woven = [one for pair in zip(left, right, strict=False) for one in pair]
    woven += left[len(right) :] + right[len(left) :]
    assert replay(*left, *right) == replay(*right, *left) == replay(*woven)


def lasting(state: OrderState) -> Registers:
    """The last words by reports whose time is that of what they say; of others an earlier time may yet be learned."""
    return state.apart or Registers(state.described, state.venue, state.reported, state.phase)


@laws
@given(st.lists(any_report, max_size=9))
def test_what_is_known_only_grows(told: list[ExecutionReport]) -> None:
    state = INTENT
    for one in told:
        merged = merge(state, one)
        after = merged.state
        assert merge(after, one).state is after
        assert (merged.verdict is V.DUPLICATE) <= (after is state)
        assert after.cum_qty >= 0 <= after.missing_qty
        assert after.live_qty == max(after.leaves_qty + after.missing_qty, after.doubtful_qty) >= 0
        assert {e.exec_id for e in state.executions} <= {e.exec_id for e in after.executions}
        assert after.acknowledged >= state.acknowledged
        assert after.triggered >= state.triggered
        assert after.is_terminal or state.ended is None
        assert lasting(after).described[:2] >= lasting(state).described[:2]
        assert {told.event_id for told in state.told} <= {told.event_id for told in after.told}
        assert (after.described[0] >= 0) >= (state.described[0] >= 0), "what the broker said of it was forgotten"
        assert (after.venue_order_id != "") >= (state.venue_order_id != "")
        assert after.ended is None or after.ord_status in (after.ended, S.FILLED)
        state = after


@laws
@given(st.lists(any_report, max_size=9))
def test_the_running_count_is_the_count_of_the_whole_set(told: list[ExecutionReport]) -> None:
    state = replay(*told)
    assert state.count == settled(count(state.executions), state.executions, state.asked)
    assert list(state.executions) == sorted(state.executions, key=lambda e: e.exec_id)
    assert list(state.requests) == sorted(state.requests)


@laws
@given(st.lists(any_report, max_size=9))
def test_a_state_survives_being_stored(told: list[ExecutionReport]) -> None:
    state = replay(*told)
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=OrderState)
    assert stored == state
    assert all(merge(stored, one).state is stored for one in told)


class Broker:
    """An honest broker, kept apart from the code under test: what it says, and what is true."""

    def __init__(self, order_qty: int) -> None:
        self.order_qty = order_qty
        self.fills: dict[int, tuple[str, int, int] | None] = {}  # trade number -> last exec_id, quantity, price
        self.said: list[ExecutionReport] = []
        self.over = False
        self.say(E.NEW, S.NEW)

    @property
    def cum(self) -> int:
        return sum(fill[1] for fill in self.fills.values() if fill)

    def say(self, kind: ExecType, status: OrdStatus | None = None, **told: object) -> None:
        ts_ns = len(self.said) + 1
        plain = S.FILLED if self.cum >= self.order_qty else S.PARTIALLY_FILLED if self.cum else S.NEW
        fields: dict[str, object] = {"cum_qty": self.cum, "order_qty": self.order_qty}
        self.said.append(report(kind, status or plain, ts_ns, **(fields | told)))

    def act(self, action: str, which: int, qty: int, px: int) -> None:
        number = len(self.said) + 1
        fill = self.fills.get(which)
        room = self.order_qty - self.cum
        if action == "trade" and room > 0 and not self.over:
            qty = min(qty, room)
            self.fills[len(self.fills)] = (f"t{number}", qty, px)
            self.say(E.TRADE, exec_id=f"t{number}", last_qty=qty, last_px=px)
        elif action == "correct" and fill:
            qty = min(qty, room + fill[1])
            self.fills[which] = (f"c{number}", qty, px)
            self.say(E.TRADE_CORRECT, exec_id=f"c{number}", exec_ref_id=fill[0], last_qty=qty, last_px=px)
        elif action == "bust" and fill:
            self.fills[which] = None
            self.say(E.TRADE_CANCEL, exec_id=f"b{number}", exec_ref_id=fill[0])
        elif action == "replace" and not self.over:
            self.say(E.PENDING_REPLACE, S.PENDING_REPLACE, request_id=f"R{number}")
            self.order_qty = max(self.cum, 1, qty * 2)
            self.say(E.REPLACED, request_id=f"R{number}")
        elif action == "refuse" and not self.over:
            self.say(E.PENDING_CANCEL, S.PENDING_CANCEL, request_id=f"C{number}")
            self.say(E.CANCEL_REJECT, order_qty=0, cum_qty=0, request_id=f"C{number}")
        elif action == "query":
            self.say(E.ORDER_STATUS, S.CANCELED if self.over else None, exec_id="0")
        elif action == "cancel" and room > 0 and not self.over:
            self.say(E.PENDING_CANCEL, S.PENDING_CANCEL, request_id=f"C{number}")
            self.over = True
            self.say(E.CANCELED, S.CANCELED, request_id=f"C{number}")


actions = st.tuples(
    st.sampled_from(["trade", "trade", "trade", "correct", "bust", "replace", "refuse", "query", "cancel"]),
    st.integers(0, 4),
    st.integers(1, 6),
    st.integers(1, 300),
)


@st.composite
def stories(draw: st.DrawFn, only: tuple[str, ...] = ()) -> tuple[Broker, list[ExecutionReport]]:
    """An honest broker at the end of a story, and its reports shuffled, each at least once."""
    broker = Broker(10)
    for action in draw(st.lists(actions, max_size=10)):
        if not only or action[0] in only:
            broker.act(*action)
    return broker, draw(st.permutations(broker.said + draw(st.lists(st.sampled_from(broker.said), max_size=4))))


@laws
@given(stories())
def test_whatever_the_order_of_arrival_we_end_with_what_the_broker_has(
    story: tuple[Broker, list[ExecutionReport]],
) -> None:
    broker, heard = story
    state = replay(*heard)
    held = [fill for fill in broker.fills.values() if fill]
    assert state == replay(*broker.said)
    assert (state.cum_qty, state.notional) == (broker.cum, sum(qty * px for _, qty, px in held))
    assert (state.order_qty, state.missing_qty, state.has_anomaly) == (broker.order_qty, 0, False)
    full = broker.cum >= broker.order_qty
    working = S.PARTIALLY_FILLED if broker.cum else S.NEW
    assert state.ord_status is (S.FILLED if full else S.CANCELED if broker.over else working)
    assert state.live_qty == (0 if broker.over or full else broker.order_qty - broker.cum)


@laws
@given(stories(only=("trade", "cancel", "query")))
def test_without_busts_and_replaces_a_status_never_moves_back(story: tuple[Broker, list[ExecutionReport]]) -> None:
    _, heard = story
    ladder = [S.PENDING_NEW, S.NEW, S.PARTIALLY_FILLED, S.PENDING_CANCEL, S.CANCELED, S.FILLED]
    state = INTENT
    for one in heard:
        merged = merge(state, one)
        assert ladder.index(merged.state.ord_status) >= ladder.index(state.ord_status)
        assert merged.verdict is not V.ANOMALY
        assert merged.verdict is not V.REGRESSION or merged.state.ord_status in (state.ord_status, S.FILLED)
        state = merged.state


@laws
@given(stories(only=("trade", "query")), st.data())
def test_what_is_lost_is_missing_and_never_too_much(
    story: tuple[Broker, list[ExecutionReport]], data: st.DataObject
) -> None:
    broker, heard = story
    state = replay(*data.draw(st.lists(st.sampled_from(heard), unique_by=event_id)))
    assert state.cum_qty <= broker.cum
    state = merge(state, report(E.ORDER_STATUS, S.PARTIALLY_FILLED, 99, exec_id="0", cum_qty=broker.cum)).state
    assert state.cum_qty + state.missing_qty == broker.cum
    assert state.live_qty == broker.order_qty - state.cum_qty


@laws
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 10**7)), min_size=1, max_size=6))
def test_the_average_price_is_rounded_half_to_even_from_the_exact_notional(fills: list[tuple[int, int]]) -> None:
    state = replay(*(report(E.TRADE, S.NEW, n, last_qty=qty, last_px=px) for n, (qty, px) in enumerate(fills)))
    total = sum(qty for qty, _ in fills)
    assert state.notional == sum(qty * px for qty, px in fills)
    assert abs(2 * (state.avg_px * total - state.notional)) <= total
    if 2 * (state.notional % total) == total:
        assert state.avg_px % 2 == 0
