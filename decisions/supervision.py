"""Restart policy as data, in OTP's words, and the one function that applies it.

Source of the words and their meaning: the Erlang/OTP ``supervisor`` behaviour.  Two things differ, on purpose: the
intensity bounds the restarts of each child, not of all children together (a bulkhead that crashes must not spend the
budget of the others), and restarts after the first wait, doubling.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum

import msgspec


class Restart(Enum):
    """Which exits of a child are mended by a restart."""

    PERMANENT = "permanent"  # every exit
    TRANSIENT = "transient"  # every exit that is not normal
    TEMPORARY = "temporary"  # none


class Strategy(Enum):
    """Who else is restarted with a child."""

    ONE_FOR_ONE = "one_for_one"  # nobody
    REST_FOR_ONE = "rest_for_one"  # those started after it
    ONE_FOR_ALL = "one_for_all"  # everybody


class ChildSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One child of a supervisor."""

    name: str
    restart: Restart
    position: int  # in the start order; children stop in the opposite one
    actor: str  # dotted name of its class
    vital: bool = True  # False: without it the system goes on; when its budget is spent it rests for a period
    harmless: bool = False  # True: where it is vital, it too is started again after a period, and the halt stays

    @property
    def rests(self) -> bool:
        """Whether it is started again, after a period, when its budget is spent."""
        return self.harmless or not self.vital


class SupervisorSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A supervisor: its strategy, its restart budget, and its children.

    Raises ``ValueError`` when two children share a name or a position.
    """

    strategy: Strategy
    intensity: int  # restarts of one child within ``period_ms`` before the supervisor gives up
    period_ms: int
    backoff_ms: int  # delay of the second restart within the period; the first is at once
    backoff_max_ms: int
    children: tuple[ChildSpec, ...]

    def __post_init__(self) -> None:
        for what, values in (
            ("name", [child.name for child in self.children]),
            ("position", [child.position for child in self.children]),
        ):
            shared = [value for value, times in Counter(values).items() if times > 1]
            if shared:
                raise ValueError(f"children must not share a {what}: {shared[0]!r} is used more than once")

    def child(self, name: str) -> ChildSpec:
        """The child with this name; ``KeyError`` when there is none."""
        for child in self.children:
            if child.name == name:
                return child
        raise KeyError(f"no child {name!r}; there are {', '.join(child.name for child in self.children)}")


History = tuple[tuple[str, int], ...]  # (child, when it was or will be restarted in ms), oldest decision first


class RestartAfter(msgspec.Struct, frozen=True):
    """Stop ``stop`` in its order (the child that exited is gone already), wait, then start ``names`` in theirs."""

    names: tuple[str, ...]
    delay_ms: int
    stop: tuple[str, ...] = ()


class GiveUp(msgspec.Struct, frozen=True):
    """Restarting does not help: stop everything and escalate to a safe halt."""

    reason: str


class Leave(msgspec.Struct, frozen=True):
    """Nothing is to be done: this child was allowed to end."""


Verdict = RestartAfter | GiveUp | Leave


def on_exit(
    spec: SupervisorSpec,
    history: History,
    child: str,
    now_ms: int,
    *,
    normal: bool,
    permanent_failure: bool,
    reason: str = "",
) -> tuple[Verdict, History]:
    """What to do about ``child`` that has just exited, and the history to remember.

    ``normal``: it ended because its work was done.  ``permanent_failure``: it said that a restart would fail the same
    way, and ``reason`` says why.  Within any ``period_ms`` (its end included, its beginning not) no child is restarted
    more than ``intensity`` times.  Raises ``KeyError`` for a child that the supervisor does not have.
    """
    exited = spec.child(child)
    recent = tuple((name, at_ms) for name, at_ms in history if at_ms > now_ms - spec.period_ms)
    if exited.restart is Restart.TEMPORARY or (normal and exited.restart is Restart.TRANSIENT):
        return Leave(), recent
    if permanent_failure:
        return GiveUp(f"{child} cannot run: {reason or 'it gave no reason'}"), recent
    affected = _affected(spec, exited)
    names = tuple(c.name for c in affected if c.restart is not Restart.TEMPORARY)
    restarts = Counter(name for name, _ in recent)
    worst = max(names, key=lambda name: restarts[name])
    if restarts[worst] >= spec.intensity:
        spent = f"{worst} was restarted {restarts[worst]} times within {spec.period_ms} ms, which is its whole budget"
        return GiveUp(f"{spent}, and now {child} has exited: {reason or 'it gave no reason'}"), recent
    delay_ms = _delay_ms(spec, restarts[worst])
    stop = tuple(c.name for c in reversed(affected) if c.name != child)
    return RestartAfter(names, delay_ms, stop), (*recent, *((name, now_ms + delay_ms) for name in names))


def hung(last_pong_ms: int, now_ms: int, timeout_ms: int) -> bool:
    """Whether a child has not answered for so long that it must be killed."""
    return now_ms - last_pong_ms >= timeout_ms


class Care(Enum):
    """What a supervisor does about a child at a heartbeat."""

    ASK = "ask"  # how it is
    KILL = "kill"  # it has not answered for too long: it hangs, or is stopped
    WAIT = "wait"  # until it has ended: it was killed
    CALL = "call"  # a person: it does not end although it was killed, and its machine must be looked at


def on_beat(
    heard_ms: int, killed_ms: int | None, now_ms: int, *, patience_ms: int, timeout_ms: int, called: bool
) -> Care:
    """What to do about a child that was last heard at ``heard_ms``, and killed for hanging at ``killed_ms``.

    ``patience_ms``: so long it may be silent.  ``timeout_ms``: so long it may take to end.  ``called``: a person was
    told that it does not.  SIGKILL cannot get lost, so that a second one would change nothing.
    """
    if killed_ms is None:
        return Care.KILL if hung(heard_ms, now_ms, patience_ms) else Care.ASK
    return Care.CALL if not called and now_ms - killed_ms >= timeout_ms else Care.WAIT


def _affected(spec: SupervisorSpec, exited: ChildSpec) -> list[ChildSpec]:
    """The children that restart together with ``exited``, itself included, in start order."""
    affected = {
        Strategy.ONE_FOR_ONE: lambda child: child.name == exited.name,
        Strategy.REST_FOR_ONE: lambda child: child.position >= exited.position,
        Strategy.ONE_FOR_ALL: lambda _: True,
    }[spec.strategy]
    return sorted(filter(affected, spec.children), key=lambda child: child.position)


def _delay_ms(spec: SupervisorSpec, restarts: int) -> int:
    """At once for the first restart within the period, then doubling up to the maximum."""
    return 0 if restarts == 0 else min(spec.backoff_ms << min(restarts - 1, 32), spec.backoff_max_ms)
