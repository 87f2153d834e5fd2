"""One seed, one story: clocks, randomness, threads and the order of sets come in through ports, and nowhere else (M2).

Read off the source, in the rooms whose code the simulator runs, and in its own.  A port is named here with what it is
for, and a place where the order of a set does not matter with why.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from set_order import unordered
from set_types import Names

ROOT = Path(__file__).resolve().parents[1]
ROOMS = (
    "domain", "messages", "decisions", "actors", "supervisors", "brokers", "venue", "storage", "notifications",
    "config", "monitoring", "simulation",
)  # fmt: skip
MODULES = {
    "time": "a clock",
    "random": "chance",
    "secrets": "chance",
    "uuid": "chance",
    "threading": "a thread",
    "concurrent": "a thread",
    "multiprocessing": "a process",
    "_thread": "a thread",
}
CALLS = {
    "datetime.now": "a clock",
    "datetime.today": "a clock",
    "datetime.utcnow": "a clock",
    "date.today": "a clock",
    "os.urandom": "chance",
    "os.getrandom": "chance",
    "asyncio.to_thread": "a thread",
    "run_in_executor": "a thread",
}
PORTS = {
    ("actors/machine.py", "time"): "the machine's clock, which a simulation replaces",
    ("actors/paper_exchange.py", "time"): "an epoch that grows; a simulated system has no paper realm",
    ("brokers/registry.py", "time"): "hands the adapter the monotonic clock as a parameter",
    ("monitoring/board.py", "threading"): "a lock between the numbers and who asks for them over HTTP",
    ("monitoring/exposition.py", "time"): "the age of what is told over HTTP, which a simulation does not serve",
    ("notifications/courier.py", "threading"): "waits for sinks, and tells through a descriptor",
    ("notifications/memory.py", "threading"): "the twin of a sink that takes its time",
    ("simulation/bench.py", "time"): "real processes: waits for them",
    ("simulation/bench.py", "uuid"): "real processes: the mark by which they are found",
    ("simulation/campaign.py", "random"): "seeded: what is done in each cycle",
    ("simulation/campaign.py", "time"): "real processes: waits for them",
    ("simulation/children.py", "multiprocessing"): "seeds, runs, cases and bugs beside each other, each by itself",
    ("simulation/clocks.py", "time"): "puts the simulated clock in the place of this one",
    ("simulation/crash_sweep.py", "random"): "seeded: which triples are tried",
    ("simulation/disk/command.py", "multiprocessing"): "a case's directory goes when its worker ends",
    ("simulation/disk/medium.py", "random"): "seeded: what a power cut leaves of a write",
    ("simulation/disk/sweep.py", "random"): "seeded by the number of the case",
    ("simulation/havoc.py", "random"): "seeded: what is done to real processes, and when",
    ("simulation/havoc.py", "time"): "real processes: waits between two things that are done to them",
    ("simulation/host_clock.py", "time"): "real processes: what they are told, compared with this machine's clock",
    ("simulation/hunt.py", "time"): "how long a bug is looked for, in time of the processor",
    ("simulation/nightly.py", "datetime.now"): "when a night began, for a person",
    ("simulation/nightly.py", "time"): "how long a night may take",
    ("simulation/run.py", "time"): "how long a run took, beside its story",
    ("simulation/shrink.py", "time"): "how long a tape is made shorter",
    ("simulation/switch_off.py", "time"): "how long a test took",
    ("simulation/tape.py", "random"): "what fills the tape of a seed",
    ("simulation/zombies.py", "random"): "seeded: who stands still, and when they go on",
    ("simulation/zombies.py", "time"): "real processes: waits between two things that are done to them",
    ("storage/archive.py", "time"): "stamps an archive for a person",
    ("storage/opening.py", "time"): "stamps schema steps and epochs for a person",
    ("storage/ownership.py", "os.urandom"): "fills the ballast, so that a compressing file system keeps it",
    ("storage/sqlite.py", "threading"): "a lock in the hand of the connection's thread; the simulator has the twin",
    ("storage/rollout_log.py", "time"): "stamps changes of the share for a person",
    ("supervisors/lifeline.py", "multiprocessing"): "real processes: a simulation has its own",
    ("supervisors/lifeline.py", "time"): "waits for them",
    ("supervisors/line.py", "time"): "the main program's patience with the tree",
    ("supervisors/post.py", "threading"): "letters of other threads leave by the main one: a simulation has no sockets",
    ("supervisors/post.py", "time"): "a pause when there is no descriptor to be had",
    ("supervisors/refusals.py", "time"): "the main program's patience with a lock that is being given up",
    ("supervisors/system.py", "time"): "the main program's patience with commands",
    ("venue/chain.py", "random"): "a seeded market for demonstrations",
    ("venue/child.py", "time"): "waits for the exchange as a child process",
    ("venue/custody.py", "random"): "seeded early assignments",
    ("venue/launch.py", "time"): "when a real exchange starts",
    ("venue/live_quotes.py", "time"): "quotes from another process",
    ("venue/nasty.py", "random"): "seeded mischief; a simulation gives its tape instead",
    ("venue/server.py", "time"): "the default of a parameter",
}
ORDER_FREE = {
    (
        "decisions/gateway/account_controls.py",
        "_short_units",
    ): "a sum by underlying, of which two are asked for by name",
    ("decisions/gateway/loss.py", "result"): "a sum, and names that are sorted at the end",
    ("domain/margin/strategy.py", "_straddle_relief"): "a sum over the multipliers",
    ("storage/ownership.py", "_drop_inherited_locks"): "all of them are closed",
    ("storage/verify.py", "_differences"): "looked up by its keys, which are sorted",
}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def files() -> list[Path]:
    """The source of these rooms."""
    return [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


@cache
def declared() -> Names:
    """What all of them declare."""
    return Names(map(tree_of, files()))


def dotted(node: ast.expr, known: dict[str, str]) -> str:
    """``a.b.c`` of an attribute, by the names under which it was imported; "" for anything else but names."""
    if isinstance(node, ast.Name):
        return known.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value, known)
        return f"{inner}.{node.attr}" if inner else node.attr
    return ""


def aliases(tree: ast.AST) -> dict[str, str]:
    """What the names stand for that a module imports, or gives to what it imports."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                known |= {each.asname: each.name for each in names if each.asname}
            case ast.ImportFrom(module=module, names=names):
                known |= {each.asname or each.name: f"{module}.{each.name}" for each in names}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name() | ast.Attribute() as value):
                known.setdefault(name, dotted(value, known))
    return known


