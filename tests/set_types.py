"""What holds a set, inferred as a reader would who has the source of some rooms before him, and nothing else.

From annotations, literals, constructor calls, and what the classes and functions of the rooms say that they have and
return.  What cannot be told so is taken for no set.
"""

from __future__ import annotations

import ast
from collections import ChainMap
from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import NamedTuple

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Type(NamedTuple):
    """The name of a class and its arguments, as far as they are known; "" for what cannot be told."""

    head: str = ""
    args: tuple[Type, ...] = ()

    def arg(self, place: int) -> Type:
        """One of the arguments."""
        return self.args[place] if self.args and place < len(self.args) else UNKNOWN


Env = MutableMapping[str, Type]  # of the names that a function sees

UNKNOWN, SET = Type(), Type("set", (Type(),))
SETS = frozenset({"set", "frozenset", "Set", "AbstractSet", "MutableSet"})
MAPPINGS = frozenset({"dict", "Mapping", "MutableMapping", "defaultdict", "OrderedDict"})
WRAPPERS = frozenset({"Final", "ClassVar", "Annotated", "Optional"})
OWN = "self."  # begins what an instance has, among the names of its method
ALGEBRA = frozenset({"union", "intersection", "difference", "symmetric_difference", "copy"})


@dataclass
class Signature:
    """What a function takes, in order, and returns."""

    takes: dict[str, Type]
    returns: Type


@dataclass
class Class:
    """What the instances of a class have."""

    bases: list[str]
    attributes: dict[str, Type] = field(default_factory=dict)  # fields and properties
    methods: dict[str, Signature] = field(default_factory=dict)


