from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import msgpack
import pytest
from journal_data import escalation_record, group_record, intent_record, one_of_each, state_record

from messages.records import Record
from storage.codec import VERSION, decode_records, decode_value, encode_records, encode_value
from storage.port import JournalCorrupt, JournalNewer
from storage.sql import migrations, queries
from storage.tables import PRICE_COLUMNS, TABLE_OF, TABLES, Table, coalesce


@pytest.fixture
def schema() -> Iterator[sqlite3.Connection]:
    conn = sqlite3.connect(":memory:", isolation_level=None)
    for step in migrations():
        conn.executescript(step.sql)
    yield conn
    conn.close()


def test_every_record_has_a_table_and_a_sample() -> None:
    assert set(TABLE_OF) == set(Record.__args__)
    assert {type(record) for record in one_of_each()} == set(TABLE_OF)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_columns_are_the_fields_of_the_struct_in_their_order(schema: sqlite3.Connection, table: Table) -> None:
    columns = {row[1]: row for row in schema.execute(f"PRAGMA table_info({table.name})")}
    fields = list(table.record.__struct_fields__)
    if table.name == "order_groups":  # the two documented exceptions
        fields[fields.index("group")] = "definition"
        assert columns.pop("tag")
    assert list(columns) == fields
    assert {name for name in columns if name in PRICE_COLUMNS} == {n for n, row in columns.items() if row[2] == "REAL"}
    assert {name for name, row in columns.items() if row[5]} == set(table.key)


@pytest.mark.parametrize("record", one_of_each(), ids=lambda record: type(record).__name__)
def test_a_row_reads_back_as_the_record_and_an_upsert_replaces_it(schema: sqlite3.Connection, record: Record) -> None:
    table = TABLE_OF[type(record)]
    for _ in range(2):
        schema.execute(queries()[table.upsert], table.to_row(record))
    cursor = schema.execute(queries()[table.select])
    assert table.from_rows([column[0] for column in cursor.description], cursor) == [record]


def test_the_order_table_names_all_that_makes_up_an_intent(schema: sqlite3.Connection) -> None:
    columns = {row[1] for row in schema.execute("PRAGMA table_info(order_intents)")}
    named = "client_order_id group_id leg_id role symbol side quantity price trigger_price order_type slice attempt"
    assert (
        set(f"{named} status broker_order_id epoch decided_ns sent_ns acknowledged_ns terminal_ns".split()) <= columns
    )


def test_a_person_reads_decimal_prices_and_words(schema: sqlite3.Connection) -> None:
    for record in one_of_each():
        schema.execute(queries()[TABLE_OF[type(record)].upsert], TABLE_OF[type(record)].to_row(record))
    row = schema.execute("SELECT price, side, order_type, status, decided, sent FROM readable_orders").fetchone()
    assert row == (1.255, "buy", "limit", "INTENT_PERSISTED", "2023-11-14T22:13:20.000Z", None)
    for view in ("readable_executions", "readable_hedges", "readable_escalations"):
        assert len(schema.execute(f"SELECT * FROM {view}").fetchall()) == 1


def test_an_auditor_reads_payloads_with_any_messagepack() -> None:
    version, records = msgpack.unpackb(encode_records((intent_record(), escalation_record())))
    assert version == VERSION
    assert records[0][:3] == ["IntentRecord", intent_record().client_order_id, "g1"]
    assert records[0][6:9] == [intent_record().symbol, "buy", 10]
    assert records[1][3] == "CRITICAL"


def test_records_and_values_come_back_equal_and_in_order() -> None:
    records = one_of_each("g1") + one_of_each("g2")
    assert decode_records(encode_records(records)) == records
    knowledge = state_record().knowledge
    assert decode_value(encode_value(knowledge), type(knowledge)) == knowledge


def test_a_payload_of_a_newer_version_or_of_nonsense_is_named_as_such() -> None:
    with pytest.raises(JournalNewer, match=f"version {VERSION + 1}.*up to {VERSION}"):
        decode_records(msgpack.packb([VERSION + 1, [["SomethingNew"]]]))
    for nonsense in (b"", b"\xc1", msgpack.packb({"a": 1}), msgpack.packb([VERSION, [["NoSuchRecord", 1]]])):
        with pytest.raises(JournalCorrupt):
            decode_records(nonsense)


def test_coalescing_keeps_the_last_record_of_a_key_and_the_order_of_keys() -> None:
    a1, a2, b = intent_record("g1", 0), intent_record("g1", 0), intent_record("g1", 1)
    rows = coalesce([group_record(), a1, b, a2])
    assert [table.name for table in rows] == ["order_groups", "order_intents"]
    kept = list(rows[TABLE_OF[type(a1)]].values())
    assert kept[0] is a2 and kept[1] is b
