"""The order state change matrices of FIX 4.4 (Volume 4, appendix D), replayed through the join."""

from __future__ import annotations

from typing import Any

from fix44 import DIFFERENCES, SCENARIOS, branches, each_scenario, end, lines, needs_scenarios, printed, replay

pytestmark = needs_scenarios


def test_all_31_scenarios_are_replayed() -> None:
    assert len(SCENARIOS) == 31
    assert len({scenario["id"] for scenario in SCENARIOS}) == 31
    assert sum(1 for scenario in SCENARIOS for _ in branches(scenario)) == 31 + sum(
        1 for scenario in SCENARIOS for row in scenario["steps"] if row.get("alternative")
    )
    assert sum(len(list(lines(scenario))) - len(list(branches(scenario))) for scenario in SCENARIOS) > 4  # crossings


@each_scenario
def test_every_row_answers_what_the_matrix_prints(scenario: dict[str, Any]) -> None:
    for events in lines(scenario):
        answered = 0
        for index, row, _, state in replay(events):
            cells = printed(row) | DIFFERENCES.get((scenario["id"], index), {})
            assert {name: getattr(state, name) for name in cells} == cells, f"{scenario['id']} row {index}: {row}"
            assert state.live_qty >= state.leaves_qty
            assert state.missing_qty == 0
            assert not state.has_anomaly
            answered += 1
        assert answered == sum(row["direction"] == "out" for _, row in events) > 0


def test_every_listed_difference_is_one() -> None:
    rows = {(scenario["id"], index): row for scenario in SCENARIOS for index, row in enumerate(scenario["steps"])}
    for place, ours in DIFFERENCES.items():
        assert all(printed(rows[place])[name] != value for name, value in ours.items()), place


@each_scenario
def test_rows_delivered_twice_end_in_the_same_state(scenario: dict[str, Any]) -> None:
    for events in lines(scenario):
        reports = [report for _, _, report, _ in replay(events)]
        once = end(events, reports)
        assert end(events, [report for report in reports for _ in range(2)]) == once
        assert end(events, reports + reports) == once
        for again in reports:
            assert end(events, [*reports, again]) == once


@each_scenario
def test_adjacent_rows_swapped_end_in_the_same_state(scenario: dict[str, Any]) -> None:
    for events in lines(scenario):
        reports = [report for _, _, report, _ in replay(events)]
        once = end(events, reports)
        for at in range(len(reports) - 1):
            swapped = [*reports[:at], reports[at + 1], reports[at], *reports[at + 2 :]]
            assert end(events, swapped) == once
        assert end(events, reports[::-1]) == once
