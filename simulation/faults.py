"""The fault catalogue: every fault has an id, a weight for the swarm, and a count of how often it struck.

A seed draws its own subset and its own rates (swarm testing: Groce et al., ISSTA 2012); a tenth of the seeds have none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from simulation.tape import Tape
from venue.nasty import RATES, Nasty


class Fault(NamedTuple):
    """One row: its id, how often it may strike where it can (at most), and what it does."""

    name: str
    most: float
    about: str


_BROKER: Final = {
    "lose_request": (0.05, "a request is lost"),
    "forget": (0.05, "an answer never comes; the order is worked"),
    "lose_ack": (0.1, "an answer and the first reports are lost"),
    "refuse": (0.1, "an order is refused for no good reason"),
    "cancel_refused": (0.3, "a cancel is refused for no good reason"),
    "answer_late": (0.05, "an answer comes after its timeout"),
    "disconnect": (0.03, "the connection is reset around an answer"),
    "delay": (0.4, "answers and reports overtake each other"),
    "drop_report": (0.8, "a pushed report never comes"),
    "duplicate_report": (0.4, "a pushed report comes twice"),
    "reorder_reports": (0.4, "pushed reports change places"),
    "stale_snapshot": (0.5, "a snapshot shows an older state than it says"),
    "order_missing_from_snapshot": (0.3, "a snapshot leaves an order out"),
}

FAULTS: Final = (
    Fault("F.process.kill", 0.004, "a process dies between two messages"),
    Fault("F.process.kill_in_handler", 0.003, "a process dies between two effects of one handler"),
    Fault("F.process.commit_before", 0.01, "a cell dies in a commit that is lost"),
    Fault("F.process.commit_after", 0.01, "a cell dies right after a commit"),
    Fault("F.process.hang", 0.002, "a process is stopped for a while and goes on (zombie writer)"),
    Fault("F.process.program", 0.0005, "the whole program dies, and is started again"),
    Fault("F.actors.drop", 0.01, "a message between processes is lost"),
    Fault("F.actors.duplicate", 0.02, "a message between processes comes twice"),
    Fault("F.actors.reorder", 0.3, "another letter than the oldest is delivered first"),
    Fault("F.wire.delay", 0.2, "bytes take long"),
    Fault("F.wire.cut", 0.002, "nothing gets through for a while"),
    Fault("F.storage.commit_fails", 0.005, "a commit raises; whether it is durable, the tape says"),
    Fault("F.storage.full_at_opening", 0.3, "the disk has no room when a journal is opened"),
    Fault("F.storage.alert_log_full", 0.2, "the alert log cannot be written"),
    Fault("F.broker.bust", 0.1, "a trade is busted"),
    Fault("F.broker.correct", 0.1, "a trade is corrected"),
    Fault("F.market.dry", 0.4, "nobody offers any size"),
    Fault("F.market.gap", 0.15, "a price jumps"),
    Fault("F.market.broken_quote", 0.05, "a quote is one-sided, crossed or zero"),
    Fault("F.operator.kill_switch", 0.3, "the kill switch goes on, and off again"),
    Fault("F.operator.cancel", 0.3, "a group is canceled by the operator"),
    Fault("F.operator.twice", 0.3, "a command is given twice"),
    *(Fault(f"F.broker.{name}", most, about) for name, (most, about) in _BROKER.items()),
)
CATALOGUE: Final = {fault.name: fault for fault in FAULTS}
assert set(_BROKER) == set(RATES)
LEVELS: Final = (0.0, 0.05, 0.25, 1.0)  # of the most


class Faults:
    """The faults of one run; ``rates`` holds those that are switched on.  :meth:`heal` ends them all."""

    def __init__(self, tape: Tape, rates: Mapping[str, float]) -> None:
        self.tape = tape
        self.rates = dict(rates)
        self.counts: Counter[str] = Counter()
        self.told: Callable[[str], object] = lambda _name: None

    def strikes(self, name: str) -> bool:
        """Whether this fault happens here and now."""
        rate = self.rates.get(name, 0.0)
        if rate and self.tape.coin(name, rate):
            self.note(name)
            return True
        return False

    def note(self, name: str) -> None:
        """It has struck."""
        self.counts[name] += 1
        self.told(name)

    def nasty(self) -> Nasty:
        """The part of it that the exchange's edge does."""
        rates: Any = {name: self.rates.get(f"F.broker.{name}", 0.0) for name in _BROKER}
        return Nasty(**rates)

    def heal(self) -> None:
        """Nothing goes wrong from now on."""
        self.rates.clear()


def swarm(tape: Tape, only: frozenset[str] | None = None) -> dict[str, float]:
    """A seed's own faults and rates; ``only`` these where given."""
    if tape.draw("any faults", 10) == 0:
        return {}
    rates = {}
    for fault in FAULTS:
        level = LEVELS[tape.draw(f"rate of {fault.name}", len(LEVELS))]
        if level and (only is None or fault.name in only):
            rates[fault.name] = fault.most * level
    return rates
