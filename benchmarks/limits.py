"""What nobody can beat on this machine: a bulk insert, a round trip over loopback, one ``fdatasync``."""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.book import INSERT_EVENT, SCHEMA
from benchmarks.workload import LEGS, QUANTITY, Broker, Order
from messages import wire

MESSAGE = 300  # bytes: about what an order or a report has on the wire
PAGE = 4_096  # bytes: what a small commit adds to a write-ahead log, at least


def raw_rows(path: Path, groups: int) -> float:
    """The limit of B2: as many rows as reports, of their size, 1,000 in one ``executemany`` and commit; rows a second.

    ``groups`` make six orders each.
    """
    orders = [Order(f"LK{n:07}E0001", LEGS[n % 4][0].symbol, LEGS[n % 4][1], QUANTITY) for n in range(6 * groups)]
    payloads = [wire.pack(report) for batch in Broker().wave(orders, 1_000) for report in batch]
    return rows_per_second(path, payloads, 1_000)


def rows_per_second(path: Path, payloads: Iterable[bytes], most: int) -> float:
    """One row per payload, ``most`` in one commit."""
    rows = [(f"E{number:012}", "order", number, payload) for number, payload in enumerate(payloads)]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(SCHEMA)
        began = perf_counter()
        for start in range(0, len(rows), most):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(INSERT_EVENT, rows[start : start + most])
            connection.execute("COMMIT")
        return len(rows) / (perf_counter() - began)


def round_trip_us(times: int) -> list[float]:
    """There and back over a loopback connection to another thread that does nothing else, in microseconds."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        thread = threading.Thread(target=_echo, args=(server,), daemon=True)
        thread.start()
        took = []
        with closing(socket.create_connection(server.getsockname())) as link:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            message = b"x" * MESSAGE
            for _ in range(times):
                began = perf_counter()
                link.sendall(message)
                _read(link)
                took.append((perf_counter() - began) * 1e6)
        thread.join()
    return took


def _echo(server: socket.socket) -> None:
    link, _ = server.accept()
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with closing(link), suppress(ConnectionError):
        while message := _read(link):
            link.sendall(message)


def _read(link: socket.socket) -> bytes:
    """One message; nothing when the other side has hung up."""
    found = b""
    while len(found) < MESSAGE:
        part = link.recv(MESSAGE - len(found))
        if not part:
            return b""
        found += part
    return found


def fdatasync_us(path: Path, times: int) -> list[float]:
    """Append one page to a file and make it durable, in microseconds."""
    took = []
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        for _ in range(times):
            os.write(descriptor, b"\x00" * PAGE)
            began = perf_counter()
            os.fdatasync(descriptor)
            took.append((perf_counter() - began) * 1e6)
    finally:
        os.close(descriptor)
    return took


def floor_ms(path: Path, times: int) -> float:
    """What B1 cannot go below: two round trips over loopback and one ``fdatasync``, medians, in milliseconds."""
    return (2 * median(round_trip_us(times)) + median(fdatasync_us(path, times))) / 1e3
