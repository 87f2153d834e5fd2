"""Two tables about execution reports: what each kind of report can tell, and what each means for an order in a status.

Rows cite the FIX 4.4 order state change matrices by their scenario ids (Volume 4, appendix D, "A.1.a" to "L.1.b").
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from domain.execution import ExecType, OrdStatus


class Verdict(Enum):
    """What a report meant to what was known when it came.  It may depend on the order of arrival; the state may not."""

    EXPECTED = "expected"
    DUPLICATE = "duplicate"  # nothing new in it
    REGRESSION = "regression"  # late: it would move the status back (S8); a new fill inside it still counts
    REVIVAL = "revival"  # a fill of an order that was over: accepted, flagged, hedged
    ANOMALY = "anomaly"  # the broker broke a promise


class RequestState(IntEnum):
    """How far a cancel or replace request is known to have come; a larger value is later knowledge."""

    PENDING_REPLACE = 1
    PENDING_CANCEL = 2
    ANSWERED = 3


class Facts(NamedTuple):
    """What one kind of report can tell about an order."""

    rank: int  # of two reports with the same time stamp, which one spoke last
    acknowledges: bool = False  # the broker has accepted the order
    executes: bool = False  # it belongs into the set of executions
    describes: bool = False  # its order_qty and venue_order_id are those of the order as it stands
    counts: bool = False  # its cum_qty is the broker's count
    phased: bool = True  # its ord_status tells whether the order is suspended, stopped, done for the day
    request: RequestState | None = None  # what it says about the request that it names
    ends: Mapping[OrdStatus, OrdStatus] = MappingProxyType({})  # by ord_status: the end that it claims


_ANY_STATUS_ENDS = {end: MappingProxyType(dict.fromkeys(OrdStatus, end)) for end in OrdStatus}


def _claims(*ends: OrdStatus) -> Mapping[OrdStatus, OrdStatus]:
    return MappingProxyType({end: end for end in ends})


FACTS: Final[Mapping[ExecType, Facts]] = MappingProxyType(
    {
        # An answer to a query is the broker's word on everything except executions; events of the same time outrank it.
        ExecType.ORDER_STATUS: Facts(
            rank=0,
            describes=True,
            counts=True,
            ends=_claims(OrdStatus.REJECTED, OrdStatus.CANCELED, OrdStatus.EXPIRED),
        ),
        ExecType.PENDING_NEW: Facts(rank=0, phased=False),
        # What happens once, at the beginning, ends no phase, whenever it comes: a halt ends in RESTATED.
        ExecType.NEW: Facts(rank=1, acknowledges=True, describes=True, counts=True, phased=False),
        ExecType.TRIGGERED: Facts(rank=2, acknowledges=True, describes=True, counts=True, phased=False),
        ExecType.STOPPED: Facts(rank=3, acknowledges=True, describes=True, counts=True),
        # A pending report may print a quantity that is not in force yet (D.2.b): it counts, but does not describe.
        ExecType.PENDING_REPLACE: Facts(rank=4, counts=True, request=RequestState.PENDING_REPLACE),
        ExecType.PENDING_CANCEL: Facts(rank=4, counts=True, request=RequestState.PENDING_CANCEL),
        ExecType.TRADE: Facts(rank=5, acknowledges=True, executes=True, describes=True, counts=True),
        ExecType.TRADE_CORRECT: Facts(rank=6, acknowledges=True, executes=True, describes=True, counts=True),
        ExecType.TRADE_CANCEL: Facts(rank=7, acknowledges=True, executes=True, describes=True, counts=True),
        # "Unknown order" comes as a cancel reject with status REJECTED: no evidence that the order was rejected.
        ExecType.CANCEL_REJECT: Facts(
            rank=8,
            counts=True,
            request=RequestState.ANSWERED,
            ends=_claims(OrdStatus.CANCELED, OrdStatus.EXPIRED),
        ),
        ExecType.REPLACED: Facts(rank=9, acknowledges=True, describes=True, counts=True, request=RequestState.ANSWERED),
        ExecType.SUSPENDED: Facts(rank=10, acknowledges=True, describes=True, counts=True),
        ExecType.DONE_FOR_DAY: Facts(rank=11, acknowledges=True, describes=True, counts=True),
        ExecType.CALCULATED: Facts(rank=12, acknowledges=True, describes=True, counts=True),
        ExecType.RESTATED: Facts(rank=13, acknowledges=True, describes=True, counts=True),
        ExecType.EXPIRED: Facts(rank=14, counts=True, ends=_ANY_STATUS_ENDS[OrdStatus.EXPIRED]),
        ExecType.CANCELED: Facts(
            rank=14,
            counts=True,
            request=RequestState.ANSWERED,
            ends=_ANY_STATUS_ENDS[OrdStatus.CANCELED],
        ),
        # A reject with another ord_status rejects a duplicate of a live order (F.1.a): it ends nothing, and the
        # quantities that it prints may be those of the duplicate.
        ExecType.REJECTED: Facts(rank=14, phased=False, ends=_claims(OrdStatus.REJECTED)),
    }
)

_COLUMNS = {
    "PN": ExecType.PENDING_NEW,
    "NW": ExecType.NEW,
    "TG": ExecType.TRIGGERED,
    "TR": ExecType.TRADE,
    "TC": ExecType.TRADE_CORRECT,
    "TB": ExecType.TRADE_CANCEL,
    "ST": ExecType.STOPPED,
    "SU": ExecType.SUSPENDED,
    "DD": ExecType.DONE_FOR_DAY,
    "CA": ExecType.CALCULATED,
    "RS": ExecType.RESTATED,
    "PR": ExecType.PENDING_REPLACE,
    "RP": ExecType.REPLACED,
    "PC": ExecType.PENDING_CANCEL,
    "CR": ExecType.CANCEL_REJECT,
    "CX": ExecType.CANCELED,
    "EX": ExecType.EXPIRED,
    "RJ": ExecType.REJECTED,
    "OS": ExecType.ORDER_STATUS,
}
_LETTERS = {".": Verdict.EXPECTED, "l": Verdict.REGRESSION, "R": Verdict.REVIVAL, "A": Verdict.ANOMALY}

# The row is the status that is known, the column is what the report says has happened.
#   .  expected      l  late (REGRESSION)      R  revival      A  anomaly
#
# PENDING_NEW       anything may be the first thing heard of an order: reports overtake the acknowledgement (B.1.e), a
#                   cancel is pending or done before the order was ever accepted (B.1.d), a phoned order (E.1.a)
# NEW               REJECTED after NEW is the trader's or the exchange's reject (A.1.a)
# PARTIALLY_FILLED  the late NEW is the plain case of a reordered stream; REJECTED denies a fill that we hold
# FILLED            a late partial fill counts; corrections, busts (J.1.a), replaces to more (G.1.c) and unsolicited
#                   increases (E.1.c) open it again; a pending cancel may meet it (B.1.c), or be refused for it
# DONE_FOR_DAY      restated the next morning (H.1.a), canceled overnight (H.1.c), corrected (J.1.c)
# STOPPED           the guarantee is followed by its trades (L.1.a); a reject would break the guarantee
# SUSPENDED         a trading halt ends in RESTATED, CANCELED (K.1.b), or a reject by the exchange
# CALCULATED        the day's business is summed up: open it again only by correction, restatement or replace
# PENDING_CANCEL    fills (B.1.b) and even the acknowledgement (B.1.d) come while the cancel is on its way
# PENDING_REPLACE   fills under the old terms (C.1.b), a second request in flight (D.2.b), a refused second one (D.2.d)
# CANCELED          busts and corrections of its fills are routine (J.1.b); a new fill is a revival (R10, R11)
# EXPIRED           as CANCELED
# REJECTED          an order that never was cannot trade: a fill revives it, a bust of no fill is an anomaly
_GRID = """
                   PN NW TG TR TC TB ST SU DD CA RS PR RP PC CR CX EX RJ OS
