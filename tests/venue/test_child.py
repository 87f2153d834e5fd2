"""The client that steers an exchange: it gives up in time, whatever else is said meanwhile."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from venue import protocol as wire
from venue.child import Steering

PATIENCE_S = 0.3
PROMISES = wire.Promises(
    deduplicates=True, max_tag_length=36, orders_per_second=0, market_orders_rest=False, snapshot_lag_ms=0
)


def talk(listener: socket.socket, over: threading.Event) -> None:
    """Welcome one client, and tell it the time for as long as it listens; answer nothing."""
    connection, _ = listener.accept()
    with connection:
        connection.sendall(
            wire.encode(wire.Welcome(version=wire.PROTOCOL_VERSION, ts_ns=0, session=1, promises=PROMISES))
        )
        while not over.is_set():
            try:
                connection.sendall(wire.encode(wire.Pong(request=0, ts_ns=0)) * 50)
            except OSError:
                return


def test_an_exchange_that_talks_of_other_things_only_is_given_up_in_time() -> None:
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        speaker = threading.Thread(target=talk, args=(listener, over))
        speaker.start()
        try:
            with Steering(listener.getsockname()[1], timeout_s=PATIENCE_S) as steering:
                began = time.monotonic()
                with pytest.raises(TimeoutError, match="no SnapshotAnswer from the exchange"):
                    steering.snapshot()
                assert time.monotonic() - began < 20 * PATIENCE_S
        finally:
            over.set()
    speaker.join(10)
