"""Seeded misbehaviour: what a real broker's edge does on a bad day, as data and as pure decisions.

The server asks :class:`Mischief` between the exchange and the wire and obeys.  The exchange itself, its truth file and
its books are never touched, so that what was done to a client can always be compared with what is true.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum
from random import Random

import msgspec

Range = tuple[int, int]  # milliseconds, both ends included
MAX_STALE_MS = 1000  # of broker time: what the server promises about its snapshots, at its nastiest
LISTED_AFTER_MS = 1500  # of broker time: by then an order that a snapshot left out is listed, for good


class Nasty(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often each fault strikes, as a chance from 0 to 1, and how long its delays last in milliseconds.

    Raises ``ValueError`` for a chance outside of 0..1 for a range that is negative or runs backwards,
    for a ``stale_ms`` beyond :data:`MAX_STALE_MS`, and for a negative ``cut_tags_to``.
    """

    lose_request: float = 0.0  # neither executed nor answered
    forget: float = 0.0  # executed, never answered; its reports come
    lose_ack: float = 0.0  # executed, never answered, and its first reports are lost as well
    refuse: float = 0.0  # a submit is refused for no good reason, and not executed
    cancel_refused: float = 0.0  # a cancel is refused for no good reason, and not executed
    accept_refused: float = 0.0  # the same, but the answer says that it was taken; the refusal comes as a report
    answer_fails: float = 0.0  # executed or not; the answer is the front end's error (429, 5xx)
    answer_late: float = 0.0  # executed; the answer takes `late_ms`
    disconnect: float = 0.0  # executed; the connection is reset before or after the answer
    delay: float = 0.0  # an answer or a report takes `delay_ms`, and others overtake it
    drop_report: float = 0.0  # a pushed report never comes; queries still show it
    duplicate_report: float = 0.0  # a pushed report comes twice, with the same exec_id
    reorder_reports: float = 0.0  # a pushed report changes places with an earlier or a later one
    stale_snapshot: float = 0.0  # a snapshot shows the state of `stale_ms` (broker time) before its own timestamp
    order_missing_from_snapshot: float = 0.0  # a snapshot, and all of the next 1.5 s, leave an order out; once each
    nameless: float = 0.0  # no report of an order, from its first to its last, and no snapshot gives exec ids
    repeat_report: float = 0.0  # a report is told again after `late_ms`; one without exec id under that later time
    replay: float = 0.0  # at a login the last reports are told again, in order, from some point on
    cut_tags_to: int = 0  # longer client order ids are cut to so many characters, and logins are told so; 0: none is
    delay_ms: Range = (2, 150)
    late_ms: Range = (2500, 4000)
    stale_ms: Range = (50, 800)

    def __post_init__(self) -> None:
        for name in RATES:
            rate = getattr(self, name)
            if math.isnan(rate) or not 0 <= rate <= 1:
                raise ValueError(f"nasty: {name} is {rate}; give a chance from 0 to 1")
        for name in RANGES:
            low, high = getattr(self, name)
            if not 0 <= low <= high:
                raise ValueError(f"nasty: {name} is {low}..{high}; give two milliseconds, the smaller one first")
        if self.cut_tags_to < 0:
            raise ValueError(f"nasty: cut_tags_to is {self.cut_tags_to}; give a number of characters, 0 cuts nothing")
        if self.stale_ms[1] > MAX_STALE_MS:
            raise ValueError(f"nasty: stale_ms goes to {self.stale_ms[1]}; {MAX_STALE_MS} is the most that is promised")


RANGES = ("delay_ms", "late_ms", "stale_ms")
RATES = tuple(name for name in Nasty.__struct_fields__ if name not in (*RANGES, "cut_tags_to"))

