"""What the terminal of a running system is told of the reconciler's reports (cli/differences.py)."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from cli.differences import Teller
from config.paths import positions_path
from config.schema import Config, SystemConfig
from decisions.positions.position_report import PositionReport
from messages.positions import Difference


def report(path: Path, held: tuple[Difference, ...]) -> bytes:
    path.parent.mkdir(exist_ok=True)
    beside = path.with_name("new")
    beside.write_bytes(
        msgspec.json.encode(
            PositionReport(
                as_of_ns=1, balanced=not held, confirmed=(), suspected=(), symbols=(), groups=(), orders=(),
                expiries=(), changes=(), held=held,
            )
        )
    )  # fmt: skip
    beside.replace(path)
    return path.read_bytes()


def difference(symbol: str) -> Difference:
    return Difference(
        key=f"position/{symbol}", symbol=symbol, journal="0", broker="3", quantity=3, cause="", advice="", checked=True
    )


def test_a_report_is_told_once_and_read_only_when_it_is_another_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Config(system=SystemConfig(journal_dir=str(tmp_path)))
    path = positions_path(settings.system.journal_dir)
    teller = Teller(settings)
    teller.look()
    assert capsys.readouterr().out == ""
    first = report(path, (difference("LEGK  260220P00485000"),))
    teller.look()
    assert "LEGK" in capsys.readouterr().out
    at = path.stat().st_mtime_ns
    path.write_bytes(b"x" * len(first))  # the same file as far as can be seen without reading it
    os.utime(path, ns=(at, at))
    teller.look()
    assert capsys.readouterr().out == "", "it was read again although nobody had replaced it"
    report(path, ())
    teller.look()
    assert "no difference holds new risk back any more" in capsys.readouterr().out
