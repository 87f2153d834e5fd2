"""A connection that is given up takes with it what it has not delivered (R7, I15)."""

from __future__ import annotations

import multiprocessing
import socket

import pytest

from brokers.embedded.link import Link


def connect(port: int) -> None:
    """A process with a connection, which dies of nothing but its end, as a killed one does: its sockets are closed."""
    link = Link("127.0.0.1", port)
    assert link.fileno() >= 0


@pytest.mark.parametrize("by", ["close", "death"])
def test_R7_a_connection_that_is_given_up_is_reset(by: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if by == "close":
            Link("127.0.0.1", port).close()
        else:
            child = multiprocessing.get_context("fork").Process(target=connect, args=(port,))
            child.start()
            child.join()
        connection, _ = server.accept()
        with connection, pytest.raises(ConnectionResetError):
            connection.recv(1)  # b"" would be an end in order: the kernel had gone on delivering
