"""The wire record: one JSON line for everything that left for the broker, written before it left.

The exchange's record says what arrived, and the journals say what was intended; this one says what went out between
them, under whose epoch and in which gateway process, and when the kill switch was turned.  It is append-only, and
auditors read it; nothing is decided by it.  A line has left this process when the call returns: that survives a killed
process, not a power cut.  Prices are whole ten-thousandths; ``ts_ns`` is the latest broker time seen, ``host_ns`` the
machine's monotonic clock.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import structlog

from brokers.port import BrokerAdapter, BrokerEvent, Capabilities, Heartbeat, LinkUp
from domain.execution import ExecutionReport
from messages.orders import CancelOrder, ModifyOrder, SubmitOrder

MS = 1_000_000  # in ns
TAIL_BYTES = 1 << 20  # of the record: some 2,000 lines
LEAVING = frozenset({"submit", "cancel", "modify", "query"})


class _Left(msgspec.Struct, frozen=True):
    """Of a line, what happened and when."""

    kind: str
    host_ns: int


def _left(line: bytes) -> _Left | None:
    try:
        return msgspec.json.decode(line, type=_Left)
    except msgspec.DecodeError:
        return None  # the first line of a tail is half a line, and the last one of a killed process may be


class WireRecord:
    """Appends to ``path``.

    A line that cannot be written is lost, and the log says so once: an order that ends risk must not wait for a disk.
    """

    def __init__(
        self,
        path: Path,
        log: structlog.typing.FilteringBoundLogger,
        monotonic_ns: Callable[[], int],
        pid: int,
    ) -> None:
        self.clock_ns = 0
        self._path, self._monotonic_ns, self._pid = path, monotonic_ns, pid
        self._log, self._failed = log, False
        self._encoder = msgspec.json.Encoder()
        try:
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._cut_half_a_line()
        except OSError as error:
            self._file = -1
            self._fail(error)

    def note(self, kind: str, **facts: Any) -> None:
        """One line."""
        line = {"kind": kind, "ts_ns": self.clock_ns, "host_ns": self._monotonic_ns(), "pid": self._pid, **facts}
        self.write(line)

    def write(self, line: dict[str, Any]) -> None:
        """Append it, whole or not at all: half a line, for which a full disk has room, would spoil the next one."""
        text = self._encoder.encode(line) + b"\n"
        try:
            written = os.write(self._file, text)
            if written < len(text):
                self._take_back(written)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self._fail(error)

    def _cut_half_a_line(self) -> None:
        """Which a predecessor left that was killed before it could take it back."""
        size = os.fstat(self._file).st_size
        tail = os.pread(self._file, TAIL_BYTES, max(0, size - TAIL_BYTES))
        if half := len(tail) - (tail.rfind(b"\n") + 1):
            os.ftruncate(self._file, size - half)

    def _take_back(self, written: int) -> None:
        """Unless somebody else, such as a gateway that hung and is back, has appended since."""
        end = os.lseek(self._file, 0, os.SEEK_CUR)
        if os.fstat(self._file).st_size == end:
            os.ftruncate(self._file, end - written)

    def left_ms(self, within_ms: int) -> list[int]:
        """When something last left, by whatever process, oldest first: milliseconds of the machine's monotonic clock.

        The broker counts on when a gateway is restarted (E7).  A record that cannot be read says that nothing left.
        """
        try:
            with self._path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
                lines = file.read().splitlines()
        except OSError as error:
            self._fail(error)
            return []
        now_ms = self._monotonic_ns() // MS
        found = sorted(left.host_ns // MS for left in map(_left, lines) if left is not None and left.kind in LEAVING)
        return [at_ms for at_ms in found if now_ms - within_ms < at_ms <= now_ms]

    def _fail(self, error: OSError) -> None:
        if not self._failed:
            self._failed = True
            self._log.error("what leaves for the broker is no longer recorded: make room", error=str(error))

    def close(self) -> None:
        """Safe to call twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class RecordedAdapter:
    """A broker adapter whose requests are recorded before they leave; everything else passes through."""

    def __init__(self, adapter: BrokerAdapter, record: WireRecord) -> None:
        self._adapter, self._record = adapter, record

    @property
    def capabilities(self) -> Capabilities:
        return self._adapter.capabilities

    def connect(self) -> None:
        self._adapter.connect()

    def fileno(self) -> int:
        return self._adapter.fileno()

    @property
    def has_unsent(self) -> bool:
        return self._adapter.has_unsent

    def pump(self) -> list[BrokerEvent]:
        events = self._adapter.pump()
        for event in events:
            if isinstance(event, Heartbeat | ExecutionReport | LinkUp):
                self._record.clock_ns = max(self._record.clock_ns, event.ts_ns)
            if isinstance(event, LinkUp):
                self._record.note("login", session=event.session)
        return events

    def submit(self, order: SubmitOrder) -> None:
        facts = msgspec.to_builtins(msgspec.structs.asdict(order))
        self._record.note("submit", **facts)
        self._adapter.submit(order)

    def cancel(self, request: CancelOrder) -> None:
        self._record.note("cancel", **msgspec.structs.asdict(request))
        self._adapter.cancel(request)

    def modify(self, request: ModifyOrder) -> None:
        self._record.note("modify", **msgspec.to_builtins(msgspec.structs.asdict(request)))
        self._adapter.modify(request)

    def request_snapshot(self) -> None:
        self._record.note("query", asks="snapshot")
        self._adapter.request_snapshot()

    def request_instruments(self) -> None:
        self._record.note("query", asks="instruments")
        self._adapter.request_instruments()

    def request_account(self) -> None:
        self._record.note("query", asks="account")
        self._adapter.request_account()

    def subscribe(self, symbols: frozenset[str]) -> None:
        self._adapter.subscribe(symbols)

    def close(self) -> None:
        self._adapter.close()
        self._record.close()