PRESETS = {
    "off": Nasty(),
    "some": Nasty(
        lose_request=0.005,
        forget=0.01,
        lose_ack=0.005,
        refuse=0.01,
        accept_refused=0.005,
        answer_fails=0.005,
        cancel_refused=0.02,
        answer_late=0.005,
        disconnect=0.002,
        delay=0.1,
        drop_report=0.03,
        duplicate_report=0.05,
        reorder_reports=0.05,
        stale_snapshot=0.1,
        order_missing_from_snapshot=0.05,
        nameless=0.1,
        repeat_report=0.05,
        replay=0.3,
    ),
    "full": Nasty(
        lose_request=0.03,
        forget=0.05,
        lose_ack=0.05,
        refuse=0.05,
        accept_refused=0.02,
        answer_fails=0.03,
        cancel_refused=0.15,
        answer_late=0.03,
        disconnect=0.02,
        delay=0.4,
        drop_report=0.3,
        duplicate_report=0.3,
        reorder_reports=0.3,
        stale_snapshot=0.5,
        order_missing_from_snapshot=0.3,
        nameless=0.3,
        repeat_report=0.3,
        replay=0.7,
    ),
}


def preset(name: str) -> Nasty:
    """The settings called ``name``.  Raises ``ValueError`` that lists the names for any other."""
    if name not in PRESETS:
        raise ValueError(f"no mischief is called {name!r}; choose one of {', '.join(PRESETS)}")
    return PRESETS[name]


class Kind(Enum):
    """What a request asks for, as far as the mischief cares."""

    SUBMIT = "submit"
    CANCEL = "cancel"
    MODIFY = "modify"
    QUERY = "query"


class HangUp(Enum):
    """Whether the connection is reset, and when."""

    NO = "no"
    BEFORE_ANSWER = "before"
    AFTER_ANSWER = "after"


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one request."""

    execute: bool = True
    answered: bool = True
    reported: bool = True  # are the reports that it causes at once pushed?
    refusal: str = ""  # instead of executing
    late_refusal: bool = False  # it is told by a report; the answer says that it was taken
    error: str = ""  # instead of the exchange's answer
    delay_s: float = 0.0  # real time, of the answer
    hang_up: HangUp = HangUp.NO


class Delivery(msgspec.Struct, frozen=True):
    """Send the report at ``index`` of its batch after ``delay_s`` seconds of real time."""

    index: int
    delay_s: float


class SnapshotFate(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one snapshot: how old its state is in broker time, and which orders it leaves out."""

    age_ms: int = 0
    hidden: frozenset[str] = frozenset()


_ORDERS = frozenset({Kind.SUBMIT, Kind.CANCEL, Kind.MODIFY})
_ALL = frozenset(Kind)
_OVERLOADED = "503: the exchange's front end is overloaded"
_SPURIOUS = "exchange: not now, try again"

# The first that strikes decides; the two that need a random number of their own are completed in `Mischief.fate`.
_FATES: tuple[tuple[str, frozenset[Kind], Fate], ...] = (
    ("lose_request", _ALL, Fate(execute=False, answered=False, reported=False)),
    ("forget", _ALL, Fate(answered=False)),
    ("lose_ack", _ORDERS, Fate(answered=False, reported=False)),
    ("refuse", frozenset({Kind.SUBMIT}), Fate(execute=False, refusal=_SPURIOUS)),
    ("cancel_refused", frozenset({Kind.CANCEL}), Fate(execute=False, refusal=_SPURIOUS)),
    ("accept_refused", frozenset({Kind.SUBMIT}), Fate(execute=False, refusal=_SPURIOUS, late_refusal=True)),
    ("answer_fails", _ORDERS, Fate(error=_OVERLOADED)),
    ("answer_late", _ALL, Fate()),
    ("disconnect", _ALL, Fate()),
    ("delay", _ALL, Fate()),
)


