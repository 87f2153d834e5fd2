"""Where the order of a set decides about what comes after it, read off the source."""

from __future__ import annotations

import ast
from collections import ChainMap
from collections.abc import Iterator

from set_types import SETS, UNKNOWN, Env, Function, Names

# To these it is all the same in which order they are told, but for equals under a key.
ORDERLESS = frozenset({"any", "all", "sum", "min", "max", "len", "sorted", "set", "frozenset", "bool", "isinstance"})
# What these give has the order of what they are told: harmless where those above take it.
PASSING = frozenset({"list", "tuple", "iter", "map", "filter", "chain", "from_iterable"})
KEEPING = frozenset({"append", "appendleft", "add", "get", "setdefault", "pop", "insert", "put", "cast"})  # as a whole
ITERATING = frozenset({"Iterable", "Iterator", "Collection", "Reversible"})  # annotations of those who take any order


def unordered(tree: ast.Module, names: Names) -> Iterator[int]:
    """The lines in which the order of a set decides about the order of what follows; ``names``: of all rooms."""
    yield from sorted(set(_Reading(Names([tree], beside=names)).lines(tree, {}, "")))


class _Reading:
    """Of one module."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.harmless: set[ast.AST] = set()

    def lines(self, scope: ast.Module | ast.ClassDef | Function, outer: Env, owner: str) -> Iterator[int]:
        """Of a scope and those in it; ``owner``: the class whose method it is."""
        env: Env = self.names.variables if isinstance(scope, ast.Module) else ChainMap({}, outer)
        if isinstance(scope, Function):
            env.update(self.names.parameters(scope, owner))
        own = list(_own(scope))
        for node in own:
            self.names.bind(node, env)
        for node in own:
            for told in self._told(node, env):
                if told not in self.harmless and self._is_set(told, env):
                    yield told.lineno
        for node in own:
            if isinstance(node, ast.ClassDef):
                yield from self.lines(node, env, "")
            elif isinstance(node, Function):
                of = (outer, scope.name) if isinstance(scope, ast.ClassDef) else (env, "")
                yield from self.lines(node, *of)

    def _is_set(self, node: ast.expr, env: Env) -> bool:
        return self.names.infer(node, env).head in SETS

    def _told(self, node: ast.AST, env: Env) -> Iterator[ast.expr]:
        """What a node tells on one by one, in the order in which it is told itself."""
        match node:
            case ast.For(iter=source) | ast.YieldFrom(value=source):
                yield source
            case ast.ListComp() | ast.GeneratorExp() | ast.DictComp() if node not in self.harmless:
                yield from (each.iter for each in node.generators)
            case ast.Assign(targets=targets, value=value):
                if any(isinstance(target, ast.Tuple | ast.List) and len(target.elts) > 1 for target in targets):
                    yield value
            case ast.AugAssign(op=ast.Add(), value=value) | ast.FormattedValue(value=value):
                yield value
            case ast.Set(elts=elts):
                self.harmless.update(elts)
            case ast.Starred(value=value) if node not in self.harmless:
                yield value
            case ast.Call():
                yield from self._taken(node, env)

    def _taken(self, call: ast.Call, env: Env) -> Iterator[ast.expr]:
        """Of the arguments of a call."""
        name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
        of_set = isinstance(call.func, ast.Attribute) and self._is_set(call.func.value, env)
        known = self.names.function(call.func, env)
        if of_set and name == "pop":
            yield call.func.value  # type: ignore[attr-defined]
        free = ORDERLESS | PASSING if call in self.harmless else ORDERLESS
        if of_set or (name in free and not known and all(word.arg != "key" for word in call.keywords)):
            for arg in call.args:
                self._harm_none(arg)
        elif known:
            kinds = list(known.takes.values())
            for place, arg in enumerate(call.args):
                if place < len(kinds) and kinds[place].head in ITERATING:
                    yield arg
            for word in call.keywords:
                if known.takes.get(word.arg or "", UNKNOWN).head in ITERATING:
                    yield word.value
        elif name not in KEEPING:
            yield from call.args

    def _harm_none(self, node: ast.expr) -> None:
        self.harmless.add(node)
        match node:
            case ast.Starred(value=value):
                self._harm_none(value)
            case ast.List(elts=elts) | ast.Tuple(elts=elts):
                for one in elts:
                    self._harm_none(one)


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope in the order of the source, without those of the scopes in it."""
    for node in ast.iter_child_nodes(scope):
        yield node
        if not isinstance(node, Function | ast.ClassDef):
            yield from _own(node)
