"""The exchange as a server: sessions, time, quotes, reports to everyone, and mischief at the wire."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from domain.execution import ExecType, ExecutionReport, OrdStatus, OrdType, Side, TimeInForce
from domain.quotes import Quote
from venue import protocol as wire
from venue.chain import seeded_chain
from venue.child import Steering, VenueChild
from venue.launch import Options, rules_for
from venue.nasty import LISTED_AFTER_MS, Nasty
from venue.rules import Rules
from venue.truth import read_truth

BID, ASK, FAR = 10_000, 11_000, 1_000
MILLISECOND_NS = 1_000_000


@pytest.fixture(scope="module")
def server() -> Iterator[VenueChild]:
    with VenueChild("--seed", "3") as child:
        yield child


@pytest.fixture
def client(server: VenueChild) -> Iterator[Steering]:
    with Steering(server.port) as steering:
        steering.misbehave(Nasty())
        yield steering


@pytest.fixture
def symbol(client: Steering) -> str:
    found = next(i.symbol for i in client.instruments().instruments if i.right is not None)
    client.pin(found, BID, ASK)
    return found


def order(client: Steering, symbol: str, quantity: int = 1, price: int = ASK, name: str = "") -> wire.Submit:
    request = client.request()
    return wire.Submit(
        request=request,
        client_order_id=name or f"{time.time_ns():x}-{request}",
        symbol=symbol,
        side=Side.BUY,
        quantity=quantity,
        order_type=OrdType.LIMIT,
        time_in_force=TimeInForce.DAY,
        price=price,
        trigger_price=0,
    )


def trade(client: Steering, symbol: str) -> ExecutionReport:
    client.send(order(client, symbol))
    while (report := client.next(ExecutionReport)).exec_type is not ExecType.TRADE:
        pass
    return report


def raw(port: int, data: bytes) -> list[wire.ServerMessage]:
    """What a server says to these bytes until it hangs up."""
    frames = wire.server_frames()
    heard: list[wire.ServerMessage] = []
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(data)
        while received := connection.recv(65536):
            heard += frames.feed(received)
    return heard


# --- sessions ---


def test_each_login_is_welcomed_with_a_higher_session_and_the_promises(server: VenueChild) -> None:
    with Steering(server.port) as one, Steering(server.port) as two:
        assert two.welcome.session > one.welcome.session
        assert two.welcome.ts_ns >= one.welcome.ts_ns > 0
        assert one.welcome.version == wire.PROTOCOL_VERSION
        assert one.welcome.promises.deduplicates


HELLO = wire.encode(wire.Hello(version=wire.PROTOCOL_VERSION, client="t"))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (wire.encode(wire.Hello(version=99, client="t")), "speaks version 99"),
        (wire.encode(wire.Ping(request=1)), "first message must be a Hello"),
        (b"GET / HTTP/1.1\r\n\r\n", "not a message of this protocol"),
        (HELLO + HELLO, "a second Hello"),
        (HELLO + b"\xc1", "not MessagePack"),
        (HELLO + b"\xdb\x00\x1f\xff\xff" + b"x" * 0x1FFFFF, "longer than this side accepts"),
    ],
    ids=["version", "no hello", "http", "hello twice", "malformed", "huge"],
)
def test_who_does_not_keep_to_the_protocol_is_told_why_and_hung_up_on(
    server: VenueChild, client: Steering, data: bytes, reason: str
) -> None:
    last = raw(server.port, data)[-1]
    assert isinstance(last, wire.Goodbye)
    assert reason in last.reason
    assert client.time_ns() > 0, "the other connections go on"


def test_answers_repeat_the_request_number_and_come_in_order(client: Steering) -> None:
    for request in (70, 71, 72):
        client.send(wire.Ping(request=request))
    assert [client.next(wire.Pong).request for _ in range(3)] == [70, 71, 72]


def test_every_report_goes_to_every_connection_of_the_account(
    server: VenueChild, client: Steering, symbol: str
) -> None:
    with Steering(server.port) as other:
        mine = trade(client, symbol)
        while (seen := other.next(ExecutionReport)).exec_type is not ExecType.TRADE:
            pass
        assert seen == mine


def test_a_submit_on_an_idle_server_is_answered_in_well_under_a_millisecond(client: Steering, symbol: str) -> None:
    fastest = 1.0
    for _ in range(200):
        submit = order(client, symbol, price=FAR)
        began = time.perf_counter()
        client.send(submit)
        assert client.next(wire.Answer).accepted
        fastest = min(fastest, time.perf_counter() - began)
        client.send(wire.Cancel(request=0, client_order_id=submit.client_order_id, request_id="c"))
        client.next(wire.Answer)
    assert fastest < 0.001


# --- time ---


def test_heartbeats_carry_the_exchanges_clock_and_it_runs_at_its_speed() -> None:
    with VenueChild("--speed", "50", "--offset-s", "100") as fast, Steering(fast.port) as client:
        before = time.monotonic_ns()
        first = client.time_ns()
        between = time.monotonic_ns()
        beats = [client.next(wire.VenueHeartbeat).ts_ns for _ in range(4)]
        again = time.monotonic_ns()
        last = client.time_ns()
        after = time.monotonic_ns()
    assert beats == sorted(set(beats))
    assert first <= beats[0] <= beats[-1] <= last
    assert 50 * (again - between) <= last - first <= 50 * (after - before)


def test_the_clock_starts_so_many_seconds_into_the_day() -> None:
    with VenueChild("--speed", "0.001", "--offset-s", "600") as later, Steering(later.port) as client:
        assert client.welcome.ts_ns - seeded_chain(0).open_ns == pytest.approx(600e9, abs=1e9)


def test_the_days_hours_are_kept_when_asked_for() -> None:
    day, usual = seeded_chain(1), Rules(max_tag_length=30)
    assert rules_for(Options(rules=usual), day) == usual
    kept = rules_for(Options(rules=usual, session=True), day)
    assert (kept.session_open_ns, kept.session_close_ns, kept.max_tag_length) == (day.open_ns, day.close_ns, 30)


def test_rules_come_from_the_command_line() -> None:
    with VenueChild("--rules", '{"session_close_ns": 1}') as closed, Steering(closed.port) as client:
        client.send(order(client, client.instruments().instruments[0].symbol))
        assert client.next(wire.Answer).reason == "session closed"


# --- quotes ---


def test_only_subscribed_symbols_are_quoted_and_the_last_quote_comes_at_once(client: Steering, symbol: str) -> None:
    client.send(wire.Subscribe(symbols=(symbol, "NO SUCH THING")))
    assert client.next(Quote).bid == BID
    client.pin(symbol, BID + 100, ASK + 100)
    while (quote := client.next(Quote)).bid != BID + 100:
        assert quote.symbol == symbol
    assert (quote.ask, quote.ask_size) == (ASK + 100, 1_000_000)


def test_quotes_are_conflated_to_the_newest() -> None:
    steps, bids = 500, [0]
    with VenueChild("--speed", "0.0001") as quiet, Steering(quiet.port) as client:
        symbol = next(i.symbol for i in client.instruments().instruments if i.right is not None)
        client.pin(symbol, BID, ASK)
        client.send(wire.Subscribe(symbols=(symbol,)))
        client.next(Quote)
        quotes = [Quote(symbol, 0, BID + n, 1, ASK + n, 1) for n in range(1, steps + 1)]
        client._socket.sendall(b"".join(wire.encode(wire.PinQuote(request=1, quote=quote)) for quote in quotes))
        while bids[-1] != BID + steps:
            bids.append(client.next(Quote).bid)
    assert bids == sorted(bids)
    assert len(bids) < steps / 2


def test_held_quotes_stay_fresh_and_pinned_ones_stay_pinned() -> None:
    with VenueChild("--hold", "--speed", "20") as server, Steering(server.port) as client:
        symbols = [i.symbol for i in client.instruments().instruments][:2]
        client.pin(symbols[0], BID, ASK)
        client.send(wire.Subscribe(symbols=tuple(symbols)))
        begin, stamps = client.time_ns(), dict.fromkeys(symbols, 0)
        while min(stamps.values()) < begin + 5_000_000_000:
            quote = client.next(Quote)
            stamps[quote.symbol] = quote.ts_ns
            assert quote.symbol != symbols[0] or (quote.bid, quote.ask) == (BID, ASK)


def test_a_client_that_does_not_read_holds_nobody_up(server: VenueChild, client: Steering, symbol: str) -> None:
    with Steering(server.port) as deaf:
        for _ in range(200):
            deaf.send(wire.QueryInstruments(request=1))
        for _ in range(50):
            client.time_ns()
        assert trade(client, symbol).last_qty == 1


# --- steering ---


def test_a_bust_and_a_correction_are_reported_and_show_in_the_executions(client: Steering, symbol: str) -> None:
    first, second = trade(client, symbol), trade(client, symbol)
    client.send(wire.Bust(request=1, exec_id=first.exec_id))
    busted = client.next(ExecutionReport)
    client.send(wire.Correct(request=2, exec_id=second.exec_id, last_qty=1, last_px=ASK - 500))
    corrected = client.next(ExecutionReport)
    assert (busted.exec_type, busted.exec_ref_id) == (ExecType.TRADE_CANCEL, first.exec_id)
    assert (corrected.exec_type, corrected.exec_ref_id) == (ExecType.TRADE_CORRECT, second.exec_id)
    assert {busted.exec_id, corrected.exec_id} <= {report.exec_id for report in client.snapshot().executions}


def test_what_cannot_be_steered_is_refused_in_words(client: Steering, symbol: str) -> None:
    with pytest.raises(ValueError, match="no trade has the exec id 'nothing'"):
        client.bust("nothing")
    with pytest.raises(ValueError, match="the account is short 0"):
        client.assign(symbol, 1_000_000)
    with pytest.raises(ValueError, match="no instrument is called 'nothing'"):
        client.pin("nothing", 1, 2)


def test_an_assignment_changes_positions_and_is_told_by_no_report(client: Steering, symbol: str) -> None:
    instruments = {i.symbol: i for i in client.instruments().instruments}
    other = next(i for i in instruments.values() if i.right is not None and i.symbol != symbol)
    client.pin(other.symbol, BID, ASK)
    short = wire.Submit(
        request=9,
        client_order_id=f"short-{time.time_ns()}",
        symbol=other.symbol,
        side=Side.SELL,
        quantity=2,
        order_type=OrdType.MARKET,
        time_in_force=TimeInForce.DAY,
        price=0,
        trigger_price=0,
    )
    client.send(short)
    assert client.next(wire.Answer).accepted
    client.assign(other.symbol, 1)
    held = {p.symbol: p.quantity for p in client.snapshot().positions}
    assert held[other.symbol] == -1
    assert abs(held[other.underlying]) == other.multiplier


# --- mischief at the wire ---


def test_the_truth_is_written_whatever_the_mischief_does(tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    with VenueChild("--truth", str(truth)) as server, Steering(server.port) as client:
        symbol = next(i.symbol for i in client.instruments().instruments if i.right is not None)
        client.pin(symbol, BID, ASK)
        client.misbehave(Nasty(lose_ack=1))
        lost = order(client, symbol, name="lost")
        client.send(lost)
        client.misbehave(Nasty(refuse=1))
        client.send(order(client, symbol, name="refused"))
        assert not client.next(wire.Answer).accepted
        assert [fill.client_order_id for fill in read_truth(truth) if fill.kind == "fill"] == ["lost"]
        assert [r.client_order_id for r in client.snapshot().orders] == ["lost"]


def test_a_second_copy_of_an_order_that_was_called_rejected_is_not_worked(client: Steering, symbol: str) -> None:
    client.misbehave(Nasty(accept_refused=1))
    asked = order(client, symbol, name="late")
    client.send(asked)
    client.misbehave(Nasty())
    client.send(asked)
    heard = [client.next(ExecutionReport), client.next(ExecutionReport)]
    assert [report.ord_status for report in heard] == [OrdStatus.REJECTED, OrdStatus.REJECTED]
    assert heard[0].exec_id == heard[1].exec_id, "the same word twice"
    assert "late" not in {report.client_order_id for report in client.snapshot().orders}


def test_a_second_copy_of_an_order_that_was_refused_is_refused_again(client: Steering, symbol: str) -> None:
    client.misbehave(Nasty(refuse=1))
    asked = order(client, symbol, name="refused-twice")
    client.send(asked)
    first = client.next(wire.Answer)
    client.misbehave(Nasty())
    client.send(asked)
    second = client.next(wire.Answer)
    assert not first.accepted
    assert second == replace(first, ts_ns=second.ts_ns), "the same word twice"
    assert "refused-twice" not in {report.client_order_id for report in client.snapshot().orders}


@pytest.mark.parametrize("nasty", [Nasty(refuse=1), Nasty(accept_refused=1)], ids=["at once", "late"])
def test_a_second_copy_of_an_order_at_work_is_a_duplicate_whatever_the_front_end_would_do(
    client: Steering, symbol: str, nasty: Nasty
) -> None:
    asked = order(client, symbol, price=FAR, name=f"works-{nasty.refuse}")
    client.send(asked)
    assert client.next(wire.Answer).accepted
    assert client.next(ExecutionReport).ord_status is OrdStatus.NEW
    client.misbehave(nasty)
    client.send(asked)
    answer, report = client.next(wire.Answer), client.next(ExecutionReport)
    assert (answer.accepted, answer.reason) == (False, "duplicate client order id: the first order is new")
    assert (report.exec_type, report.ord_status) == (ExecType.REJECTED, OrdStatus.NEW), "how the first order is"


def test_an_order_without_exec_ids_is_told_again_under_a_later_time(client: Steering, symbol: str) -> None:
    client.misbehave(Nasty(nameless=1, repeat_report=1, late_ms=(20, 20)))
    client.send(order(client, symbol, name="nameless"))
    heard: list[ExecutionReport] = []
    while len(heard) < 4:  # accepted and filled, each twice
        heard.append(client.next(ExecutionReport))
    assert {report.exec_id for report in heard} == {""}
    first, again = heard[:2], heard[2:]
    assert {replace(report, ts_ns=0) for report in first} == {replace(report, ts_ns=0) for report in again}
    assert min(report.ts_ns for report in again) > max(report.ts_ns for report in first)
    client.misbehave(Nasty())
    told, named = client.snapshot(), client.snapshot(named=True)
    ids = [[each.exec_id for each in s.executions if each.client_order_id == "nameless"] for s in (told, named)]
    assert ids[0] == [""]
    assert ids[1] != [""]


def test_a_login_may_be_told_the_last_reports_again_in_order_and_as_they_were(
    server: VenueChild, client: Steering, symbol: str
) -> None:
    missed = trade(client, symbol)
    client.misbehave(Nasty(replay=1))
    with Steering(server.port) as again:
        heard = [again.next(ExecutionReport)]
        while heard[-1] != missed:
            heard.append(again.next(ExecutionReport))
    assert [report.ts_ns for report in heard] == sorted(report.ts_ns for report in heard)
    client.misbehave(Nasty())
    with Steering(server.port) as other:
        client.send(order(client, symbol, price=FAR, name="news"))
        assert other.next(ExecutionReport).client_order_id == "news"


def test_a_house_that_cuts_ids_says_so_at_the_login_and_keeps_their_beginning(
    server: VenueChild, client: Steering, symbol: str
) -> None:
    name = f"{time.time_ns():x}-a-long-name"
    client.misbehave(Nasty(cut_tags_to=20))
    with Steering(server.port) as other:
        assert other.welcome.promises.max_tag_length == 20
        other.send(order(other, symbol, name=name))
        assert other.next(ExecutionReport).client_order_id == name[:20]
    client.misbehave(Nasty())
    with Steering(server.port) as whole:
        assert whole.welcome.promises.max_tag_length == client.welcome.promises.max_tag_length > 20


def test_a_stale_snapshot_claims_a_time_at_which_there_was_more(
    server: VenueChild, client: Steering, symbol: str
) -> None:
    with Steering(server.port) as other:
        client.misbehave(Nasty(stale_snapshot=1, stale_ms=(150, 150)))
        client.send(wire.QuerySnapshot(request=1))
        client.time_ns()  # the query has been read
        late = trade(other, symbol)
        answer = client.next(wire.SnapshotAnswer)
        assert late.ts_ns < answer.as_of_ns
        assert late.exec_id not in {report.exec_id for report in answer.executions}


def test_a_list_lags_and_then_shows_the_order_that_it_left_out(client: Steering, symbol: str) -> None:
    trade(client, symbol)
    everything = {report.client_order_id for report in client.snapshot().orders}
    client.misbehave(Nasty(order_missing_from_snapshot=1))
    first = client.snapshot()
    (missing,) = everything - {report.client_order_id for report in first.orders}
    again = client.snapshot()
    assert again.as_of_ns - first.as_of_ns < LISTED_AFTER_MS * MILLISECOND_NS
    assert missing not in {report.client_order_id for report in again.orders}
    while (later := client.snapshot()).as_of_ns - first.as_of_ns < LISTED_AFTER_MS * MILLISECOND_NS:
        client.next(wire.VenueHeartbeat)
    assert missing in {report.client_order_id for report in later.orders}


def test_a_disconnect_happens_after_the_order_was_taken(server: VenueChild, client: Steering, symbol: str) -> None:
    client.misbehave(Nasty(disconnect=1))
    with Steering(server.port) as victim:
        sent = order(victim, symbol, price=FAR)
        victim.send(sent)
        with pytest.raises(ConnectionError):
            victim.next(Quote)
    client.misbehave(Nasty())
    found = [r for r in client.snapshot().orders if r.client_order_id == sent.client_order_id]
    assert [report.ord_status for report in found] == [OrdStatus.NEW]
