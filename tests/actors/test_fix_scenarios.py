"""The 31 FIX 4.4 scenarios through the real path of a report: cell, desk, group, leg, journal."""

from __future__ import annotations

from typing import Any

from fix44 import DIFFERENCES, SCENARIOS, Event, branches, each_scenario, lines, needs_scenarios, printed, replay, start
from msgspec.structs import replace
from world import DEEP_POCKETS, START_NS, option

from actors.cell_tree import CellTree
from config.schema import Config, OrdersConfig
from domain.execution import ExecutionReport, Side
from domain.groups import Plan, PlanLeg
from domain.instruments import Instrument, Right
from domain.order_table import FACTS, Verdict
from domain.orders import OrderState, merge
from domain.quotes import Quote
from domain.report_ids import event_id
from messages.market import BrokerUp, Funds, Tick
from messages.operator import SubmitGroup
from messages.orders import InstrumentList, Snapshot, SubmitOrder
from messages.records import ExecutionRecord, ExecutionStateRecord, IntentRecord
from storage.memory import MemoryJournal
from storage.tables import ESCALATIONS, EXECUTION_STATES, EXECUTIONS, GROUPS, INTENTS, PROCESSED_EVENTS, REJECTED_EVENTS

pytestmark = needs_scenarios

CHAIN: list[Instrument] = [option(strike, Right.CALL, freeze_qty=100_000) for strike in (100, 110)]
CASH_ORDER_QTY = 500  # L.1.b orders an amount of money, which buys so many
PATIENT = Config(orders=OrdersConfig(working_timeout_ms=10**9))  # the scenarios say when orders are canceled


class House:
    """A cell with one single-leg group per order of a scenario, each of which has placed its one order."""

    def __init__(self, events: list[Event]) -> None:
        self.journal = MemoryJournal()
        self.cell = CellTree(0, PATIENT, self.journal, deduplicates=True)
        self.ids: dict[str, str] = {}  # the scenario's order -> our client order id
        quotes = tuple(Quote(i.symbol, START_NS, 10_000, 100_000, 10_500, 100_000) for i in CHAIN)
        nothing = Snapshot(as_of_ns=START_NS, session=1, orders=(), executions=(), positions=())
        funds = Funds(available=DEEP_POCKETS, used=0, ts_ns=START_NS)
        self.cell.run([BrokerUp(1), InstrumentList(tuple(CHAIN)), funds, Tick(START_NS, quotes), nothing])
        for instrument, (order, state) in zip(CHAIN, start(events).items(), strict=False):
            self.place(order, instrument, state.order_qty or CASH_ORDER_QTY)

    def place(self, order: str, instrument: Instrument, quantity: int) -> None:
        legs = (PlanLeg(leg_id="only", symbol=instrument.symbol, side=Side.BUY),)
        released = self.cell.run([SubmitGroup(Plan(group_id=f"group-{order}", quantity=quantity, legs=legs))])
        (request,) = released.requests
        assert isinstance(request, SubmitOrder)
        assert request.quantity == quantity
        self.ids[order] = request.client_order_id

    def ours(self, report: ExecutionReport) -> ExecutionReport:
        """The report as a broker would send it to us."""
        order = self.ids.get(report.client_order_id, report.client_order_id)
        return replace(report, client_order_id=order, ts_ns=START_NS + report.ts_ns)

    def take(self, *reports: ExecutionReport) -> None:
        for report in reports:
            self.cell.run([self.ours(report)])

    def restart(self) -> None:
        self.journal.crash()
        self.journal = self.journal.reopen()
        self.cell = CellTree(0, PATIENT, self.journal, deduplicates=True)

    def state(self, order: str) -> ExecutionStateRecord:
        rows: list[ExecutionStateRecord] = self.journal.rows(EXECUTION_STATES)
        (row,) = (row for row in rows if row.client_order_id == self.ids[order])
        return row

    def known(self) -> dict[str, OrderState]:
        rows: list[ExecutionStateRecord] = self.journal.rows(EXECUTION_STATES)
        return {row.client_order_id: row.knowledge for row in rows}

    def counted(self) -> dict[tuple[str, str], int]:
        """What stands in the table of executions: quantity by order and exec id."""
        rows: list[ExecutionRecord] = self.journal.rows(EXECUTIONS)
        return {(row.client_order_id, row.exec_id): row.last_qty for row in rows}

    def rejected(self) -> dict[str, str]:
        return {row.event_id: row.reason for row in self.journal.rows(REJECTED_EVENTS)}

    def sound(self) -> bool:
        """No group was rolled back."""
        return not any(group.crashes for group in self.journal.rows(GROUPS))


