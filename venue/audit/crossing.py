"""E12: no two orders of ours that could trade with each other; or one of them is a repair that waited first."""

from __future__ import annotations

from itertools import takewhile

from venue.audit.authority import is_entry
from venue.audit.cases import MILLISECOND_NS, let_pass
from venue.audit.evidence import SECOND_NS, Evidence, Finding
from venue.audit.orders import Order
from venue.audit.wire import PACED, Line
from venue.audit.working import Left, Working, taken

LOOK_NS = 100 * MILLISECOND_NS  # between two looks of a gateway that nothing else wakes


def crossings(found: Finding, evidence: Evidence) -> int:
    """A case is one order, or one change of an order, as the exchange took it, beside those of ours that work there.

    Where two could trade with each other, the one that left later is charged.  A new order that repairs may have
    had to: the record says that it began to wait ``cross_wait_ms`` before it left, and every entry in its way had been
    canceled by then; or it waited twice as long, because no token was left for the cancel, and no new risk had one
    meanwhile.
    That a stop was woken is only held against an order of the cell whose journal had it before.
    """
    holds, cancels = _held(evidence), _cancels(evidence)
    cases = 0
    for asked, book in taken(evidence):
        cases += 1
        for other in book.of(asked.terms.symbol):
            if other.meets(asked):
                later, earlier = sorted((asked, other), key=lambda one: one.left.place)[::-1]
                wrong = _excuse_lacks(evidence, later, earlier, holds, cancels)
                if wrong:
                    found.problems.append(
                        f"{later.order.client_order_id}: E12: could trade with {earlier.order.client_order_id}, which "
                        f"works: {wrong}, at {asked.step.ts_ns}"
                    )
    return cases


def _excuse_lacks(
    evidence: Evidence,
    later: Working,
    earlier: Working,
    holds: dict[tuple[int, str], list[Left]],
    cancels: dict[str, list[int]],
) -> str:
    """What is missing for the later of the two to have left; "" for nothing."""
    line = later.left.line
    if earlier.terms.trigger_price and not _knew_awake(evidence, later.order, earlier.order):
        return ""
    if line.new_risk or is_entry(later.order.client_order_id):
        return "" if let_pass(evidence, later.order, "E12") else "expected no entry that does"
    if line.kind != "submit":
        return "expected no change that does"
    since = [left for left in holds.get((line.pid, line.client_order_id), ()) if left.place < later.left.place]
    wait_ms, waited_ms = _wait_ms(evidence, later.order), _waited_ms(since[-1].line, line) if since else 0
    if not since or waited_ms < wait_ms - 1:  # both are whole ones
        return f"it waited {f'{waited_ms} ms' if since else 'not at all'}; expected {wait_ms} ms"
    asked = any(place < later.left.place for place in cancels.get(earlier.order.client_order_id, ()))
    if asked or not is_entry(earlier.order.client_order_id):
        return ""
    in_the_way = max(since[-1].place, earlier.left.place)
    paced_out = waited_ms >= 2 * wait_ms - 1 and _no_token_was_left(evidence, later, in_the_way)
    return "" if paced_out else "expected that entry to have been canceled"


def _no_token_was_left(evidence: Evidence, later: Working, since: int) -> bool:
    """Whether no cancel could leave before it: more urgent orders had all tokens, from that line of the record on.

    It took the last one of its second, or the first one after a second of which all were taken: repairs go first, and
    a token that is back is seen at the gateway's next look.
    """
    lines, (place, line) = evidence.wire.lines, later.left
    most: int = evidence.wire.limits[later.order.client_order_id]["orders_per_second"]
    if any(one.new_risk for one in lines[since + 1 : place]):
        return False
    ages = [line.host_ns - one.host_ns for one in lines[: place + 1] if one.kind in PACED]
    its_own = sum(1 for _ in takewhile(lambda age: 0 <= age < SECOND_NS, reversed(ages)))
    before = sum(1 for _ in takewhile(lambda age: 0 <= age <= SECOND_NS + LOOK_NS, reversed(ages[:-1])))
    return max(its_own, before) >= most


def _waited_ms(since: Line, until: Line) -> int:
    return (until.host_ns - since.host_ns) // MILLISECOND_NS


def _wait_ms(evidence: Evidence, order: Order) -> int:
    wait_ms: int = evidence.wire.limits[order.client_order_id]["cross_wait_ms"]
    return wait_ms


def _knew_awake(evidence: Evidence, later: Order, stop: Order) -> bool:
    """Whether the cell of the later order had been told that this stop is awake when it decided that one."""
    decided, guarded = evidence.intent(later), evidence.intent(stop)
    if decided is None or guarded is None or decided.cell != guarded.cell:
        return False
    return any(
        entry.facts["triggered_ns"] and entry.at < decided.position
        for entries in evidence.journal.history["StopRecord"].values()
        for entry in entries
        if (entry.facts["group_id"], entry.facts["leg_id"]) == (guarded.group_id, guarded.leg_id)
    )


def _held(evidence: Evidence) -> dict[tuple[int, str], list[Left]]:
    """When which gateway began to hold which repair back."""
    found: dict[tuple[int, str], list[Left]] = {}
    for place, line in enumerate(evidence.wire.lines):
        if line.kind == "held":
            found.setdefault((line.pid, line.client_order_id), []).append(Left(place, line))
    return found


def _cancels(evidence: Evidence) -> dict[str, list[int]]:
    """Where in the record which order was asked to end."""
    found: dict[str, list[int]] = {}
    for place, line in enumerate(evidence.wire.lines):
        if line.kind == "cancel":
            found.setdefault(line.client_order_id, []).append(place)
    return found
