"""What must be true after any fault: the audit holds, and no leg was ever entered twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from system import Bench

from domain.execution import Side
from domain.groups import GroupOutcome, group_part, group_tag
from venue.audit import CHECKS, audit, passed, report

MUST_HAVE_CASES = {"I1", "I2", "I3", "I4", "I12", "I19", "I29", "I30", "OUTCOME"}


def verify(bench: Bench, outcomes: Mapping[str, GroupOutcome]) -> None:
    """The record of the exchange, which has been stopped, against the journals of the system, which has ended."""
    findings = audit(bench.truth_path, bench.journal_dir, allow_empty=CHECKS.keys() - MUST_HAVE_CASES)
    assert passed(findings), "\n".join(report(findings))
    for group in bench.groups():
        position = positions(bench, group.group_id)
        if outcomes.get(group.group_id) is GroupOutcome.HEDGED:
            sign = {Side.BUY: 1, Side.SELL: -1}
            wanted = {leg.instrument.symbol: sign[leg.side] * leg.target_qty for leg in group.group.legs}
            assert position == wanted, f"{group.group_id} is hedged, but holds {position} instead of {wanted}"
        elif outcomes.get(group.group_id) is GroupOutcome.FLAT:
            assert not any(position.values()), f"{group.group_id} is flat, but holds {position}"


def positions(bench: Bench, group_id: str) -> dict[str, int]:
    """What the group's orders have brought in, symbol by symbol, by the exchange's own record."""
    held: Counter[str] = Counter()
    sign = {"fill": 1, "busted": -1}
    for event in bench.truth():
        if event.kind in sign and group_part(event.client_order_id) == group_tag(group_id):
            assert event.last_qty is not None
            quantity = sign[event.kind] * event.last_qty
            held[event.symbol] += quantity if event.side == "buy" else -quantity
    return dict(held)


def finish(bench: Bench, *group_ids: str, outcome: GroupOutcome | None = GroupOutcome.HEDGED) -> None:
    """Wait until the groups have ended, with this outcome or with any, stop everything, and look at the evidence."""
    outcomes = bench.wait_until_certified(*group_ids)
    for system in bench.systems:
        if system.process.poll() is None:
            system.stop()
    assert bench.venue is not None
    bench.venue.stop()
    verify(bench, outcomes)
    assert outcome is None or set(outcomes.values()) == {outcome}, (
        f"{outcomes}: {[group.reason for group in bench.groups()]}"
    )
