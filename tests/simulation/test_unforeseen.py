"""What no fault explains is a bug of the program: supervision may heal it, and a run must tell of it all the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actors.cell import Cell
from actors.gateway import BrokerGateway
from simulation.crash_sweep import run_story
from simulation.run import run_tape
from simulation.tape import Tape
from supervisors.root import RootSupervisor
from venue.exchange import Exchange

STORY = "vertical_entry"
PLACES = [(Cell, "on_wakeup"), (BrokerGateway, "on_wakeup"), (RootSupervisor, "on_ready"), (Exchange, "positions")]


def fails_once(monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
    """The first call of this raises; its restarts would go well."""
    real: Callable[..., object] = getattr(owner, name)
    calls: list[str] = []

    def planted(*args: object, **kwargs: object) -> object:
        calls.append(name)
        if len(calls) == 1:
            raise KeyError("XYZ")
        return real(*args, **kwargs)

    monkeypatch.setattr(owner, name, planted)


@pytest.mark.parametrize(("owner", "name"), PLACES, ids=lambda one: getattr(one, "__name__", one))
def test_an_exception_is_a_violation_wherever_it_is_raised(
    monkeypatch: pytest.MonkeyPatch, owner: type, name: str
) -> None:
    fails_once(monkeypatch, owner, name)
    result = run_tape(Tape(), scenario=STORY)
    assert result.violation == "BUG"
    assert result.text.startswith("KeyError: 'XYZ' (test_unforeseen.py, line ")


def test_a_sweep_of_power_cuts_calls_it_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    fails_once(monkeypatch, Cell, "on_wakeup")
    crashed = run_story(STORY)
    assert (crashed.violation, crashed.text[:8]) == ("BUG", "KeyError")


def test_what_a_fault_makes_fail_is_not_a_bug() -> None:
    faults = frozenset({"F.process.start_raises", "F.process.out_of_memory"})
    results = [run_tape(Tape(seed), only=faults) for seed in range(12)]
    assert {result.violation for result in results} == {""}
    assert faults <= {name for result in results for name, count in result.struck.items() if count}
