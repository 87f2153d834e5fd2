"""DBOS in its documented way, on SQLite: one workflow per report, whose id is the report's.

Its first step is a transaction of the application's own tables, its second lets the orders out.  What it keeps between
reports is in memory, as it is for the plain way.  Its files are in WAL mode, which it does not ask for itself: without,
it is several times as slow.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

from dbos import DBOS, SetWorkflowID, SQLAlchemyDatasource

from benchmarks.book import SCHEMA, Book, Rows, drive
from domain.execution import ExecutionReport
from messages import wire
from messages.orders import SubmitOrder


def reports_per_second(path: Path, groups: int, size: int, most: int) -> float:
    """B2's rival: reports a second.  ``most`` has no meaning here: each workflow commits by itself."""
    del most
    logging.getLogger("dbos").setLevel(logging.ERROR)
    own = path.with_name("dbos.sqlite")
    for file in (path, own):
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
    DBOS(
        config={
            "name": "rival",
            "system_database_url": f"sqlite:///{own}",
            "run_admin_server": False,
            "log_level": "ERROR",
        }
    )
    tables = SQLAlchemyDatasource.create(f"sqlite:///{path}")
    with tables.engine.begin() as connection:
        for statement in SCHEMA.split(";"):
            if "CREATE" in statement:
                connection.exec_driver_sql(statement)
    book, released = Book(), list[SubmitOrder]()

    @tables.transaction  # type: ignore[untyped-decorator]
    def record(report: bytes) -> bytes:
        """Decide, and write what was decided."""
        rows: Rows = {}
        orders = book.decide(_report(report), rows)
        connection = tables.sql_session().connection()
        for statement, values in rows.items():
            connection.exec_driver_sql(statement, values)
        return wire.pack(orders)

    @DBOS.step()  # type: ignore[untyped-decorator]
    def release(orders: bytes) -> None:
        """Let them out."""
        released.extend(order for order in wire.requests(orders) if isinstance(order, SubmitOrder))

    @DBOS.workflow()  # type: ignore[untyped-decorator]
    def take_report(report: bytes) -> None:
        """Write, then release."""
        release(record(report))

    def take(batch: list[ExecutionReport]) -> list[SubmitOrder]:
        for report in batch:
            with SetWorkflowID(f"{report.client_order_id}/{report.exec_id}"):
                take_report(wire.pack([report]))
        ready = list(released)
        released.clear()
        return ready

    DBOS.launch()
    try:
        return drive(book.open(range(groups)), take, size)
    finally:
        DBOS.destroy()


def _report(data: bytes) -> ExecutionReport:
    (report,) = wire.events(data)
    assert isinstance(report, ExecutionReport)
    return report
