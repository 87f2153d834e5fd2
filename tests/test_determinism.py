"""One seed, one story: clocks, randomness, threads and the order of sets come in through ports, and nowhere else (M2).

Read off the source, in the rooms whose code the simulator runs.  A port is named here with what it is for.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("domain", "messages", "decisions", "actors", "supervisors", "brokers", "venue", "storage", "notifications")
FORBIDDEN = {
    "time": "a clock",
    "datetime.now": "a clock",
    "datetime.today": "a clock",
    "datetime.utcnow": "a clock",
    "date.today": "a clock",
    "random": "chance",
    "secrets": "chance",
    "uuid": "chance",
    "os.urandom": "chance",
    "threading": "a thread",
    "concurrent": "a thread",
    "multiprocessing": "a process",
    "_thread": "a thread",
}
PORTS = {
    ("actors/machine.py", "time"): "the machine's clock, which a simulation replaces",
    ("actors/paper_exchange.py", "time"): "an epoch that grows; a simulated system has no paper realm",
    ("brokers/registry.py", "time"): "hands the adapter the monotonic clock as a parameter",
    ("notifications/courier.py", "threading"): "waits for sinks, and tells through a descriptor",
    ("notifications/memory.py", "threading"): "the twin of a sink that takes its time",
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
SUMS = {  # here the order does not matter: what comes out is a sum, or sorted later
    ("decisions/gateway/account_controls.py", "_short_units"),
    ("decisions/gateway/loss.py", "result"),
    ("domain/margin/strategy.py", "_straddle_relief"),
    ("storage/ownership.py", "_drop_inherited_locks"),
    ("storage/verify.py", "_differences"),
}
ORDERLESS = frozenset({"any", "all", "sum", "min", "max", "len", "sorted", "set", "frozenset", "Counter"})


def files() -> list[Path]:
    """The source of these rooms."""
    return [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def dotted(node: ast.expr) -> str:
    """``a.b.c`` of an attribute, "" for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return ""


def forbidden(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Where a module imports or calls what is forbidden, and its name."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found = [alias.name for alias in names]
            case ast.ImportFrom(module=module):
                found = [module or ""]
            case ast.Attribute():
                found = [dotted(node)]
            case _:
                continue
        for name in found:
            for rule in FORBIDDEN:
                whole = name == rule or (not isinstance(node, ast.Attribute) and name.startswith(f"{rule}."))
                if whole and (("." in rule) == isinstance(node, ast.Attribute)):
                    yield node.lineno, rule


def sets_of(tree: ast.AST) -> frozenset[str]:
    """Names and attributes that are declared as sets in this module."""
    return frozenset(
        dotted(node.target)
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation).startswith(("set[", "frozenset["))
    )


def is_set(node: ast.expr, declared: frozenset[str]) -> bool:
    """Whether this has no order, as far as one can see."""
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
        case ast.BinOp(left=left, op=ast.BitAnd() | ast.BitOr() | ast.Sub() | ast.BitXor(), right=right):
            return any(is_set(side, declared) or is_keys(side) for side in (left, right))
        case ast.Name() | ast.Attribute():
            return dotted(node) in declared
    return False


def is_keys(node: ast.expr) -> bool:
    """``x.keys()``: with an operator between two of them a set comes out."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "keys"


def unordered(tree: ast.AST) -> Iterator[int]:
    """The lines in which the order of a set decides about the order of what follows."""
    declared = sets_of(tree)
    harmless: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in ORDERLESS:
            harmless.update(node.args)
        if isinstance(node, ast.SetComp):
            harmless.add(node)
    for node in ast.walk(tree):
        if isinstance(node, ast.For) and is_set(node.iter, declared):
            yield node.lineno
        if isinstance(node, ast.ListComp | ast.GeneratorExp | ast.DictComp) and node not in harmless:
            for generator in node.generators:
                if is_set(generator.iter, declared):
                    yield node.lineno
        match node:
            case ast.Call(func=ast.Name(id="list" | "tuple"), args=[first, *_]) if node not in harmless:
                if is_set(first, declared):
                    yield node.lineno


def function_at(tree: ast.AST, line: int) -> str:
    """The innermost function around a line."""
    around = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return max(around, key=lambda node: node.lineno).name if around else ""


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_clocks_chance_threads_and_the_order_of_sets_come_in_through_ports(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    tree = ast.parse(path.read_text())
    found = [f"line {line}: {what} ({FORBIDDEN[what]})" for line, what in forbidden(tree) if (name, what) not in PORTS]
    found += [f"line {n}: the order of a set" for n in unordered(tree) if (name, function_at(tree, n)) not in SUMS]
    assert not found


def test_every_port_is_one_and_every_sum_is_there() -> None:
    for (name, what), reason in PORTS.items():
        assert what in {rule for _, rule in forbidden(ast.parse((ROOT / name).read_text()))}, f"{name}: {reason}"
    for name, function in SUMS:
        tree = ast.parse((ROOT / name).read_text())
        assert function in {function_at(tree, line) for line in unordered(tree)}, f"{name}: {function}"


@pytest.mark.parametrize(
    "line",
    [
        "import time", "from time import monotonic", "import random", "import uuid", "from uuid import uuid4",
        "import threading", "from concurrent.futures import Executor", "x = datetime.now()", "y = os.urandom(8)",
    ],
)  # fmt: skip
def test_what_is_forbidden_is_seen(line: str) -> None:
    assert list(forbidden(ast.parse(line)))


@pytest.mark.parametrize(
    ("lines", "seen"),
    [
        ("for x in {1, 2}: pass", True),
        ("for x in a.keys() - b: pass", True),
        ("s: set[int] = f()\nfor x in s: pass", True),
        ("y = [x for x in set(a)]", True),
        ("y = list(frozenset(a))", True),
        ("for x in sorted({1, 2}): pass", False),
        ("y = any(x for x in set(a))", False),
        ("y = {x for x in set(a)}", False),
        ("for x in a - b: pass", False),
    ],
)
def test_the_order_of_a_set_is_seen_where_it_matters(lines: str, seen: bool) -> None:
    assert bool(list(unordered(ast.parse(lines)))) is seen
