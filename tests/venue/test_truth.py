"""The record on disk: one line an event, plain numbers, written at once, readable after a crash."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from house import CALL, House

from venue.exchange import Exchange
from venue.truth import TruthEvent, TruthFile, read_truth


def _events() -> list[TruthEvent]:
    house = House()
    house.quote(10_000, 10_500, ask_size=2)
    house.submit("a")
    house.submit("bad", quantity=0)
    house.bust(house.exchange.executions()[0].exec_id)
    house.cancel("a")
    return house.truth


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path, events = tmp_path / "truth.jsonl", _events()
    with TruthFile(path) as truth:
        for event in events:
            truth.write(event)
    assert list(read_truth(path)) == events
    assert len(events) > 6


def test_a_line_is_plain_json_with_prices_in_currency_and_without_what_does_not_apply(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    with TruthFile(path) as truth:
        for event in _events():
            truth.write(event)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    fill = next(line for line in lines if line["kind"] == "fill")
    assert set(fill) == {
        "kind", "ts_ns", "client_order_id", "venue_order_id", "symbol", "side", "qty", "price", "order_type",
        "exec_id", "last_qty", "last_px", "cum_qty", "leaves_qty",
    }  # fmt: skip
    assert (fill["side"], fill["qty"], fill["price"], fill["last_px"], fill["order_type"]) == (
        "buy",
        5,
        1.1,
        1.05,
        "limit",
    )
    accepted = next(line for line in lines if line["kind"] == "accepted")
    assert accepted["cum_qty"] == 0, "a zero that applies is written"


def test_a_line_is_in_the_file_before_the_caller_of_the_exchange_is_told(tmp_path: Path) -> None:
    path, house = tmp_path / "truth.jsonl", House()
    truth = TruthFile(path)
    seen: list[int] = []

    def record(event: TruthEvent) -> None:
        truth.write(event)
        seen.append(len(list(read_truth(path))))

    house.exchange = Exchange(house.exchange.instruments.values(), house.rules, record)
    house.submit("a", symbol=CALL)
    assert seen == [1, 2, 3], "how the contract is listed, the receipt, the answer"
    truth.close()
    truth.close()


def test_a_torn_last_line_is_left_out_and_a_whole_one_without_its_newline_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    whole = b'{"kind":"accepted","ts_ns":1}\n{"kind":"fill","ts_ns":2}'
    for size, kinds in [
        (len(whole), ["accepted", "fill"]),
        (len(whole) - 1, ["accepted"]),
        (30, ["accepted"]),
        (29, ["accepted"]),
        (0, []),
    ]:
        path.write_bytes(whole[:size])
        assert [event.kind for event in read_truth(path)] == kinds, size


@pytest.mark.parametrize("bad", ["{", "", '{"kind":"nonsense","ts_ns":1}', '{"kind":"fill"}'])
def test_any_other_bad_line_is_an_error_with_its_number(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "truth.jsonl"
    good = '{"kind":"accepted","ts_ns":1}\n'
    path.write_text(f"{good}{bad}\n{good}")
    events = read_truth(path)
    assert next(events).kind == "accepted"
    with pytest.raises(ValueError, match=r"truth\.jsonl, line 2: not a truth event"):
        next(events)


@pytest.mark.parametrize("text", ["a note", "a note\n", '{"a": 1}\nlast line', "\n"])
def test_a_file_that_holds_something_else_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match="is no record of an exchange"):
        TruthFile(path)
    assert path.read_text() == text


def test_a_new_writer_cuts_off_a_torn_line_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    path.write_bytes(b'{"kind":"accepted","ts_ns":1}\n{"kind":"fi')
    with TruthFile(path) as truth:
        truth.write(TruthEvent(kind="expired", ts_ns=3))
    assert [event.kind for event in read_truth(path)] == ["accepted", "expired"]
