"""How figures are taken and shown: ratios of rounds, what is reached, and who is not there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.measuring import Contender, Figure, NotHere, Reach, measure, rival
from benchmarks.report import BEGIN, END, markdown, write_into


def in_turn(*values: float) -> list[float]:
    return list(values)


def not_here(_: Path) -> float:
    raise NotHere("no such library on this machine")


def figure(*, more_is_better: bool) -> Figure:
    ours, theirs = in_turn(100.0, 300.0, 200.0), in_turn(50.0, 100.0, 400.0)
    return Figure(
        "B0", "a made-up figure", "things/s", more_is_better,
        (
            Contender("ours", lambda _: ours.pop(0)),
            Contender("theirs", lambda _: theirs.pop(0), 1.5),
            Contender("absent", not_here, 2.0),
        ),
        {"": Reach(150)},
    )  # fmt: skip


def test_a_ratio_is_the_median_of_the_rounds_and_not_of_the_times() -> None:
    ours, theirs, _ = measure(figure(more_is_better=True), 3, lambda _: None)
    assert (ours.median, ours.met) == (200.0, True)
    assert (theirs.median, theirs.ratio, theirs.met) == (100.0, 2.0, True)


def test_of_times_less_is_better() -> None:
    _, theirs, _ = measure(figure(more_is_better=False), 3, lambda _: None)
    assert (theirs.ratio, theirs.met) == (0.5, False)


def test_a_rival_that_is_not_there_is_named_with_the_reason(tmp_path: Path) -> None:
    results = measure(figure(more_is_better=True), 2, lambda _: None)
    assert results[2].missing == "no such library on this machine"
    page = tmp_path / "README.md"
    page.write_text(f"before\n{BEGIN}\nold figures\n{END}\nafter\n")
    write_into(
        page, markdown(results, {"date": "today", "cores": 2, "processor": "P", "python": "3", "load_before": 0})
    )
    text = page.read_text()
    assert "| absent | no such library on this machine |" in text
    assert text.startswith("before\n") and text.endswith("after\n") and "old figures" not in text


def test_a_page_without_a_place_for_figures_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("nothing of the kind\n")
    with pytest.raises(ValueError, match="has no place for the figures"):
        write_into(page, markdown([], {"date": "", "cores": 2, "processor": "", "python": "", "load_before": 0}))
    assert page.read_text() == "nothing of the kind\n"


def test_a_rival_whose_library_is_missing_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E "$@"\n')  # without any installed package
    bare.chmod(0o755)
    monkeypatch.setenv("BENCH_PYTHON", str(bare))
    with pytest.raises(NotHere, match="not installed here"):
        rival("pykka", tmp_path / "cell-0.db", 1, 10, 1)


@pytest.mark.parametrize("name", ["thespian", "pykka", "dbos", "nautilus"])
def test_every_rival_that_is_installed_does_the_whole_work(name: str, tmp_path: Path) -> None:
    try:
        assert rival(name, tmp_path / "cell-0.db", 2, 20, 5) > 0  # it fails when an order is missing or too many
    except NotHere as reason:
        if "not installed here" not in str(reason):
            raise
        pytest.skip(str(reason))
