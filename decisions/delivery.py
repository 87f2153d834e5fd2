"""What becomes of every alert until a person can have seen it: filed, sent, sent again, confirmed.

An alert is *confirmed* when it is in the alert log and at least one sink that wants it has taken it (the log alone when
no sink does).  A sink gets one batch at a time; one that fails or does not answer in time waits, twice as long each
time, while the others go on.  Time is the machine's monotonic clock in milliseconds; nothing here reads it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count

import msgspec

from config.schema import AlertsConfig
from messages.records import LOUDNESS, EscalationRecord, Severity
from messages.supervision import AlertDelivered

BATCH = 20  # alerts in one note, at most; halved by every failure, so that one that a sink cannot stomach ends up alone

Key = tuple[str, str]  # who sent it, and its id: two cells may have an alert of the same name


class Attempt(msgspec.Struct, frozen=True):
    """One batch on its way to one sink."""

    number: int
    sink: int
    alerts: tuple[EscalationRecord, ...]


class _Parcel:
    def __init__(self, alert: EscalationRecord, sinks: Sequence[int]) -> None:
        self.alert = alert
        self.filed = False
        self.confirmed = False
        self.taken = not sinks
        self.tries = dict.fromkeys(sinks, 0)  # by sink that has not taken it yet


class _Lane:
    """How one sink is doing."""

    def __init__(self, least: Severity) -> None:
        self.least = least
        self.attempt = 0  # under way; 0: none
        self.began_ms = 0
        self.not_before_ms = 0
        self.failures = 0
        self.batch = BATCH


class Outbox:
    """``least`` is the least severity that each sink takes, in their order."""

    def __init__(self, least: Sequence[Severity], config: AlertsConfig) -> None:
        self._config = config
        self._lanes = [_Lane(severity) for severity in least]
        self._parcels: dict[Key, _Parcel] = {}
        self._under_way: dict[int, tuple[int, list[tuple[Key, int]]]] = {}  # attempt -> sink, what and which repetition
        self._confirmations: list[tuple[str, AlertDelivered]] = []
        self._numbers = count(1)
        self.dropped: Counter[Severity] = Counter()

    def __len__(self) -> int:
        return len(self._parcels)

    def failures(self, sink: int) -> int:
        """How often in a row a sink has failed."""
        return self._lanes[sink].failures

    def put(self, sender: str, alert: EscalationRecord) -> None:
        """Take an alert.  A repetition takes the place of an earlier one that waits; the same again is nothing."""
        key = (sender, alert.escalation_id)
        known = self._parcels.get(key)
        if known is not None and known.alert.repeats == alert.repeats:
            if known.confirmed:
                self._confirm(key, known)
            return
        loud = LOUDNESS[alert.severity]
        self._parcels[key] = _Parcel(
            alert, [number for number, lane in enumerate(self._lanes) if loud >= LOUDNESS[lane.least]]
        )
        self._drop_excess()

    def unfiled(self) -> tuple[EscalationRecord, ...]:
        """Alerts that are not in the alert log yet, oldest first."""
        return tuple(parcel.alert for parcel in self._parcels.values() if not parcel.filed)

    def filed(self) -> None:
        """All that :meth:`unfiled` gave is on disk."""
        for parcel in self._parcels.values():
            parcel.filed = True
        self._settle()

    def due(self, now_ms: int, free: Callable[[int], bool]) -> list[Attempt]:
        """The batches that are to be sent now, to sinks that are ``free``, idle, and not waiting after a failure."""
        found = []
        for sink, lane in enumerate(self._lanes):
            if lane.attempt or now_ms < lane.not_before_ms or not free(sink):
                continue
            waiting = [(key, parcel) for key, parcel in self._parcels.items() if sink in parcel.tries]
            waiting.sort(key=lambda entry: (entry[1].tries[sink], -LOUDNESS[entry[1].alert.severity]))
            if chosen := waiting[: lane.batch]:
                lane.attempt, lane.began_ms = next(self._numbers), now_ms
                self._under_way[lane.attempt] = (sink, [(key, parcel.alert.repeats) for key, parcel in chosen])
                found.append(Attempt(lane.attempt, sink, tuple(parcel.alert for _, parcel in chosen)))
        return found

    def overdue(self, now_ms: int) -> list[int]:
        """Give up attempts without an answer for too long, and say which sinks those were; a late answer counts."""
        late = []
        for sink, lane in enumerate(self._lanes):
            if lane.attempt and now_ms - lane.began_ms >= self._config.sink_timeout_ms:
                late.append(sink)
                self._fail(lane, lane.attempt, now_ms)
        return late

    def answered(self, attempt: int, *, taken: bool, now_ms: int) -> int | None:
        """A sink has answered; gives its number, or ``None`` when the attempt was given up and failed after all."""
        sink, sent = self._under_way[attempt]
        lane = self._lanes[sink]
        if not taken:
            given_up = lane.attempt != attempt
            if not given_up:
                self._fail(lane, attempt, now_ms)
            del self._under_way[attempt]
            return None if given_up else sink
        del self._under_way[attempt]
        for key, repeats in sent:
            parcel = self._parcels.get(key)
            if parcel is not None and parcel.alert.repeats == repeats:
                parcel.tries.pop(sink, None)
                parcel.taken = True
        lane.failures, lane.not_before_ms, lane.batch = 0, 0, min(BATCH, lane.batch * 2)
        if lane.attempt == attempt:
            lane.attempt = 0
        self._settle()
        return sink

    def confirmations(self) -> list[tuple[str, AlertDelivered]]:
        """Whom to tell that what has been delivered, each once."""
        found, self._confirmations = self._confirmations, []
        return found

    def _fail(self, lane: _Lane, attempt: int, now_ms: int) -> None:
        sink, sent = self._under_way[attempt]
        for key, repeats in sent:
            parcel = self._parcels.get(key)
            if parcel is not None and parcel.alert.repeats == repeats and sink in parcel.tries:
                parcel.tries[sink] += 1
        wait_ms = min(self._config.retry_ms << min(lane.failures, 32), self._config.retry_max_ms)
        lane.attempt, lane.failures, lane.not_before_ms = 0, lane.failures + 1, now_ms + wait_ms
        lane.batch = max(1, lane.batch // 2)

    def _settle(self) -> None:
        """Confirm what may be confirmed, and forget what no sink waits for any more."""
        for key, parcel in list(self._parcels.items()):
            if parcel.filed and parcel.taken and not parcel.confirmed:
                self._confirm(key, parcel)
            if parcel.confirmed and not parcel.tries:
                del self._parcels[key]

    def _confirm(self, key: Key, parcel: _Parcel) -> None:
        parcel.confirmed = True
        self._confirmations.append((key[0], AlertDelivered(parcel.alert.escalation_id, parcel.alert.repeats)))

    def _drop_excess(self) -> None:
        """The oldest that is not CRITICAL goes first; its sender's journal keeps it as not delivered."""
        while len(self._parcels) > self._config.queue:
            quiet = (key for key, parcel in self._parcels.items() if parcel.alert.severity is not Severity.CRITICAL)
            key = next(quiet, next(iter(self._parcels)))
            self.dropped[self._parcels.pop(key).alert.severity] += 1
