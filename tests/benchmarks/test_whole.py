"""The programs that measure: each gives its figure at the smallest size."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import cells, growth, limits
from benchmarks.cell import Cell
from benchmarks.stage import Truth
from benchmarks.stages import WAYS, stages
from benchmarks.whole import fill_to_order, quantile
from storage.verify import verify
from venue.truth import TruthEvent, TruthFile


def test_a_fill_at_the_real_exchange_is_answered_by_an_order_there(tmp_path: Path) -> None:
    found = fill_to_order(tmp_path / "cell-0.db", idle=1, samples=2)
    assert 0 < found["p50"] <= found["p99"]


def test_the_stages_of_a_fills_and_of_a_plans_way_add_up_to_all_of_it(tmp_path: Path) -> None:
    found = stages(tmp_path / "cell-0.db", idle=1, samples=1)
    assert [one.figure for one in found] == ["B1", "B8"]
    for one in found:
        *parts, whole = [p50 for _, p50, _ in one.rows]
        assert len(parts) == len(WAYS[one.figure]) + 1
        assert all(part > 0 for part in parts)
        assert abs(sum(parts) - whole) < 1


def test_two_cells_work_in_processes_of_their_own(tmp_path: Path) -> None:
    assert cells.reports_per_second(tmp_path / "cell-0.db", 2, 1) > 0
    assert {path.name for path in tmp_path.glob("cell-*.db")} == {"cell-0.db", "cell-1.db"}


def test_b10_a_month_leaves_no_more_than_its_last_days(tmp_path: Path) -> None:
    path = tmp_path / "cell-0.db"
    found = growth.month(path, 1)
    assert 500 < found["bytes a report"] < 5_000
    assert found["journal at its largest, MB"] < found["without retention, MB"] * 0.8
    assert verify(path).ok
    with closing(Cell(path)) as cell:
        cell.link_up()
        with pytest.raises(RuntimeError, match="has been submitted before"):
            cell.open(0, 1)  # a group of the first day, long archived


def test_the_limits_can_be_measured(tmp_path: Path) -> None:
    assert limits.floor_ms(tmp_path / "page", 5) > 0
    assert limits.raw_rows(tmp_path / "rows.db", 5) > 0


def test_a_quantile_is_a_value_that_was_measured() -> None:
    values = [float(number) for number in range(1, 101)]
    assert (quantile(values, 0.5), quantile(values, 0.99), quantile([7.0], 0.99)) == (50.0, 99.0, 7.0)


def test_the_exchanges_record_is_read_as_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    with TruthFile(path) as record:
        record.write(TruthEvent(kind="order_received", ts_ns=1))
        truth = Truth(path)
        assert [event.ts_ns for event in truth.look()] == [1]
        with path.open("ab") as torn:
            torn.write(b'{"kind":"fill","ts_')
        assert truth.look() == []
        with path.open("ab") as rest:
            rest.write(b'ns":2}\n')
        assert [event.ts_ns for event in truth.look()] == [2]
        truth.close()
