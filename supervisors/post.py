"""The post between processes: Thespian's TCP transport with its loop and its conversation replaced.

As it ships, each look at the sockets makes a new epoll set and registers all of them, each letter takes four looks at
its sender (connect or take a line, write, turn around, read the acknowledgement) and two at its receiver (length, then
the rest), and a second letter to the same process waits for the acknowledgement of the first.  Here the set is kept,
a letter is written where it is sent, and nothing is acknowledged (:mod:`supervisors.letter_lines`).  ARCHITECTURE.md
has the figures.

What an actor may rely on stays: letters from one to another arrive in their order; one whose process is gone comes back
as a dead letter, or is lost when its process dies with it unread; a parent hears of a child's death by its signal.
"""

from __future__ import annotations

import errno
import heapq
import logging
import os
import pickle
import select
import threading
import time
from collections import deque
from contextlib import suppress
from itertools import count
from typing import Any

from thespian.actors import ActorAddress, WakeupMessage, WatchMessage
from thespian.system import multiprocTCPBase
from thespian.system.actorManager import ActorManager
from thespian.system.addressManager import CannotPickleAddress
from thespian.system.timing import ExpirationTimer, currentTime
from thespian.system.transport import (
    ReceiveEnvelope,
    SendStatus,
    Thespian__Run_Expired,
    Thespian__Run_HandlerResult,
    Thespian__Run_Terminated,
    Thespian__UpdateWork,
    TransmitIntent,
    TransmitOnly,
)
from thespian.system.transport.TCPTransport import ExternalTransportCopy, TCPTransport
from thespian.system.utilis import thesplog

from supervisors.letter_lines import BrokenLine, LineIn, LineOut, framed

EXHAUSTED = (errno.EMFILE, errno.ENFILE)
NOWHERE = ("", 0)
THE_LONG_WAY = ActorManager.actor_send
PAUSE_S = 0.01  # when there is no descriptor to be had for a caller


def post_letters() -> None:
    """Have this process, and what it forks, talk by :class:`Post`.  Call before the actor system is started."""
    multiprocTCPBase.ActorSystemBase.transportType = Post
    ActorManager.actor_send = _send
    TransmitIntent.identify = _identify_intent
    ReceiveEnvelope.identify = _identify_envelope


