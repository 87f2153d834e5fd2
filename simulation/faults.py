"""The fault catalogue: every fault has an id, a weight for the swarm, a switch, and a count of how often it struck.

A seed draws its own subset and its own rates (swarm testing: Groce et al., ISSTA 2012); a tenth of the seeds have none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from simulation.tape import UNIT, Corners, Tape
from venue.nasty import RATES, Nasty


class Fault(NamedTuple):
    """One row: its id, its weight, and what it does.

    ``most`` is the highest chance that it strikes where it can; or, with ``times``, how often it does at most in a
    run, at moments of its own (simulation/strikes.py).
    """

    name: str
    most: float
    about: str
    times: bool = False


_BROKER: Final = {
    "lose_request": (0.05, "a request is lost"),
    "forget": (0.05, "an answer never comes; the order is worked"),
    "lose_ack": (0.1, "an answer and the first reports are lost"),
    "refuse": (0.1, "an order is refused for no good reason"),
    "cancel_refused": (0.3, "a cancel is refused for no good reason"),
    "accept_refused": (0.1, "an answer takes an order that is then refused (200 with a refusal)"),
    "answer_fails": (0.1, "an error instead of an answer; the order may be worked (429, 5xx)"),
    "answer_late": (0.05, "an answer comes after its timeout"),
    "disconnect": (0.03, "the connection is reset around an answer"),
    "delay": (0.4, "answers and reports overtake each other"),
    "drop_report": (0.8, "a pushed report never comes"),
    "duplicate_report": (0.4, "a pushed report comes twice"),
    "reorder_reports": (0.4, "pushed reports change places"),
    "stale_snapshot": (0.5, "a snapshot shows an older state than it says"),
    "order_missing_from_snapshot": (0.3, "a snapshot leaves an order out"),
    "nameless": (1.0, "an order of which nothing is told with an exec id"),
    "repeat_report": (0.4, "a report is told again seconds later, without an exec id under a new time"),
    "replay": (1.0, "at a login the house tells its last reports again, in order, known and missed ones"),
}

FAULTS: Final = (
    Fault("F.process.kill", 4, "a process dies between two messages", times=True),
    Fault("F.process.kill_in_handler", 0.003, "a process dies between two effects of one handler"),
    Fault("F.process.kill_in_recovery", 1, "a process dies, and twice more while it comes back", times=True),
    Fault("F.process.crash_loop", 1, "a process dies each time that it is started, up to eight times", times=True),
    Fault("F.process.commit_before", 0.01, "a cell dies in a commit that is lost"),
    Fault("F.process.commit_after", 0.01, "a cell dies right after a commit"),
    Fault("F.process.start_raises", 0.3, "a process meets a bug while it starts"),
    Fault("F.process.hang", 3, "a process, also a supervisor, hangs for a while (zombie writer)", times=True),
    Fault("F.process.hang_for_good", 1, "a process that another looks after is stopped and never goes on", times=True),
    Fault("F.process.orphans", 1, "cells live on for a moment when their supervisor has died", times=True),
    Fault("F.process.two_instances", 1, "a second program starts while the first one's processes live on", times=True),
    Fault("F.process.upgrade", 0.5, "a newer release is started over the journals of an earlier one", times=True),
    Fault("F.process.program", 2, "the whole program dies, and is started again", times=True),
    Fault("F.process.out_of_memory", 0.003, "a handler cannot have the memory that it needs"),
    Fault("F.process.out_of_descriptors", 0.3, "no file or socket can be opened"),
    Fault("F.actors.drop", 0.01, "a message between processes is lost"),
    Fault("F.actors.answer_lost", 0.03, "what was asked for is done, and the answer is lost"),
    Fault("F.actors.duplicate", 0.02, "a message between processes comes twice"),
    Fault("F.actors.delay", 0.01, "a message between processes, and all behind it, comes late"),
    Fault("F.actors.overflow", 3, "a mailbox is full: nothing gets into it for a while", times=True),
    Fault("F.actors.reorder", 0.3, "another letter than the oldest is delivered first"),
    Fault("F.actors.old_incarnation", 0.3, "a new address comes late: letters go to a process that is gone"),
    Fault("F.actors.exit_first", 0.5, "a death is told before the last letters of the dead"),
    Fault("F.actors.group_raises", 0.003, "an actor of a group meets a bug: rolled back, rebuilt, at last quarantined"),
    Fault("F.wire.delay", 0.2, "bytes take long"),
    Fault("F.wire.cut", 2, "nothing gets through for a while", times=True),
    Fault("F.wire.one_way", 2, "nothing gets through in one direction for a while", times=True),
    Fault("F.wire.reset", 2, "all connections are reset; what the house pushes meanwhile is a gap", times=True),
    Fault("F.wire.reset_in_answer", 0.002, "a connection is reset in the middle of an answer"),
    Fault("F.wire.duplicate_request", 0.1, "a request arrives twice"),
    Fault("F.wire.malformed", 0.003, "a frame is no message"),
    Fault("F.wire.logged_out", 1, "the house logs everybody out", times=True),
    Fault("F.storage.commit_fails", 0.005, "a commit raises; whether it is durable, the tape says"),
    Fault("F.storage.failing", 1, "every commit to one disk fails for a while", times=True),
    Fault("F.storage.full", 1, "the disk is full for a while, and then has room again", times=True),
    Fault("F.storage.full_at_opening", 0.3, "the disk has no room when a journal is opened"),
    Fault("F.storage.alert_log_full", 0.2, "the alert log cannot be written"),
    Fault("F.storage.busy", 0.2, "somebody else holds a journal when it is opened"),
    Fault("F.storage.slow", 0.03, "a commit takes long"),
    Fault("F.storage.bit_rot", 0.2, "a bit of a journal flips while its owner is dead", times=True),
    Fault("F.storage.older_copy", 0.5, "an older copy of a journal is put in its place", times=True),
    Fault("F.storage.truncated", 0.2, "a journal is cut short while its owner is dead", times=True),
    Fault("F.time.wall_jump", 3, "the machine's wall clock jumps, forth or back", times=True),
    Fault("F.time.suspend", 1, "the machine stands still for a while, the house goes on", times=True),
    Fault("F.time.timer_late", 0.02, "a timer fires late"),
    Fault("F.time.timer_early", 0.05, "a timer fires early"),
    Fault("F.time.timer_twice", 0.02, "a timer fires twice"),
    Fault("F.time.timer_lost", 0.002, "a timer never fires"),
    Fault("F.time.broker_jump", 2, "the house's clock jumps ahead", times=True),
    Fault("F.time.skew", 1, "the house's clock runs faster, or slower", times=True),
    Fault("F.broker.bust", 0.1, "a trade is busted"),
    Fault("F.broker.correct", 0.15, "a trade is corrected"),
    Fault("F.broker.renumber", 0.1, "a trade gets another number"),
    Fault("F.broker.late_fill", 0.4, "a trade is told after the cancel of its order"),
    Fault("F.broker.halt", 1, "trading halts for a while, between legs", times=True),
    Fault("F.broker.session_end", 1.0, "the session ends in the middle of it: orders expire, and a night passes"),
    Fault("F.broker.expiry", 1.0, "the options expire in the middle of it, and are settled"),
    Fault(
        "F.broker.tag_truncated", 1, "for a while the house cuts client order ids, and says so to a login", times=True
    ),
    Fault("F.broker.one_lot", 0.5, "a side has size for one lot, and an order fills by so much"),
    Fault("F.broker.cancel_race", 0.5, "an order fills while its cancel is on its way, which is refused for that"),
    Fault("F.broker.change_race", 1.0, "a part of an order fills while its cancel or a change of it is on its way"),
    Fault("F.broker.margin", 2, "for a while the house refuses what needs more margin than is in use", times=True),
    Fault("F.broker.band", 2, "for a while the house refuses prices that are not near the middle", times=True),
    Fault("F.broker.relist", 1, "lot, tick or freeze quantity of a contract change", times=True),
    Fault("F.broker.manual", 0.5, "somebody trades a contract of ours by other means", times=True),
    Fault("F.broker.liquidation", 0.5, "the house closes a part of a position", times=True),
    Fault("F.broker.assignment", 0.5, "a short option is assigned before its expiry", times=True),
    Fault("F.market.dry", 0.4, "nobody offers any size"),
    Fault("F.market.gap", 0.15, "a price jumps"),
    Fault("F.market.broken_quote", 0.05, "a quote is one-sided, crossed or zero"),
    Fault("F.market.stale", 2, "no quote of a contract comes for a while", times=True),
    Fault("F.operator.kill_switch", 0.3, "the kill switch goes on, and off again"),
    Fault("F.operator.kill_in_recovery", 0.5, "the kill switch goes on as the program comes back", times=True),
    Fault("F.operator.cancel", 0.3, "a group is canceled by the operator"),
    Fault("F.operator.twice", 0.3, "a command is given twice"),
    Fault("F.operator.tightened", 0.5, "the program is started again with a tighter configuration", times=True),
    *(Fault(f"F.broker.{name}", most, about) for name, (most, about) in _BROKER.items()),
)
CATALOGUE: Final = {fault.name: fault for fault in FAULTS}
assert set(_BROKER) == set(RATES)
LEVELS: Final = (0.0, 0.05, 0.25, 1.0)  # of the most
CROWDS: Final = (8, 4, 16, 2)  # one fault in so many is on
FAMILIES: Final = tuple(dict.fromkeys(name.rpartition(".")[0] for name in CATALOGUE))
OF_FAULTS: Final[Corners] = {
    "so many families of faults": (0, 0, 0, 0, 1, 2),  # alone; 0: faults of all
    "a family of faults": FAMILIES,
    "one fault of a family in so many": (2, 1),
}


class Faults:
    """The faults of one run; ``rates`` holds those that are switched on.  :meth:`heal` ends them all."""

    def __init__(self, tape: Tape, rates: Mapping[str, float]) -> None:
        self.tape = tape
        self.rates = dict(rates)
        self.counts: Counter[str] = Counter()
        self.told: Callable[[str], object] = lambda _name: None

    def strikes(self, name: str) -> bool:
        """Whether this fault happens here and now."""
        rate = self.rates.get(name)
        if rate and self.tape.coin(name, rate):
            self.note(name)
            return True
        return False

    def one_of(self, names: tuple[str, ...]) -> str:
        """Which of these happens here and now, by one draw; "": none."""
        rates = self.rates
        on = [name for name in names if name in rates]
        if not on:
            return ""
        drawn = UNIT - self.tape.draw(on[0] if len(on) == 1 else "one of several faults", UNIT)
        for name in on:
            drawn -= int(rates[name] * UNIT)
            if drawn <= 0:
                self.note(name)
                return name
        return ""

    def comes(self, name: str) -> bool:
        """Whether this fault is to come in this run; it is counted when it has."""
        return self.tape.coin(name, self.rates.get(name, 0.0))

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
    """A seed's own faults and rates; where ``only`` some are given, those at their highest rates.

    A third of the seeds with faults have those of one or two families alone, and many of these at their highest rates:
    what takes three or four of them within one order's life is found by few others.
    """
    if only is not None:
        return {name: fault.most for name, fault in CATALOGUE.items() if name in only}
    if tape.draw("any faults", 10) == 0:
        return {}
    if few := tape.corner("so many families of faults", OF_FAULTS):
        families = {tape.corner("a family of faults", OF_FAULTS) for _ in range(few)}
        crowd = tape.corner("one fault of a family in so many", OF_FAULTS)
        return {
            fault.name: fault.most
            for fault in FAULTS
            if fault.name.rpartition(".")[0] in families and tape.draw(f"{fault.name} is on", crowd) == crowd - 1
        }
    crowd = tape.pick("one fault in so many", CROWDS)
    rates = {}
    for fault in FAULTS:
        if tape.draw(f"{fault.name} is on", crowd) == crowd - 1:
            rates[fault.name] = fault.most * LEVELS[1 + tape.draw(f"rate of {fault.name}", len(LEVELS) - 1)]
    return rates