PENDING_NEW         .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .
NEW                 l  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .
PARTIALLY_FILLED    l  l  l  .  .  .  .  .  .  .  .  .  .  .  .  .  .  A  .
FILLED              l  l  l  l  .  .  l  l  .  .  .  .  .  .  .  l  l  A  .
DONE_FOR_DAY        l  l  l  .  .  .  .  .  .  .  .  .  .  .  .  .  .  A  .
STOPPED             l  l  l  .  .  .  .  .  .  .  .  .  .  .  .  .  .  A  .
SUSPENDED           l  l  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .
CALCULATED          l  l  l  .  .  .  .  .  .  .  .  .  .  .  .  .  .  A  .
PENDING_CANCEL      l  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .
PENDING_REPLACE     l  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .  .
CANCELED            l  l  l  R  .  .  l  l  l  .  l  l  l  l  .  .  l  A  .
EXPIRED             l  l  l  R  .  .  l  l  l  .  l  l  l  l  .  l  .  A  .
REJECTED            l  l  l  R  R  A  A  l  l  A  l  l  l  l  .  A  A  .  .
"""


def _read_grid(grid: str) -> Mapping[tuple[OrdStatus, ExecType], Verdict]:
    head, *rows = (line.split() for line in grid.strip().splitlines())
    return MappingProxyType(
        {
            (OrdStatus[name], _COLUMNS[column]): _LETTERS[letter]
            for name, *letters in rows
            for column, letter in zip(head, letters, strict=True)
        }
    )


TRANSITIONS: Final[Mapping[tuple[OrdStatus, ExecType], Verdict]] = _read_grid(_GRID)
