"""What must hold in the end, when everything has healed: every group certified, journals and exchange of one mind, no
short naked unless a person was called (L1 to L5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.calendar import calendar
from domain.execution import Side
from domain.groups import ENTRY_ROLES, GroupOutcome, Role, TriggerOn, group_part, group_tag
from messages.records import ControlAction, GroupRecord, IntentRecord, IntentStatus, Severity, StopStatus
from simulation.oracles import GATEWAY_STEM
from storage.tables import CONTROLS, EXECUTION_STATES, INTENTS, STOPS
from venue.audit.books import EXPOSURE_ALERTS
from venue.audit.exposure import exposed

if TYPE_CHECKING:
    from simulation.oracles import Oracles
    from simulation.world import World

# What was decided so lately may not have been answered for: the clock that it was decided by is up to a second old, and
# so are what the exchange and the cell look at (CALM_BEAT_S).
UNDER_WAY_NS = 3_000_000_000
REDUCING = frozenset(Role) - ENTRY_ROLES
UNPROTECTED_NS = 15_000_000_000  # so long after a stop was armed it may be refused without that anybody is called


class Rest:
    """A world at rest, and the books that were kept of it."""

    def __init__(self, world: World, oracles: Oracles) -> None:
        self.world, self.oracles = world, oracles

    def judge(self) -> None:
        """The end: everything certified, J = B, nobody naked, a person called where it is due (L1 to L5)."""
        for name in sorted(self.oracles.accepted):
            self.oracles.demand(group_tag(name) in self.oracles.groups, "L1", f"group {name} was accepted and is gone")
        self._told()
        self._stopped()
        self._journals_agree()
        called: dict[str, set[str]] = {}
        for alert in self.world.machine.alerts:
            if alert.severity is Severity.CRITICAL:
                called.setdefault(alert.group_id, set()).add(alert.kind)
        for tag, record in self.oracles.groups.items():
            if tag in self.oracles.lost:
                continue
            held = self.oracles.held(tag, record.group)
            self._certified(tag, record, held, called.get(record.group_id, set()))

    def _certified(self, tag: str, record: GroupRecord, held: dict[str, int], called: set[str]) -> None:
        name, group = record.group_id, record.group
        stays = REDUCING if record.quarantined else {Role.STOP_LIMIT}  # a person has what is given up, as it stands
        open_orders = [
            order_id for order_id in self.oracles.by_group[tag]
            if self.oracles.orders[order_id].leaves and self.oracles.intents[order_id].role not in stays
            and order_id not in self.oracles.forgotten
        ]  # fmt: skip
        self.oracles.demand(not open_orders, "L1", f"group {name} has ended, and {open_orders} still work")
        longs = {leg.leg_id: held[leg.leg_id] for leg in group.legs if leg.side is Side.BUY}
        shorts = {leg.leg_id: held[leg.leg_id] for leg in group.legs if leg.side is Side.SELL}
        bare = exposed(group, longs, shorts)
        targets = {leg.leg_id: leg.target_qty for leg in group.legs}
        person = self.world.operator
        if name in person.closed and person.called(name) <= person.closed[name]:  # else the market took it no more
            flat = record.outcome is GroupOutcome.FLAT
            self.oracles.demand(flat, "L1", f"a person had group {name} closed, and it is {record.outcome.value}")
        match record.outcome:
            case GroupOutcome.HEDGED:
                gone = {moved.leg_id for moved in self.oracles.moves[tag].values()}
                whole = all(held[key] == units or (key in gone and held[key] < units) for key, units in targets.items())
                self.oracles.demand(whole, "L1", f"group {name} is hedged, but holds {held} of {targets}")
                self.oracles.demand(not bare, "L1", f"group {name} is hedged, but {bare} of its shorts are not")
            case GroupOutcome.FLAT:
                self.oracles.demand(not any(held.values()), "L1", f"group {name} is flat, but holds {held}")
            case GroupOutcome.HALTED:
                of_it = bool(called - EXPOSURE_ALERTS)
                self.oracles.demand(of_it, "L5", f"group {name} is halted, and no alert that says so was delivered")
            case _:
                self.oracles.fail("L1", f"group {name} has not ended")

    def _journals_agree(self) -> None:
        states: dict[str, int] = {}
        rows: dict[str, IntentRecord] = {}
        for journal in self.world.journals():
            states |= {row.client_order_id: row.cum_qty for row in journal.rows(EXECUTION_STATES)}
            rows |= {row.client_order_id: row for row in journal.rows(INTENTS)}
        for order_id, order in self.oracles.orders.items():
            if group_part(order_id) in self.oracles.left_to_a_person:
                continue
            self.oracles.demand(order_id in rows, "I2", f"{order_id} is at the exchange, and no journal has it")
            self.oracles.demand(
                states.get(order_id, 0) == order.cum, "I12",
                f"{order_id}: the journal has {states.get(order_id, 0)} filled, the exchange {order.cum}",
            )  # fmt: skip
        for order_id, row in rows.items():
            if group_part(order_id) in self.oracles.left_to_a_person:
                continue
            unresolved = row.status in (IntentStatus.UNRESOLVED, IntentStatus.SENT, IntentStatus.INTENT_PERSISTED)
            fresh = (
                row.decided_ns > self.world.server.now_ns - UNDER_WAY_NS
            )  # a stop that the broker refuses is asked again
            self.oracles.demand(not unresolved or fresh, "L2", f"{order_id} is still {row.status.value}")
            live = row.status is IntentStatus.LIVE
            known = self.oracles.orders.get(order_id)
            working = known is not None and known.leaves > 0
            self.oracles.demand(not live or working or fresh, "L2", f"{order_id} is not live any more")
        self._stops()

    def _told(self) -> None:
        """A person knows of every order that its journal has forgotten."""
        told = [alert.text for alert in self.world.machine.alerts if alert.severity is Severity.CRITICAL]
        for order_id in sorted(self.oracles.forgotten & self.oracles.orders.keys()):
            named = any(order_id in text for text in told)
            self.oracles.demand(
                named, "I12", f"{order_id} was forgotten with a part of its journal, and nobody was called"
            )

    def _stopped(self) -> None:
        """Whoever is stopped until a person acts, or for the day (E8, E11), has an alert that says so.

        A cell has journaled it; that an older copy of that journal has forgotten it, nobody can help.
        """
        gateways = (disk for path, disk in self.world.storage.disks.items() if path.stem == GATEWAY_STEM)
        records = (record for gateway in gateways for record in gateway.rows(CONTROLS))
        for record in records:
            if record.action is ControlAction.DISABLED:
                alert = f"REPEATED_EXECUTION:{record.subject}/{record.at_ns}"
            elif record.action is ControlAction.REDUCING and record.control == "E11":
                days = calendar(self.world.scenario.config.broker.calendar)
                alert = f"LOSS_LIMIT:{days.day(record.at_ns).isoformat()}"
            else:
                continue
            over = 0 < record.until_ns <= self.world.server.now_ns
            heard = alert in self.world.watch.raised
            self.oracles.demand(heard or over, "L5", f"{record.subject} is stopped, and no cell has the alert {alert}")

    def _armed(self) -> None:
        """Who is hedged and holds what has a stop-loss has it armed."""
        stops = {
            (stop.group_id, stop.leg_id): stop for journal in self.world.journals() for stop in journal.rows(STOPS)
        }
        for tag, record in self.oracles.groups.items():
            if tag in self.oracles.lost:
                continue
            held = self.oracles.held(tag, record.group) if record.outcome is GroupOutcome.HEDGED else {}
            for leg in (leg for leg in record.group.legs if leg.stop_trigger and held.get(leg.leg_id, 0) > 0):
                stop = stops.get((record.group_id, leg.leg_id))
                armed = stop is not None and stop.status is StopStatus.ARMED
                told = f"{record.group_id}/{leg.leg_id}: its stop-loss is {stop.status.value if stop else 'not there'}"
                self.oracles.demand(armed, "I8", told)

    def _stops(self) -> None:
        self._armed()
        for journal in self.world.journals():
            for stop in journal.rows(STOPS):
                record = self.oracles.groups[group_tag(stop.group_id)]
                if record.outcome is not GroupOutcome.HEDGED or stop.status is not StopStatus.ARMED:
                    continue
                tag = group_tag(stop.group_id)
                leg = record.group.leg(stop.leg_id)
                working = self.oracles.working(tag, stop.leg_id, leg.side.opposite)
                held = self.oracles.held(tag, record.group)[stop.leg_id]
                called = any(
                    a.kind == "STOP_UNPROTECTED" and a.symbol == stop.symbol for a in self.world.machine.alerts
                )
                fresh = stop.armed_ns > self.world.server.now_ns - UNPROTECTED_NS
                elsewhere = (
                    self.world.scenario.config.broker.server_side_stops and leg.stop_trigger_on is TriggerOn.LAST
                )
                if leg.stop_trigger and elsewhere:  # else it is watched here
                    text = f"{stop.stop_id}: {working} of {held} are protected by a stop, and nobody was called"
                    self.oracles.demand(working <= held and (working == held or called or fresh), "I8", text)
