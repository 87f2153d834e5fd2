"""How long shorts stand bare once nothing goes wrong any more: each is hedged or flattened in time (L3).

What is bare, the exchange's record says.  Its time begins with the last of these: it stood bare, all had healed, the
session opened, a person gave the group back.  What becomes of the group in the end is no matter, so that a hedge which
comes after minutes is noticed although it comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.schema import Config
from decisions.orders.sizing import largest_repair
from domain.calendar import Phase, calendar, has_expired
from domain.groups import GroupOutcome, group_part, group_tag
from messages.records import GroupRecord, PositionEventRecord
from simulation.schedule import MS, SECOND_NS
from simulation.workload import CHAIN, MID
from storage.port import Turn
from venue.audit.exposure import exposed
from venue.truth import TruthEvent

if TYPE_CHECKING:
    from simulation.world import World

LONGEST_WAIT = 10  # times its timeout: a cancel that nobody answers is asked for again after so long at most
AT_WORK_NS = 2 * SECOND_NS  # for all that has no time of its own: turns, ticks, letters, the wire


def in_time_ns(config: Config, units: int, unheard_ns: int) -> int:
    """How long a short may stand bare by this configuration, in broker time: generous, for it is the sum of all that
    may follow each other, each as long as it may take.

    * ``unheard_ns`` until what happened is known, were every report of it lost (R20);
    * an order of unknown fate counts as live until two snapshots, each a horizon after what went before it, have not
      listed it, and a cancel without an answer is asked for again;
    * a hedge decision waits for the end of its window, every level has its time and the cancel of its order (S11), and
      all that once more, since what is found missing while the last level works begins anew;
    * or the group is flattened: a close has its time and its cancel, and where the house lets market orders rest, it is
      priced again so often;
    * every order of this has its token (E7), and so has its cancel: ``units`` are those of all groups.
    """
    orders, hedge = config.orders, config.hedge
    doubt_ms = 2 * (orders.absence_horizon_ms + config.reconciliation.poll_ms) + LONGEST_WAIT * orders.cancel_timeout_ms
    hedge_ms = 2 * (hedge.window_ms + hedge.depth * (hedge.timeout_ms + orders.cancel_timeout_ms))
    chase_ms = orders.market_reprices * orders.market_patience_ms if config.broker.market_orders_rest else 0
    close_ms = orders.working_timeout_ms + orders.cancel_timeout_ms + chase_ms
    requests = 2 * units // largest_repair(CHAIN[-1], MID, config.controls)
    token_ms = requests * 1_000 // config.controls.orders_per_second
    return unheard_ns + AT_WORK_NS + (doubt_ms + hedge_ms + close_ms + token_ms) * MS


class Uncovered:
    """Which groups have shorts that stand bare, and since when, by the machine's clock: no night passes on it.

    ``world.oracles`` has taken every event and every turn before it comes here.
    """

    def __init__(self, world: World) -> None:
        self.world, self.oracles = world, world.oracles
        self.since_ns: dict[str, int] = {}  # by group's tag
        self.well_ns = 0  # until then something went wrong, or nobody could trade
        self.calendar = calendar(world.scenario.config.broker.calendar)

    def on_truth(self, event: TruthEvent) -> None:
        """Something happened at the exchange."""
        if event.cum_qty is not None:
            self._look(group_part(event.client_order_id))

    def on_commit(self, turn: Turn) -> None:
        """A turn is durable: whose the units are that came or went without an order, the journals say."""
        for record in turn.records:
            if isinstance(record, PositionEventRecord) and record.group_id:
                self._look(group_tag(record.group_id))

    def all_is_well(self) -> None:
        """From now on time counts."""
        self.well_ns = self.world.schedule.now_ns

    def judge(self) -> None:
        """Whatever has stood bare for too long by now, though all was well and it is no person's business."""
        now_ns = self.world.schedule.now_ns
        if self.calendar.standing(self.world.server.now_ns).phase is not Phase.OPEN:
            self.well_ns = now_ns
        for tag, record in self.oracles.groups.items():
            self._look(tag)
            if tag not in self.since_ns:
                continue
            if self._is_a_persons(tag, record) or self._has_expired(record):
                self.since_ns[tag] = now_ns  # should it be the program's again
                continue
            lasted_ns = now_ns - max(self.since_ns[tag], self.well_ns)
            units = sum(leg.target_qty for one in self.oracles.groups.values() for leg in one.group.legs)
            most_ns = in_time_ns(self.world.scenario.config, units, self.world.rest_ns)
            told = f"{self._bare(tag, record)} short units of group {record.group_id} have stood bare for"
            told += f" {lasted_ns // SECOND_NS} s after all faults; {most_ns // SECOND_NS} s may be"
            self.oracles.demand(lasted_ns <= most_ns, "L3", told)

    def _look(self, tag: str) -> None:
        record = self.oracles.groups.get(tag)
        if record is None or not self._bare(tag, record):
            self.since_ns.pop(tag, None)
        else:
            self.since_ns.setdefault(tag, self.world.schedule.now_ns)

    def _bare(self, tag: str, record: GroupRecord) -> int:
        held = self.oracles.held(tag, record.group)
        return exposed(record.group, held, held)

    def _is_a_persons(self, tag: str, record: GroupRecord) -> bool:
        """Halted, given up, or forgotten: that somebody was called is judged at rest (L5)."""
        halted = record.outcome is GroupOutcome.HALTED
        return halted or record.quarantined or tag in self.oracles.left_to_a_person

    def _has_expired(self, record: GroupRecord) -> bool:
        """Nobody can trade it any more: the house's word settles it."""
        now_ns = self.world.server.now_ns
        return any(has_expired(self.calendar, leg.instrument.expiry, now_ns) for leg in record.group.legs)