class Names:
    """What some modules declare, before what others do (``beside``)."""

    def __init__(self, trees: Iterable[ast.Module] = (), beside: Names | None = None) -> None:
        self.classes: MutableMapping[str, Class] = ChainMap({}, beside.classes) if beside else {}
        self.functions: MutableMapping[str, Signature] = ChainMap({}, beside.functions) if beside else {}
        self.variables: Env = ChainMap({}, beside.variables) if beside else {}
        self.aliases: Env = ChainMap({}, beside.aliases) if beside else {}
        self._read(list(trees))

    def annotated(self, node: ast.expr | None) -> Type:
        """The type that an annotation names."""
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                return self.aliases.get(name, Type(name))
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                sides = [side for side in (self.annotated(left), self.annotated(right)) if side.head]
                return next((side for side in sides if side.head in SETS), sides[0] if sides else UNKNOWN)
            case ast.Subscript(value=value, slice=inner):
                head = self.annotated(value).head
                args = tuple(self.annotated(one) for one in (inner.elts if isinstance(inner, ast.Tuple) else [inner]))
                return args[0] if head in WRAPPERS else Type(head, args)
        return UNKNOWN

    def attribute(self, owner: Type, name: str) -> Type:
        """What an instance has under this name."""
        return next((one.attributes[name] for one in self._lineage(owner.head) if name in one.attributes), UNKNOWN)

    def method(self, owner: Type, name: str) -> Signature | None:
        """How an instance is asked."""
        return next((one.methods[name] for one in self._lineage(owner.head) if name in one.methods), None)

    def function(self, called: ast.expr, env: Env) -> Signature | None:
        """What is called, when it is a function, a method or a class of the rooms."""
        match called:
            case ast.Name(id=name) if name in self.classes:
                fields = {key: kind for one in [*self._lineage(name)][::-1] for key, kind in one.attributes.items()}
                made = self.method(Type(name), "__init__")
                return Signature(made.takes if made else fields, Type(name))
            case ast.Name(id=name):
                return self.functions.get(name)
            case ast.Attribute(value=owner, attr=name):
                kind = self.infer(owner, env)
                module = isinstance(owner, ast.Name) and owner.id not in env
                return self.method(kind, name) or (self.functions.get(name) if module and not kind.head else None)
        return None

    def infer(self, node: ast.expr, env: Env) -> Type:
        """What an expression gives."""
        match node:
            case ast.Set() | ast.SetComp():
                return SET
            case ast.Name(id=name):
                return env.get(name, UNKNOWN)
            case ast.Attribute(value=owner, attr=name):
                return self.attribute(self.infer(owner, env), name)
            case ast.Call():
                return self._called(node, env)
            case ast.Subscript(value=value, slice=place):
                return _at(self.infer(value, env), place)
            case ast.BinOp(left=left, op=ast.BitAnd() | ast.BitOr() | ast.Sub() | ast.BitXor(), right=right):
                sides = [self.infer(side, env) for side in (left, right)]
                return next((SET for side in sides if side.head in SETS | {"KeysView"}), sides[0])
            case ast.IfExp(body=one, orelse=other):
                return self._first((one, other), env)
            case ast.BoolOp(values=values):
                return self._first(values, env)
            case ast.NamedExpr(value=value) | ast.Await(value=value):
                return self.infer(value, env)
            case ast.List(elts=elts) | ast.Tuple(elts=elts):
                kinds = tuple(self.infer(one, env) for one in elts)
                return Type("tuple", kinds) if isinstance(node, ast.Tuple) else Type("list", kinds[:1])
            case ast.Dict(values=values):
                return Type("dict", (UNKNOWN, self.infer(values[0], env) if values else UNKNOWN))
            case ast.ListComp(elt=elt) | ast.GeneratorExp(elt=elt):
                return Type("list", (self.infer(elt, env),))
            case ast.DictComp(value=value):
                return Type("dict", (UNKNOWN, self.infer(value, env)))
        return UNKNOWN

    def bind(self, node: ast.AST, env: Env) -> None:
        """What the names of a statement, or of a loop in an expression, stand for."""
        match node:
            case ast.AnnAssign(target=target, annotation=annotation, value=value):
                kind = self.annotated(annotation)
                _name(target, self.infer(value, env) if value and kind.head in WRAPPERS else kind, env)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    _name(target, self.infer(value, env), env)
            case ast.NamedExpr(target=target, value=value):
                _name(target, self.infer(value, env), env)
            case ast.For(target=target, iter=source) | ast.comprehension(target=target, iter=source):
                _name(target, element(self.infer(source, env)), env)

    def parameters(self, node: Function, owner: str = "") -> Env:
        """What the parameters of a function stand for, of a method of ``owner``."""
        found = self._signature(node).takes
        return found | ({next(iter(found)): Type(owner)} if owner and found else {})

    def _called(self, node: ast.Call, env: Env) -> Type:
        signature = self.function(node.func, env)
        if signature:
            return signature.returns
        match node.func:
            case ast.Name(id="set" | "frozenset"):
                return SET
            case ast.Name(id="list" | "sorted" | "tuple" | "iter" | "reversed"):
                return Type("list", (element(self.infer(node.args[0], env)) if node.args else UNKNOWN,))
            case ast.Attribute(value=owner, attr=name):
                return _answer(self.infer(owner, env), name, [self.infer(arg, env) for arg in node.args])
        return UNKNOWN

    def _first(self, values: Iterable[ast.expr], env: Env) -> Type:
        kinds = [kind for value in values if (kind := self.infer(value, env)).head]
        return next((kind for kind in kinds if kind.head in SETS), kinds[0] if kinds else UNKNOWN)

    def _read(self, trees: Iterable[ast.Module]) -> None:
        top = [node for tree in trees for node in tree.body]
        classes = [node for node in top if isinstance(node, ast.ClassDef)]
        for node in top:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Subscript() as value):
                    if (kind := self.annotated(value)).head in SETS | MAPPINGS:
                        self.aliases[name] = kind
        for known in classes:
            self._read_class(known)
        for node in top:
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    self.functions[name] = self._signature(node)
                case ast.AnnAssign() | ast.Assign():
                    self.bind(node, self.variables)
        for known in classes:
            for one in known.body:
                if isinstance(one, Function):
                    self._read_attributes(one, self.classes[known.name], known.name)

    def _lineage(self, name: str) -> Iterator[Class]:
        if found := self.classes.get(name):
            yield found
            for base in found.bases:
                yield from self._lineage(base) if base != name else ()

    def _read_class(self, node: ast.ClassDef) -> None:
        here = self.classes[node.name] = Class([self.annotated(base).head for base in node.bases])
        for one in node.body:
            match one:
                case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                    here.attributes[name] = self.annotated(annotation)
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    marks = {self.annotated(each).head for each in one.decorator_list}
                    signature = self._signature(one)
                    if marks & {"property", "cached_property"}:
                        here.attributes[name] = signature.returns
                    else:
                        takes = list(signature.takes.items())[0 if "staticmethod" in marks else 1 :]
                        here.methods[name] = Signature(dict(takes), signature.returns)

    def _read_attributes(self, method: Function, owner: Class, name: str) -> None:
        """Those that a method gives to its instance."""
        env = self.parameters(method, name)
        for node in ast.walk(method):
            self.bind(node, env)
        given = {key.removeprefix(OWN): kind for key, kind in env.items() if key.startswith(OWN) and kind.head}
        owner.attributes = given | owner.attributes

    def _signature(self, node: Function) -> Signature:
        every = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        takes = {one.arg: self.annotated(one.annotation) for one in every}
        if node.args.vararg:
            takes[node.args.vararg.arg] = Type("tuple", (self.annotated(node.args.vararg.annotation), Type("...")))
        return Signature(takes, self.annotated(node.returns))


def element(kind: Type) -> Type:
    """What a loop over this gives."""
    return kind.arg(0)


def _name(target: ast.expr, kind: Type, env: Env) -> None:
    match target:
        case ast.Name(id=name):
            env[name] = kind if kind.head else env.get(name, kind)
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            env[OWN + name] = kind if kind.head else env.get(OWN + name, kind)
        case ast.Tuple(elts=elts) | ast.List(elts=elts):
            for place, one in enumerate(elts):
                _name(one, kind.arg(place) if kind.head == "tuple" else element(kind), env)


def _at(kind: Type, place: ast.expr) -> Type:
    if kind.head in MAPPINGS:
        return kind.arg(1)
    if kind.head == "tuple" and isinstance(place, ast.Constant) and isinstance(place.value, int):
        return kind.arg(place.value)
    return kind if isinstance(place, ast.Slice) else kind.arg(0)


def _answer(owner: Type, name: str, told: list[Type]) -> Type:
    """What the methods of containers give."""
    if owner.head in SETS:
        return owner if name in ALGEBRA else owner.arg(0)
    if name == "keys":
        return Type("KeysView", owner.args[:1])
    if owner.head in MAPPINGS:
        kept = {"items": Type("list", (Type("tuple", owner.args),)), "values": Type("list", owner.args[1:2])}
        return kept.get(name, owner.arg(1))
    if name in ("get", "setdefault", "pop") and len(told) > 1 and told[1].head in SETS:
        return told[1]  # what stands in for nothing is of the kind of what there is
    return owner.arg(0) if name == "pop" else UNKNOWN