class Post(TCPTransport):  # type: ignore[misc]
    """Addresses, children and endpoints are Thespian's; the way of a letter is not."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.socket.setblocking(False)
        self._port = self.socket.getsockname()[1]
        self._incomingEnvelopes: deque[Any] = deque()
        self._activeWakeups: deque[Any] = deque()
        self._pendingWakeups: list[tuple[float, int, Any, Any]] = []  # a heap
        self._watches: list[int] = []
        self._finished_intents: list[tuple[Any, Any]] = []
        self._orders = count()
        self._posted: deque[Any] = deque()  # by other threads than the main one
        self._lines_in: dict[int, LineIn] = {}  # by descriptor
        self._lines_out: dict[int, LineOut] = {}  # by the port of the reader
        self._ports: dict[int, int] = {}  # descriptor of a line out -> its port
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._watched: set[int] = set()  # those of ``_watches`` that are in the set
        self._set = select.epoll()
        self._hold(self.socket.fileno())
        self._hold(self._bell)

    # Beginning and end

    def external_transport_clone(self) -> Post:
        return Post(ExternalTransportCopy(), self._adminAddr, self.txOnly, False)

    def protectedFileNumList(self) -> list[int]:  # noqa: N802
        own = [self.socket.fileno(), self._bell, self._set.fileno()]
        return own + list(self._lines_in) + list(self._ports)

    def childResetFileNumList(self) -> list[int]:  # noqa: N802
        return self.protectedFileNumList()

    def lostRemote(self, rmtaddr: Any) -> None:  # noqa: N802
        """There is no other system than this one."""

    def close(self) -> None:
        """Let go of everything; what has not left never will."""
        if not hasattr(self, "_set") or self._set.closed:
            return
        for port in list(self._lines_out):
            self._end(port, SendStatus.Failed)
        for line in self._lines_in.values():
            line.socket.close()
        self._lines_in.clear()
        self._set.close()
        os.close(self._bell)
        self.socket.close()
        self._tell_senders()

    # Sending

    def serializer(self, intent: Any) -> bytes:
        """A letter as it goes over a line.  Raises ``CannotPickleAddress`` when it names a child not yet born."""
        return framed(pickle.dumps(intent.message, pickle.HIGHEST_PROTOCOL))

    def _schedulePreparedIntent(self, transmitIntent: Any, has_exclusive_flag: bool = False) -> None:  # noqa: N802, N803
        del has_exclusive_flag
        if isinstance(transmitIntent.message, Thespian__UpdateWork):
            transmitIntent.tx_done(SendStatus.Sent)
        elif threading.current_thread() is threading.main_thread():
            self._transmit(transmitIntent)
        else:
            self._posted.append(transmitIntent)
            self.interrupt_wait()

    def at_once(self, address: Any, letter: Any) -> bool:
        """Send a letter if nothing is in its way; ``False``: it has not been sent, and has to go the long way."""
        line = self._lines_out.get(getattr(address.addressDetails, "sockname", NOWHERE)[1])
        if line is None or line.waits() or threading.current_thread() is not threading.main_thread():
            return False
        left = line.write_whole(framed(pickle.dumps(letter, pickle.HIGHEST_PROTOCOL)))
        if line.waits():
            self._write(address.addressDetails.sockname[1], line)
        return left

    def _transmit(self, intent: Any) -> None:
        where = intent.targetAddr.addressDetails.connectArgs[0]
        if where[1] == self._port:
            self._incomingEnvelopes.append(ReceiveEnvelope(self.myAddress, intent.message))
            self._finished_intents.append((intent, SendStatus.Sent))
            return
        line = self._lines_out.get(where[1])
        if line is None:
            line = self._line_to(where)
        if line is None or not line.put(intent.serMsg, intent):
            thesplog("no room for %s", intent.identify(), level=logging.WARNING)
            self._finished_intents.append((intent, SendStatus.Failed))
        else:
            self._write(where[1], line)

    def _line_to(self, where: tuple[str, int]) -> LineOut | None:
        try:
            line = LineOut(where, pickle.dumps(self.myAddress, pickle.HIGHEST_PROTOCOL))
        except OSError as error:
            return self._line_to(where) if error.errno in EXHAUSTED and self._end_idle_lines() else None
        self._lines_out[where[1]], self._ports[line.socket.fileno()] = line, where[1]
        self._hold(line.socket.fileno())
        return line

    def _write(self, port: int, line: LineOut) -> None:
        """Write what the line takes; it announces itself when it takes more."""
        try:
            self._finished_intents += [(intent, SendStatus.Sent) for intent in line.write()]
        except BrokenLine:
            self._end(port, SendStatus.DeadTarget)
            return
        if line.waits() is not line.blocked:
            line.blocked = line.waits()
            self._hold(line.socket.fileno(), select.EPOLLOUT if line.blocked else 0)

    def _end(self, port: int, status: Any) -> None:
        """End a line; what has not left over it is given back with this status."""
        line = self._lines_out.pop(port)
        descriptor = line.socket.fileno()
        del self._ports[descriptor]
        self._let_go(descriptor)
        self._finished_intents += [(intent, status) for intent in line.close()]

    def _end_idle_lines(self) -> bool:
        """Make room for other descriptors; a line is opened again by the next letter.  Whether there was any."""
        idle = [port for port, line in self._lines_out.items() if not line.waits()]
        for port in idle:
            self._end(port, SendStatus.Failed)
        return bool(idle)

    def deadAddress(self, addressManager: Any, childAddr: Any) -> None:  # noqa: N802, N803
        """A child has died: what waits for it is dead letters."""
        del addressManager
        port = getattr(childAddr.addressDetails, "sockname", NOWHERE)[1]
        if port in self._lines_out:
            self._end(port, SendStatus.DeadTarget)

    def _tell_senders(self) -> None:
        while self._finished_intents:
            finished, self._finished_intents = self._finished_intents, []
            for intent, status in finished:
                intent.tx_done(status)

    def interrupt_wait(self, signal_shutdown: bool = False, check_children: bool = False) -> None:
        """Have the loop look at its indicators, from a signal handler or another thread."""
        self._shutdownSignalled |= signal_shutdown
        self._checkChildren |= check_children
        os.eventfd_write(self._bell, 1)

    # The loop

    def _runWithExpiry(self, incomingHandler: Any) -> Any:  # noqa: N802, N803
        only_sends = incomingHandler is TransmitOnly or isinstance(incomingHandler, TransmitOnly)
        self.__dict__.pop("_aborting_run", None)
        while True:
            while self._posted:
                self._transmit(self._posted.popleft())
            self._tell_senders()
            unsent = any(line.waits() for line in self._lines_out.values())
            if hasattr(self, "_aborting_run") and not (self._aborting_run and unsent):
                return Thespian__Run_Terminated()
            left_s = self._left_s()
            if left_s is not None and left_s <= 0:
                return Thespian__Run_Expired()
            if only_sends:
                if not unsent:
                    return 0
            elif self._incomingEnvelopes:
                envelope = self._incomingEnvelopes.popleft()
                if incomingHandler is None:
                    return envelope
                result = Thespian__Run_HandlerResult(incomingHandler(envelope))
                if not result:
                    return result
                continue
            self._look(left_s)

    def _left_s(self) -> float | None:
        """Seconds until the run or a timer ends; ``None`` when neither does."""
        ends = self.run_time._time_to_quit
        if self._pendingWakeups and (ends is None or self._pendingWakeups[0][0] < ends):
            ends = self._pendingWakeups[0][0]
        return None if ends is None else ends - currentTime()

    def _look(self, timeout_s: float | None) -> None:
        """Wait for something to happen, and do what has become possible."""
        self._follow_watches()
        seen = []
        for descriptor, what in self._set.poll(timeout_s):
            if descriptor in self._lines_in:
                self._read(descriptor)
            elif descriptor in self._ports:
                self._serve(self._ports[descriptor], what)
            elif descriptor in self._watched:
                seen.append(descriptor)
            elif descriptor == self.socket.fileno():
                self._accept()
            elif descriptor == self._bell:
                os.eventfd_read(self._bell)
                self._check_indicators()
        if seen:
            self._incomingEnvelopes.append(ReceiveEnvelope(self.myAddress, WatchMessage(seen)))

    def _accept(self) -> None:
        try:
            link, _ = self.socket.accept()
        except OSError as error:
            if error.errno in EXHAUSTED and not self._end_idle_lines():
                thesplog("no descriptor for a caller: %s", error, level=logging.WARNING)
                time.sleep(PAUSE_S)
            return
        self._lines_in[link.fileno()] = LineIn(link)
        self._hold(link.fileno())

    def _read(self, descriptor: int) -> None:
        line = self._lines_in[descriptor]
        try:
            for letter in line.read():
                self._receive(line, pickle.loads(letter))  # noqa: S301  # from a process of this machine, over loopback
        except BrokenLine:
            self._hang_up(descriptor)
        except Exception as error:
            thesplog("a line with something else than letters: %s", error, level=logging.ERROR)
            self._hang_up(descriptor)

    def _receive(self, line: LineIn, letter: Any) -> None:
        if line.sender is not None:
            self._incomingEnvelopes.append(ReceiveEnvelope(line.sender, letter))
        elif isinstance(letter, ActorAddress):
            line.sender = letter
        else:
            raise TypeError(f"a line that begins with a {type(letter).__name__}")

    def _hang_up(self, descriptor: int) -> None:
        self._let_go(descriptor)
        self._lines_in.pop(descriptor).socket.close()

    def _serve(self, port: int, what: int) -> None:
        """A line out takes more, or has ended."""
        line = self._lines_out[port]
        try:
            if what & ~select.EPOLLOUT:
                line.check()
        except BrokenLine:
            self._end(port, SendStatus.DeadTarget)
            return
        self._write(port, line)

    # What the set holds

    def _hold(self, descriptor: int, besides: int = 0) -> None:
        """Have the set hold a descriptor, for reading and ``besides``, whether it does already or not.

        Raises ``OSError`` for one that cannot be waited for.
        """
        try:
            self._set.modify(descriptor, select.EPOLLIN | besides)
        except FileNotFoundError:
            self._set.register(descriptor, select.EPOLLIN | besides)

    def _let_go(self, descriptor: int) -> None:
        """Have the set not hold it; one that was closed has left the set by itself."""
        with suppress(OSError):
            self._set.unregister(descriptor)

    def _is_line(self, descriptor: int) -> bool:
        return descriptor in self._lines_in or descriptor in self._ports

    def _follow_watches(self) -> None:
        """Have the set hold what the actor watches.

        A descriptor that the actor closed has left the set by itself, and its number may have come back: as another
        file of the actor's, or as a line of ours, which is no watch whatever the actor thinks that it watches.
        """
        self._watches = [one for one in self._watches if not self._is_line(one)]
        for gone in sorted(self._watched.difference(self._watches)):
            if not self._is_line(gone):
                self._let_go(gone)
        self._watched.intersection_update(self._watches)
        for descriptor in list(self._watches):
            try:
                self._hold(descriptor)
            except OSError as error:
                thesplog("cannot watch %s: %s", descriptor, error, level=logging.WARNING)
                self._watches = [one for one in self._watches if one != descriptor]
                self._watched.discard(descriptor)
                continue
            self._watched.add(descriptor)

    # Timers

    def _update_runtime(self, max_runtime: Any) -> None:
        self.run_time = max_runtime

    def addWakeup(self, timePeriod: Any, payload: Any) -> None:  # noqa: N802, N803
        timer = ExpirationTimer(timePeriod)
        heapq.heappush(self._pendingWakeups, (timer._time_to_quit, next(self._orders), timer, payload))

    def _realizeWakeups(self) -> bool:  # noqa: N802
        """What is due, first come first; whether there is any."""
        now = currentTime()
        while self._pendingWakeups and self._pendingWakeups[0][0] <= now:
            _, _, timer, payload = heapq.heappop(self._pendingWakeups)
            self._activeWakeups.append(ReceiveEnvelope(self.myAddress, WakeupMessage(timer.duration, payload)))
        return bool(self._activeWakeups)

    def _deliver_wakeups(self, incomingHandler: Any) -> Any:  # noqa: N803
        while self._activeWakeups:
            wakeup = self._activeWakeups.popleft()
            if incomingHandler is None or incomingHandler is TransmitOnly:
                return wakeup
            result = Thespian__Run_HandlerResult(incomingHandler(wakeup))
            if not result:
                return result
        return None

    def _updateStatusResponse(self, resp: Any) -> None:  # noqa: N802
        """Nothing of ours is in Thespian's own status; ``run_system.py status`` asks the supervisors."""


def _send(manager: Any, address: Any, letter: Any) -> None:
    """What an actor's ``send`` does.

    Thespian's own way makes an intent, counts, throttles and tells a log of each letter; it is for letters that have to
    wait: for a child's birth, for a line, or for room in one.
    """
    with suppress(CannotPickleAddress):
        if manager.transport.at_once(address, letter):
            return
    THE_LONG_WAY(manager, address, letter)


def _identify_intent(intent: Any) -> str:
    """For Thespian's debug log, which asks for it with every letter whether it is written or not."""
    return f"{type(intent.message).__name__} for {intent.targetAddr}"


def _identify_envelope(envelope: Any) -> str:
    return f"{type(envelope.message).__name__} from {envelope.sender}"