def forbidden(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Where a module imports or names what is forbidden, and the rule."""
    known = aliases(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found, rules = [each.name for each in names], MODULES
            case ast.ImportFrom(module=module, names=names):
                found, rules = [f"{module}.{each.name}" for each in names], MODULES | CALLS
            case ast.Attribute():
                found, rules = [dotted(node, known)], CALLS
            case _:
                continue
        for name in found:
            for rule in rules:
                if rule in MODULES and f"{name}.".startswith(f"{rule}."):
                    yield node.lineno, rule
                if rule in CALLS and f".{name}".endswith(f".{rule}"):
                    yield node.lineno, rule


def function_at(tree: ast.AST, line: int) -> str:
    """The innermost function around a line."""
    around = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return max(around, key=lambda node: node.lineno).name if around else ""


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_clocks_chance_threads_and_the_order_of_sets_come_in_through_ports(path: Path) -> None:
    name, tree, why = str(path.relative_to(ROOT)), tree_of(path), MODULES | CALLS
    found = [f"line {line}: {what} ({why[what]})" for line, what in forbidden(tree) if (name, what) not in PORTS]
    for line in unordered(tree, declared()):
        if (name, function_at(tree, line)) not in ORDER_FREE:
            found.append(f"line {line}: the order of a set")
    assert not found


def test_every_port_is_one_and_every_excused_place_is_there() -> None:
    for (name, what), reason in PORTS.items():
        assert what in {rule for _, rule in forbidden(tree_of(ROOT / name))}, f"{name}: {reason}"
    for (name, function), reason in ORDER_FREE.items():
        tree = tree_of(ROOT / name)
        assert function in {function_at(tree, line) for line in unordered(tree, declared())}, f"{name}: {reason}"


@pytest.mark.parametrize(
    "lines",
    [
        "import time", "import time as t", "from time import monotonic", "import random", "from random import Random",
        "import uuid", "from uuid import uuid4", "import secrets", "import threading", "import _thread",
        "from concurrent.futures import Executor", "import concurrent.futures", "import multiprocessing.pool",
        "x = datetime.now()", "import datetime\nx = datetime.datetime.now()", "import datetime as d\nd.date.today()",
        "from datetime import datetime as D\nx = D.now()", "from datetime import datetime\nD = datetime\nx = D.now()",
        "from datetime import datetime\nnow = datetime.utcnow", "from datetime import date as d\nx = d.today()",
        "y = os.urandom(8)", "from os import urandom", "from os import urandom as u", "import os as o\no.urandom(8)",
        "y = os.getrandom(8)", "await_ = asyncio.to_thread(f)", "from asyncio import to_thread",
        "import asyncio as a\nx = a.to_thread(f)", "x = get_running_loop().run_in_executor(None, f)",
        "def f():\n    from os import urandom as u",
    ],
)  # fmt: skip
def test_what_is_forbidden_is_seen(lines: str) -> None:
    assert list(forbidden(ast.parse(lines)))


@pytest.mark.parametrize(
    "lines",
    [
        "from datetime import datetime, timedelta", "x = datetime.fromtimestamp(ns)", "x = self.clock.now()",
        "import timeit_of_ours", "x = os.path.join(a, b)", "import asyncio\nasyncio.run(f())", "x = tape.random()",
        "from domain.time import monotonic", "x = record.time",
    ],
)  # fmt: skip
def test_what_is_allowed_is_left_alone(lines: str) -> None:
    assert not list(forbidden(ast.parse(lines)))


CLASS = """
class Book:
    names: frozenset[str]
    by_leg: dict[str, set[int]]
    def __init__(self) -> None:
        self.seen = set()
        self.first, self.rest = 0, {1, 2}
    @property
    def open(self) -> AbstractSet[str]: ...
    def late(self) -> set[str]: ...
class Sub(Book): ...
def known() -> set[str]: ...
def told(names: Iterable[str], few: Set[str]) -> None: ...
"""


@pytest.mark.parametrize(
    "lines",
    [
        "for x in {1, 2}: pass",
        "for x in a.keys() - b: pass",
        "s: set[int] = f()\nfor x in s: pass",
        "s: Final = frozenset(a)\nfor x in s: pass",
        "a = {1, 2}\nfor x in a: pass",
        "def f():\n    a = {1, 2}\n    return [x for x in a]",
        "def f(s: set[int]):\n    for x in s: pass",
        "def f(s: frozenset[int] | None):\n    for x in s or (): pass",
        "def f(*, s: AbstractSet[int]):\n    return tuple(s)",
        "def f(*s: set[int]):\n    for one in s:\n        list(one)",
        "Marks = frozenset[str]\ndef f(s: Marks): return list(s)",
        "def f(b: Book): return [x for x in b.names]",
        "def f(b: Book): return [x for x in b.seen]",
        "def f(b: Book): return list(b.rest)",
        "def f(b: Sub): return list(b.open)",
        "def f(b: Book):\n    for x in b.late(): pass",
        "def f(b: Book):\n    for leg, ids in b.by_leg.items():\n        y = [*ids]",
        "def f(b: Book): return list(b.by_leg['a'])",
        "def f(b: Book): return list(b.by_leg.get('a', set()))",
        "def f(b: Book):\n    def g(): return list(b.names)",
        "class C:\n    def f(self):\n        self.s = set()\n    def g(self):\n        for x in self.s: pass",
        "class C(Book):\n    def g(self): return [*self.seen]",
        "for x in known(): pass",
        "for x in known() | other: pass",
        "s = known()\nt = s.union(a)\nfor x in t: pass",
        "for x in (known() if a else ()): pass",
        "if s := known():\n    y = list(s)",
        "told({1, 2}, set())",
        "told(names={1, 2}, few=set())",
        "y = [x for x in set(a)]",
        "y = {x: 1 for x in set(a)}",
        "y = f(x for x in set(a))",
        "y = list(frozenset(a))",
        "y = [*{1, 2}]",
        "f(*known())",
        "y = next(iter(known()))",
        "y = known().pop()",
        "a, b = known()",
        "y = ','.join(known())",
        "y = f'{known()}'",
        "y = str(known())",
        "y = dict.fromkeys(known())",
        "y = enumerate(known())",
        "y = max(known(), key=len)",
        "y = list(map(f, known()))",
        "y.extend(known())",
        "y = []\ny += known()",
        "y = Counter(known())",
        "def f():\n    yield from known()",
    ],
)
def test_the_order_of_a_set_is_seen_where_it_matters(lines: str) -> None:
    assert list(unordered(ast.parse(CLASS + lines), Names()))


@pytest.mark.parametrize(
    "lines",
    [
        "for x in sorted({1, 2}): pass",
        "for x in sorted(f(x) for x in known()): pass",
        "y = sorted(list(known()))",
        "y = sorted([*known()])",
        "y = max(*known())",
        "y = any(x for x in set(a))",
        "y = sum(map(f, known()))",
        "y = {x for x in set(a)}",
        "y = {*known(), 1}",
        "y = set(known()) | known()",
        "y = len(known()), min(known()), 3 in known(), bool(known())",
        "[y] = known()",
        "s = known()\ns.update(x for x in known())",
        "s = known()\ns.discard(3)",
        "s = known()\ns |= known()",
        "told((), known())",
        "told(few=known(), names=[])",
        "y.append(known())",
        "y = by.get(3, set())",
        "for x in a - b: pass",
        "for x in {'a': 1}: pass",
        "def f(s: list[int]):\n    for x in s: pass",
        "def f(b: Book):\n    for leg in b.by_leg: pass",
        "def f(b: Book): return [*b.by_leg, b.first]",
        "def f(s: dict[str, int]): return list(s.keys())",
    ],
)
def test_what_has_an_order_or_needs_none_is_left_alone(lines: str) -> None:
    assert not list(unordered(ast.parse(CLASS + lines), Names()))


def test_what_another_room_declares_is_known() -> None:
    elsewhere = Names([ast.parse(CLASS)])
    assert list(unordered(ast.parse("def f(b: Book):\n    for x in b.late(): pass"), elsewhere))
    assert list(unordered(ast.parse("for x in module.known(): pass"), elsewhere))
    assert not list(unordered(ast.parse("class Book:\n    names: list[str]\nx = [*Book().names]"), elsewhere))
