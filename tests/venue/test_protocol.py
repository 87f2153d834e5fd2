"""The wire format: whole messages out of any pieces, and a clear error for anything else."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.execution import ExecType, ExecutionReport, OrdStatus, OrdType, Side, TimeInForce
from domain.quotes import Quote
from messages.orders import Activity, ActivityKind, Position
from venue import protocol as wire
from venue.nasty import Nasty

REPORT = ExecutionReport(
    client_order_id="a-1",
    exec_type=ExecType.TRADE,
    ord_status=OrdStatus.PARTIALLY_FILLED,
    exec_id="e1",
    ts_ns=7,
    order_qty=10,
    cum_qty=4,
    leaves_qty=6,
    last_qty=4,
    last_px=12_500,
    side=Side.SELL,
)
SUBMIT = wire.Submit(
    request=1,
    client_order_id="a-1",
    symbol="X",
    side=Side.BUY,
    quantity=10,
    order_type=OrdType.STOP_LIMIT,
    time_in_force=TimeInForce.DAY,
    price=100,
    trigger_price=90,
)
FROM_CLIENTS: list[wire.ClientMessage] = [
    wire.Hello(version=1, client="t"),
    SUBMIT,
    wire.Subscribe(symbols=("X", "Y")),
    wire.Misbehave(request=3, nasty=Nasty(delay=0.5, delay_ms=(1, 2)), seed=9),
    wire.PinQuote(request=4, quote=Quote("X", 0, 1, 2, 3, 4)),
    wire.Intervene(request=5, kind=ActivityKind.LIQUIDATION, symbol="X", quantity=-3, price=0),
    wire.QuerySnapshot(request=5),
]
FROM_SERVER: list[wire.ServerMessage] = [
    wire.Welcome(
        version=1,
        ts_ns=5,
        session=2,
        promises=wire.Promises(
            deduplicates=True, max_tag_length=20, orders_per_second=0, market_orders_rest=False, snapshot_lag_ms=10
        ),
    ),
    REPORT,
    Quote("X", 1, 2, 3, 4, 5),
    wire.Answer(request=1, ts_ns=2, accepted=False, venue_order_id="v", reason="no"),
    wire.SnapshotAnswer(
        request=5,
        as_of_ns=9,
        orders=(REPORT,),
        executions=(REPORT,),
        positions=(Position("X", -3, 100),),
        activities=(Activity("E1", ActivityKind.ASSIGNMENT, "X", 3, 0, 8, "Y"),),
    ),
    wire.AccountAnswer(request=6, ts_ns=9, cash=-3, margin=4),
    wire.VenueHeartbeat(ts_ns=1),
]


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@given(size=st.integers(1, 400))
def test_a_stream_cut_anywhere_gives_the_messages_that_were_sent(size: int) -> None:
    clients, server = wire.client_frames(), wire.server_frames()
    asked = b"".join(map(wire.encode, FROM_CLIENTS))
    said = b"".join(map(wire.encode, FROM_SERVER))
    assert [m for piece in pieces(asked, size) for m in clients.feed(piece)] == FROM_CLIENTS
    assert [m for piece in pieces(said, size) for m in server.feed(piece)] == FROM_SERVER


MALFORMED = {
    "a byte that MessagePack never uses": b"\xc1",
    "text that is not UTF-8": b"\x91\xa2\xff\xff",
    "not an array": msgpack.packb({"Hello": 1}),
    "no name": msgpack.packb([]),
    "an unknown name": msgpack.packb(["Gibberish", 1]),
    "a server's message": wire.encode(wire.VenueHeartbeat(ts_ns=1)),
    "a missing field": msgpack.packb(["Cancel", 1, "a"]),
    "a field of the wrong type": msgpack.packb(["Cancel", 1, "a", 5]),
    "a word that is no side": msgpack.packb(["Submit", 1, "a", "X", "hold", 1, "limit", "day", 1, 0]),
    "a fraction for a quantity": msgpack.packb(["Submit", 1, "a", "X", "buy", 1.5, "limit", "day", 1, 0]),
    "a chance above one": msgpack.packb(["Misbehave", 1, {"delay": 1.5}, 0]),
    "an extension type": msgpack.packb(msgpack.ExtType(5, b"x")),
    "arrays nested without end": b"\x91" * 100_000,
    "a length beyond the limit": b"\xdd\xff\xff\xff\xff",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_malformed_is_a_protocol_error_after_the_good_messages_before_it(data: bytes) -> None:
    messages = wire.client_frames().feed(wire.encode(SUBMIT) + data)
    assert next(messages) == SUBMIT
    with pytest.raises(wire.ProtocolError, match=r"not MessagePack: .|not a message of this protocol: ."):
        list(messages)


def test_a_message_longer_than_the_limit_is_refused_and_not_collected() -> None:
    frames = wire.client_frames()
    endless = b"\xdb\x00\x0f\xff\xff" + b"x" * 100_000
    with pytest.raises(wire.ProtocolError, match="longer than this side accepts"):
        for _ in range(20):
            list(frames.feed(endless))


@given(st.binary(max_size=200))
def test_no_bytes_at_all_raise_anything_but_a_protocol_error(data: bytes) -> None:
    try:
        for message in wire.client_frames().feed(data):
            assert isinstance(message, wire.ClientMessage)
    except wire.ProtocolError as error:
        assert str(error)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=12,
    ),
    st.sampled_from(["Hello", "Submit", "Cancel", "Modify", "Subscribe", "Misbehave", "PinQuote"]),
)
def test_no_fields_at_all_raise_anything_but_a_protocol_error(fields: object, name: str) -> None:
    try:
        listed = fields if isinstance(fields, list) else [fields]
        list(wire.client_frames().feed(msgpack.packb([name, *listed])))
    except wire.ProtocolError as error:
        assert str(error)
