"""``positions`` and ``reconcile`` where there is nothing to show, nothing that can be read, or nobody to ask."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from cli.app import run
from cli.reconciliation import last_differences
from config.load import load_config
from config.paths import positions_path
from decisions.positions.position_report import PositionReport, SymbolLine

SYMBOL = "XYZ   210115P00095000"


def configured(tmp_path: Path) -> Path:
    path = tmp_path / "legkeeper.toml"
    path.write_text(f'[system]\njournal_dir = "{tmp_path / "journal"}"\n[broker]\nport = 1\n')
    (tmp_path / "journal").mkdir()
    return path


def seen(broker: int) -> PositionReport:
    line = SymbolLine(
        symbol=SYMBOL, groups=-10, foreign=0, journal=-10, broker=broker, difference=broker + 10, unsettled=0
    )
    return PositionReport(
        as_of_ns=1_609_770_600 * 10**9, balanced=broker == -10, confirmed=(), suspected=(), symbols=(line,), groups=(),
        orders=(), expiries=(), changes=(),
    )  # fmt: skip


def test_before_the_first_comparison_positions_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configured(tmp_path)
    assert run(["positions", "--config", str(config)]) == 1
    assert "nothing has been compared yet" in capsys.readouterr().err
    positions_path(tmp_path / "journal").write_text("{")
    assert run(["positions", "--config", str(config)]) == 1
    assert "cannot be read" in capsys.readouterr().err
    assert run(["reconcile", "--config", str(config)]) == 1
    assert "there is no journal in" in capsys.readouterr().err


def test_positions_shows_both_sides_as_a_table_and_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = configured(tmp_path)
    positions_path(tmp_path / "journal").write_bytes(msgspec.json.encode(seen(-7)))
    assert run(["positions", "--config", str(config)]) == 0
    told = capsys.readouterr().out
    assert "differences: 1, as of 2021-01-04 14:30:00Z" in told
    assert f"- {SYMBOL}: the journals say -10, the broker says -7" in told
    assert run(["positions", "--json", "--config", str(config)]) == 0
    assert json.loads(capsys.readouterr().out)["symbols"][0]["difference"] == 3


def test_status_has_a_line_for_every_difference_and_none_when_both_sides_agree(tmp_path: Path) -> None:
    settings = load_config(configured(tmp_path), {})
    assert last_differences(settings) == []
    path = positions_path(tmp_path / "journal")
    path.write_bytes(msgspec.json.encode(seen(-10)))
    assert last_differences(settings) == []
    path.write_bytes(msgspec.json.encode(seen(-7)))
    (line,) = last_differences(settings)
    assert line.startswith("live positions, 2021-01-04 14:30:00Z: XYZ")
