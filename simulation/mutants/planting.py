"""The tools that plant a bug in the running program: each makes a function that does it once, when it is called.

A place is written ``package.module:name`` or ``package.module:Class.method``, and is imported only when it is planted
in, so that a catalogue costs nothing.  A function is changed through its code object, which all share who have it:
tables, copies made by ``from … import``, bound methods.  A tool that does not find what it is to change says so with
:class:`CannotPlant`, so that a mutant cannot quietly stop being one.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable
from importlib import import_module
from types import FunctionType
from typing import Any

Plant = Callable[[], None]


class CannotPlant(LookupError):
    """The program has changed under a mutant: its place, or the text that it replaces, is not there any more."""


def edit(place: str, *changes: tuple[str, str]) -> Plant:
    """Each ``(old, new)`` of ``changes`` is a piece of the function's text, found there exactly once."""

    def plant() -> None:
        function = _function(place)
        text = textwrap.dedent(inspect.getsource(function))
        for old, new in changes:
            if text.count(old) != 1:
                raise CannotPlant(f"{place}: {old!r} is there {text.count(old)} times, not once")
            text = text.replace(old, new)
        _become(function, text)

    return plant


def begins(place: str, statements: str) -> Plant:
    """The function begins with these statements, lines at the margin, before it does what it always did."""

    def plant() -> None:
        function = _function(place)
        text = textwrap.dedent(inspect.getsource(function))
        (tree,) = ast.parse(text).body
        assert isinstance(tree, ast.FunctionDef)
        documented = ast.get_docstring(tree) is not None
        lines, at = text.splitlines(), tree.body[int(documented)].lineno - 1
        lines[at:at] = textwrap.indent(statements, "    ").splitlines()
        _become(function, "\n".join(lines) + "\n")

    return plant


def returns(place: str, expression: str) -> Plant:
    """The function answers with this expression, in which its module's names and its own arguments may be used."""

    def plant() -> None:
        function = _function(place)
        head = f"def {function.__name__}{_parameters(function)}:"
        _become(function, f"{head}\n    return {expression}\n")

    return plant


def constant(place: str, value: Callable[[Any], Any]) -> Plant:
    """A module's name stands for ``value(what it stood for)``, there and wherever it was imported from there."""

    def plant() -> None:
        owner, name = _owner(place)
        old = getattr(owner, name)
        new = value(old)
        if new == old:
            raise CannotPlant(f"{place} is {old!r} already")
        for module in {id(owner): owner, **{id(each): each for each in list(sys.modules.values())}}.values():
            if vars(module).get(name) is old:
                setattr(module, name, new)

    return plant


def without(place: str, row: Callable[[Any], bool]) -> Plant:
    """A table (a tuple of rows) loses the rows that ``row`` says yes to."""
    return constant(place, lambda rows: tuple(each for each in rows if not row(each)))


def default(place: str, value: object) -> Plant:
    """A keyword argument, ``package.module:function(name)``, has another default."""
    function_place, _, name = place.rstrip(")").partition("(")

    def plant() -> None:
        function = _function(function_place)
        known = dict(function.__kwdefaults__ or {})
        if name not in known:
            raise CannotPlant(f"{function_place} has no keyword argument {name}")
        function.__kwdefaults__ = {**known, name: value}

    return plant


def together(*plants: Plant) -> Plant:
    """All of these: one safeguard that is held in several places."""

    def plant() -> None:
        for each in plants:
            each()

    return plant


def _owner(place: str) -> tuple[Any, str]:
    module, _, path = place.partition(":")
    owner: Any = import_module(module)
    *parts, name = path.split(".")
    for part in parts:
        owner = getattr(owner, part, None)
    if owner is None or name not in vars(owner):
        raise CannotPlant(f"{place} is not there")
    return owner, name


def _function(place: str) -> FunctionType:
    owner, name = _owner(place)
    found = vars(owner)[name]
    if isinstance(found, property):
        found = found.fget
    if isinstance(found, staticmethod | classmethod):
        found = found.__func__
    found = inspect.unwrap(found)
    if not isinstance(found, FunctionType):
        raise CannotPlant(f"{place} is no function")
    return found


def _parameters(function: FunctionType) -> str:
    signature = inspect.signature(function)
    bare = [
        each.replace(annotation=inspect.Parameter.empty, default=inspect.Parameter.empty)
        for each in signature.parameters.values()
    ]
    return str(inspect.Signature(bare))


def _become(function: FunctionType, text: str) -> None:
    """Give the function the code of ``text``, under the names of its own module; its defaults stay."""
    lines = text.splitlines(keepends=True)
    start = next(number for number, line in enumerate(lines) if line.startswith(("def ", "async def ")))
    source = "from __future__ import annotations\n" + "".join(lines[start:])
    made: dict[str, Any] = {}
    exec(compile(source, f"<planted in {function.__qualname__}>", "exec"), function.__globals__, made)  # noqa: S102
    code = made[function.__name__].__code__
    if code.co_freevars != function.__code__.co_freevars:
        raise CannotPlant(f"{function.__qualname__} uses names of an enclosing function")
    function.__code__ = code