class Mischief:
    """Decides what goes wrong.  The same settings, seed and questions give the same decisions."""

    def __init__(self, nasty: Nasty, seed: int, random: Random | None = None) -> None:
        self.nasty = nasty
        self._random = random or Random(seed)  # noqa: S311 - misbehaviour must be repeatable, not secret
        self._left_out_ms: dict[str, int] = {}  # orders, and as of when a snapshot first left each out

    def instead(self, nasty: Nasty, seed: int) -> Mischief:
        """Other mischief from now on; an order that was left out of snapshots stays one that was."""
        found = Mischief(nasty, seed)
        found._left_out_ms |= self._left_out_ms
        return found

    def fate(self, kind: Kind) -> Fate:
        """What becomes of a request of this kind."""
        for name, kinds, fate in _FATES:
            if kind in kinds and self._strikes(name):
                return self._completed(name, fate)
        return _PLAIN

    def nameless(self) -> bool:
        """Whether a new order is one of which nothing is told with an exec id."""
        return self._strikes("nameless")

    def again_s(self) -> float:
        """After how many seconds of real time a report is told again; 0: it is not."""
        return self._seconds(self.nasty.late_ms) if self._strikes("repeat_report") else 0.0

    def kept(self, client_order_id: str) -> str:
        """What the house keeps of an order's id."""
        return client_order_id[: self.nasty.cut_tags_to or None]

    def longest(self, promised: int) -> int:
        """How long an id may be, to be kept whole."""
        return min(promised, self.nasty.cut_tags_to or promised)

    def replayed(self, told: int) -> int:
        """How many of the ``told`` reports, the newest, are told again to a client that logs in."""
        return self._random.randint(1, told) if told and self._strikes("replay") else 0

    def deliveries(self, reports: int) -> list[Delivery]:
        """How a batch of this many reports is pushed to one connection, in order of sending."""
        plan: list[Delivery] = []
        for index in range(reports):
            if self._strikes("drop_report"):
                continue
            plan.append(Delivery(index, self._seconds(self.nasty.delay_ms) if self._strikes("delay") else 0.0))
            if self._strikes("reorder_reports"):
                self._reorder(plan)
            if self._strikes("duplicate_report"):
                plan.append(Delivery(index, self._seconds(self.nasty.delay_ms)))
        return plan

    def snapshot(self, orders: Sequence[str], now_ms: int) -> SnapshotFate:
        """What becomes of a snapshot that is taken now, by the broker's clock, and lists ``orders`` (client order ids).

        An order that is left out stays so until the list has caught up: :data:`LISTED_AFTER_MS`, by the times that
        snapshots say of themselves.  That is less than the horizon of anybody who takes absence for evidence.
        """
        age = self._random.randint(*self.nasty.stale_ms) if self._strikes("stale_snapshot") else 0
        as_of_ms = now_ms + age
        visible = [order for order in orders if order not in self._left_out_ms]
        if visible and self._strikes("order_missing_from_snapshot"):
            self._left_out_ms[self._random.choice(visible)] = as_of_ms
        lags = (order for order, since_ms in self._left_out_ms.items() if 0 <= as_of_ms - since_ms < LISTED_AFTER_MS)
        return SnapshotFate(age_ms=age, hidden=frozenset(lags))

    def _reorder(self, plan: list[Delivery]) -> None:
        """Change places with an earlier report of the batch; the only one waits, so that a later batch overtakes it."""
        last = plan[-1]
        if len(plan) == 1:
            plan[-1] = Delivery(last.index, self._seconds(self.nasty.delay_ms))
            return
        other = self._random.randrange(len(plan) - 1)
        plan[other], plan[-1] = last, plan[other]

    def _completed(self, name: str, fate: Fate) -> Fate:
        if name == "answer_late":
            return msgspec.structs.replace(fate, delay_s=self._seconds(self.nasty.late_ms))
        if name == "answer_fails" and self._random.randrange(2):
            return msgspec.structs.replace(fate, execute=False)
        if name == "delay":
            return msgspec.structs.replace(fate, delay_s=self._seconds(self.nasty.delay_ms))
        if name == "disconnect":
            return msgspec.structs.replace(
                fate, hang_up=self._random.choice((HangUp.BEFORE_ANSWER, HangUp.AFTER_ANSWER))
            )
        return fate

    def _strikes(self, name: str) -> bool:
        rate: float = getattr(self.nasty, name)
        return rate > 0 and self._random.random() < rate

    def _seconds(self, span: Range) -> float:
        return self._random.randint(*span) / 1000


_PLAIN = Fate()
