"""Cancel on disconnect: entries of a client that stays away are canceled; its stops and exits go on working (E13)."""

from __future__ import annotations

from collections.abc import Iterator

MILLISECOND_NS = 1_000_000


class DeadMan:
    """What each client wants to be done when it is gone.  Times are the exchange's."""

    def __init__(self) -> None:
        self._window_ns: dict[str, int] = {}
        self._sessions: dict[str, int] = {}
        self._entries: dict[str, dict[str, None]] = {}
        self._due_ns: dict[str, int] = {}

    def logged_in(self, client: str, window_ms: int) -> None:
        """A session of this client begins: whatever was due is not."""
        self._window_ns[client] = window_ms * MILLISECOND_NS
        self._sessions[client] = self._sessions.get(client, 0) + 1
        self._due_ns.pop(client, None)

    def entry(self, client: str, client_order_id: str) -> None:
        """This order is new risk."""
        self._entries.setdefault(client, {})[client_order_id] = None

    def left(self, client: str, now_ns: int) -> None:
        """A session has ended; the last one starts the clock."""
        self._sessions[client] = self._sessions.get(client, 0) - 1
        if self._sessions[client] <= 0 and self._window_ns.get(client):
            self._due_ns[client] = now_ns + self._window_ns[client]

    def due(self, now_ns: int) -> Iterator[str]:
        """The orders whose time has come, once each."""
        for client in [client for client, due_ns in self._due_ns.items() if due_ns <= now_ns]:
            del self._due_ns[client]
            yield from self._entries.pop(client, {})