def told(events: list[Event]) -> list[ExecutionReport]:
    return [report for _, _, report, _ in replay(events)]


def late(house: House, reports: list[ExecutionReport]) -> dict[str, str]:
    """What the order table calls late, in this order of arrival: event id -> reason."""
    intents: list[IntentRecord] = house.journal.rows(INTENTS)
    states = {
        intent.client_order_id: OrderState.new(intent.client_order_id, intent.quantity)
        for intent in intents
        if intent.client_order_id in house.ids.values()
    }
    found, seen = {}, set()
    for report in map(house.ours, reports):
        if report.client_order_id in states and event_id(report) not in seen:
            seen.add(event_id(report))
            merged = merge(states[report.client_order_id], report)
            states[report.client_order_id] = merged.state
            if merged.verdict is Verdict.REGRESSION:
                found[event_id(report)] = merged.reason
    return found


def executions_in(house: House, reports: list[ExecutionReport]) -> dict[tuple[str, str], int]:
    ours = [house.ours(report) for report in reports if FACTS[report.exec_type].executes]
    return {(report.client_order_id, report.exec_id): report.last_qty for report in ours}


def delivered(events: list[Event], reports: list[ExecutionReport]) -> House:
    house = House(events)
    house.take(*reports)
    assert house.sound()
    return house


@each_scenario
def test_the_journal_shows_after_every_row_what_the_matrix_prints(scenario: dict[str, Any]) -> None:
    for events in lines(scenario):
        house, heard = House(events), []
        for index, row, report, _ in replay(events):
            house.take(report)
            heard.append(report)
            if report.client_order_id not in house.ids:
                assert [alert.kind for alert in house.journal.rows(ESCALATIONS)] == ["FOREIGN_ORDER"]
                continue
            cells = printed(row) | DIFFERENCES.get((scenario["id"], index), {})
            state = house.state(report.client_order_id)
            assert {name: getattr(state, name) for name in cells} == cells, f"{scenario['id']} row {index}: {row}"
        assert house.sound()
        assert house.counted() == executions_in(house, heard)
        assert house.rejected() == late(house, heard)


@each_scenario
def test_every_row_delivered_twice_counts_once(scenario: dict[str, Any]) -> None:
    for events in branches(scenario):
        reports = told(events)
        once = delivered(events, reports)
        stuttering = House(events)
        for report in reports:
            stuttering.take(report)
            turns = len(stuttering.journal.turns())
            stuttering.take(report)
            assert len(stuttering.journal.turns()) == turns, "a duplicate wrote something"
        again = delivered(events, reports + reports)
        again.restart()
        again.take(*reports)
        for house in (stuttering, again):
            assert house.known() == once.known()
            assert house.counted() == once.counted() == executions_in(house, reports)
            assert house.rejected() == once.rejected()
            assert len(house.journal.rows(PROCESSED_EVENTS)) == len(once.journal.rows(PROCESSED_EVENTS))


@each_scenario
def test_adjacent_rows_swapped_end_in_the_same_state_and_the_late_one_is_recorded(scenario: dict[str, Any]) -> None:
    for events in branches(scenario):
        reports = told(events)
        once = delivered(events, reports)
        for at in range(len(reports) - 1):
            swapped = [*reports[:at], reports[at + 1], reports[at], *reports[at + 2 :]]
            house = delivered(events, swapped)
            assert house.known() == once.known()
            assert house.counted() == once.counted()
            assert house.rejected() == late(house, swapped)


def test_the_swaps_do_produce_late_reports() -> None:
    (fills,) = (scenario for scenario in SCENARIOS if scenario["id"] == "A.1.a")
    *_, events = branches(fills)
    reports = told(events)
    house = delivered(events, reports[::-1])
    assert set(house.rejected().values()) >= {"late new: the order is already filled"}
    assert house.state("X").cum_qty == 10_000
