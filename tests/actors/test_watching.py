"""What a cell counts and warns of, while real actors work on a real exchange core."""

from __future__ import annotations

from stories import bust_one
from world import LONG, SHORT, World, bull_put

from config.schema import Config, OrdersConfig
from decisions.effects import MS
from domain.execution import ExecType, Side
from messages.records import ExposureRecord, Severity
from storage.tables import EXPOSURES


def counted(world: World) -> dict[str, float]:
    """What the cell's metrics show, the safeguards under their own names."""
    found: dict[str, float] = {}
    for sample in world.cell.measures.report().samples:
        found[sample.labels[0] if sample.name == "safeguard_actions_total" else sample.name] = sample.value
    return found


def hedged(quantity: int = 10, **changes: int) -> World:
    """A bull put that is in, on a market deep enough."""
    world = World(config=Config(orders=OrdersConfig(**changes)), size=500)
    world.submit(bull_put(quantity=quantity))
    world.advance(2_000, fresh=True)
    assert world.position(SHORT) == -quantity
    return world


def bust_longs(world: World) -> None:
    """The exchange takes every trade in the protection back."""
    for number, trade in enumerate(
        [report for report in world.exchange.executions() if report.exec_type is ExecType.TRADE]
    ):
        if trade.symbol != SHORT:
            assert bust_one(world, number)


def exposures(world: World) -> list[ExposureRecord]:
    return world.journal.rows(EXPOSURES)


def lags(world: World) -> list[int]:
    """How many hedge lags fell into each bucket."""
    return [sum(s.counts) for s in world.cell.measures.report().spreads if s.name == "hedge_lag_seconds"]


def test_a_bust_of_protection_is_an_exposure_whose_lag_is_measured_in_broker_time() -> None:
    world = hedged()
    assert exposures(world) == []
    world.sizes = dict.fromkeys(world.sizes, 0)  # nobody sells protection
    world.show()
    bust_longs(world)
    began = world.now_ns
    assert world.cell.uncovered_qty == 10
    world.advance(700)
    assert world.kinds() == ["HEDGE_LAG"]
    world.sizes = dict.fromkeys(world.sizes, 500)
    world.advance(300, fresh=True)
    (found,) = exposures(world)
    assert (found.symbol, found.quantity, found.opened_ns) == (SHORT, 10, began)
    assert 700_000_000 < found.covered_ns - found.opened_ns <= 1_000_000_000
    assert world.cell.uncovered_qty == 0
    assert lags(world) == [1]
    assert counted(world)["S11"] == 1


def test_the_clock_of_an_exposure_survives_a_crash_of_its_cell() -> None:
    world = hedged()
    world.sizes = dict.fromkeys(world.sizes, 0)
    world.show()
    bust_longs(world)
    began = world.now_ns
    world.advance(300)
    world.restart()
    assert world.cell.uncovered_qty == 10
    world.sizes = dict.fromkeys(world.sizes, 500)
    world.advance(500, fresh=True)
    (found,) = exposures(world)
    assert found.opened_ns == began
    assert found.covered_ns > began + 300_000_000


def test_more_uncovered_units_than_allowed_call_a_person_at_once() -> None:
    for quantity, called in ((100, False), (101, True)):
        world = hedged(quantity)
        world.sizes = dict.fromkeys(world.sizes, 0)
        world.show()
        bust_longs(world)
        assert ("UNHEDGED_EXPOSURE" in world.kinds()) == called
        for alert in world.escalations("UNHEDGED_EXPOSURE"):
            assert (alert.severity, alert.group_id, alert.quantity) == (Severity.CRITICAL, "bp", quantity)


def test_a_bust_that_is_heard_when_another_has_been_hedged_is_told_as_long_as_it_has_stood() -> None:
    world = World(size=5)
    world.submit(bull_put(quantity=10))
    world.advance(2_000, fresh=True)
    first, second = [one for one in world.exchange.executions() if one.side is Side.BUY]
    world.take(world.exchange.bust(first.exec_id, world.now_ns))
    began = world.now_ns = world.now_ns + 100 * MS
    world.exchange.bust(second.exec_id, world.now_ns)  # its report is lost
    world.advance(8_000, fresh=True)
    assert (world.position(LONG), world.cell.uncovered_qty) == (5, 0), "the cell knows of nothing that is bare"
    world.sizes = dict.fromkeys(world.sizes, 0)
    world.show()
    world.snapshot()
    known = exposures(world)[-1]
    assert (known.opened_ns, known.covered_ns) == (began, 0)
    world.advance(1_900)
    assert world.escalations("UNCOVERED_EXPOSURE") == []
    world.advance(200)
    (alert,) = world.escalations("UNCOVERED_EXPOSURE")
    assert "5 short units of group bp have been uncovered for 10.0 s" in alert.text


def test_a_snapshot_that_teaches_nothing_is_no_mismatch_and_one_that_does_is_a_warning() -> None:
    world = hedged()
    world.snapshot()
    before = counted(world)
    assert before["reconciliation_divergences_total"] == 0
    world.deaf = True  # the bust is pushed, and lost
    bust_longs(world)
    world.deaf = False
    world.snapshot()
    after = counted(world)
    assert after["reconciliation_divergences_total"] >= 1
    assert after["reconciliations_total"] > before["reconciliations_total"]
    warning = next(alert for alert in world.alerts if alert.kind == "RECONCILIATION_MISMATCH")
    assert warning.severity is Severity.WARNING
    assert warning.quantity == after["reconciliation_divergences_total"]


def test_safeguards_are_counted_when_they_act_and_only_then() -> None:
    world = World(size=3)
    world.submit(bull_put(stop=30_000))
    for _ in range(5):
        world.advance(500, fresh=True)
    found = counted(world)
    assert found["S1"] >= 1  # risk waited for protection that filled in parts
    assert found["S2"] >= 1
    assert found["S8"] == found["S10"] == found["S11"] == 0
    report = next(report for report in world.heard if report.exec_type is ExecType.TRADE)
    duplicates = counted(world)["S9"]
    world.take([report, report])
    assert counted(world)["S9"] == duplicates + 2


def test_an_order_past_its_time_is_counted_as_a_deadline() -> None:
    world = World(size=0)
    world.submit(bull_put())
    world.advance(1_000)
    assert counted(world)["S12"] == 0
    world.advance(3_000)
    assert counted(world)["S12"] >= 1


def test_every_commit_is_timed() -> None:
    world = hedged()
    times = next(spread for spread in world.cell.measures.report().spreads if spread.name == "commit_seconds")
    assert sum(times.counts) == len(world.journal.turns())
    assert times.total > 0
