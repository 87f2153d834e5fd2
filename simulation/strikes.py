"""Faults that come at a moment of their own, and what they do to the world.

How often each comes, when, and after how many more letters, is drawn when the run begins.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from messages.orders import ActivityKind, Position
from simulation.base import Process
from simulation.network import DIRECTIONS
from simulation.schedule import MS
from simulation.tape import Corners
from simulation.workload import CHAIN

if TYPE_CHECKING:
    from simulation.world import World

PROCESSES: Final = ("Cell", "BrokerGateway", "Notifier", "CellSupervisor", "PositionReconciler")
FIRST_MS: Final = 300  # nothing is going on before
LETTERS: Final = 12  # a fault may wait for so many letters, so that it comes in the middle of something
WALL_JUMP_HOURS: Final = (1, -1, 24, -24, 24 * 365, -24 * 365)
OF_FAULTS: Final[Corners] = {
    "direction": DIRECTIONS,
    "hours": WALL_JUMP_HOURS,
    "speed": (1.02, 0.98, 1.2, 0.8),
    "to so many characters": (16, 12, 17),
    "what changes": (  # of a contract's terms
        {"freeze_qty": 5}, {"lot_size": 2}, {"tick_size": 1_000}, {"freeze_qty": None},
        {"lot_size": 2, "freeze_qty": 1},
    ),
}  # fmt: skip


class Strikes:
    """What comes when.  Nothing comes any more once the world's faults have healed."""

    def __init__(self, world: World) -> None:
        self.world, self.tape, self.faults = world, world.tape, world.faults
        self._due: list[tuple[int, str]] = []  # letters until then, and what

    def plan(self) -> None:
        """Draw what is to come."""
        schedule = self.world.schedule
        for name in ACTS:
            for _ in range(self.tape.draw(f"times of {name}", ceil(self.faults.rates.get(name, 0)) + 1)):
                after_ms = self.tape.between(f"{name} after, ms", FIRST_MS, self.world.scenario.fire_ns // MS)
                schedule.at(schedule.now_ns + after_ms * MS, self._come, name)

    def after_letter(self) -> None:
        """A letter has been delivered."""
        if self._due:
            self._due, due = [], self._due
            for letters, name in due:
                if letters > 0:
                    self._due.append((letters - 1, name))
                else:
                    self._strike(name)

    def _come(self, name: str) -> None:
        if name in self.faults.rates:
            self._due.append((self.tape.draw("letters until then", LETTERS), name))

    def _strike(self, name: str) -> None:
        if name in self.faults.rates and ACTS[name](self) is not False:
            self.faults.note(name)

    # --- helpers ---

    def ms(self, label: str, low: int, high: int) -> int:
        """A duration in nanoseconds."""
        return self.tape.between(label, low, high) * MS

    def victim(self, kinds: tuple[str, ...] = PROCESSES) -> Process | None:
        """One of the living."""
        able = [process for process in self.world.base.processes.values() if process.kind in kinds]
        return able[self.tape.draw("who", len(able))] if able else None

    def later(self, delay_ns: int, act: Callable[..., object], *args: object) -> None:
        """Do it after so long, if there are faults then."""
        schedule = self.world.schedule
        schedule.at(schedule.now_ns + delay_ns, lambda: act(*args) if self.faults.rates else None)

    def kill_newest(self, kind: str) -> None:
        """Kill the process of a kind that was started last."""
        found = self.world.base.find(kind)
        if found:
            self.world.base.kill(found[-1])


Act = Callable[[Strikes], bool | None]  # False: there was nothing that it could strike


def _kill(strikes: Strikes) -> bool:
    victim = strikes.victim()
    if victim is not None:
        strikes.world.base.kill(victim)
    return victim is not None


def _kill_again(strikes: Strikes, victim: Process | None, times: Callable[[], int], most_ms: int) -> bool:
    """Kill a process, and so often what was started in its place."""
    if victim is None:
        return False
    strikes.world.base.kill(victim)
    after_ns = 0
    for _ in range(times()):
        after_ns += strikes.ms("and again after, ms", 5, most_ms)
        strikes.later(after_ns, strikes.kill_newest, victim.kind)
    return True


def _kill_in_recovery(strikes: Strikes) -> bool:
    victim = strikes.victim(("Cell", "BrokerGateway", "CellSupervisor", "RootSupervisor"))
    return _kill_again(strikes, victim, lambda: 2, 900)


def _crash_loop(strikes: Strikes) -> bool:
    return _kill_again(strikes, strikes.victim(), lambda: strikes.tape.between("so often", 3, 8), 600)


def _hang(strikes: Strikes) -> bool:
    victim = strikes.victim((*PROCESSES, "RootSupervisor"))
    if victim is not None:
        strikes.world.base.stop(victim, strikes.ms("for, ms", 10, 8_000))
    return victim is not None


def _hang_for_good(strikes: Strikes) -> bool:
    """Of those that somebody looks after: a program that is stopped itself is a person's business."""
    victim = strikes.victim()
    if victim is not None:
        strikes.world.base.stop_for_good(victim)
    return victim is not None


def _program(strikes: Strikes) -> bool:
    found = strikes.world.base.find("RootSupervisor")
    for process in found:
        strikes.world.base.kill(process)
    return bool(found)


def _upgrade(strikes: Strikes) -> bool:
    """The program is stopped; the one that is started next is of a newer release than what the journals are of."""
    struck = _program(strikes)
    strikes.world.storage.outdate()
    return struck


def _orphan(strikes: Strikes, parent: Process, most_ms: int) -> None:
    base = strikes.world.base
    orphans = base.descendants(parent)
    base.kill_alone(parent)
    for orphan in orphans:
        schedule = strikes.world.schedule
        schedule.at(schedule.now_ns + strikes.ms("an orphan lives on for, ms", 1, most_ms), base.kill, orphan)


def _orphans(strikes: Strikes) -> bool:
    victim = strikes.victim(("CellSupervisor",))
    if victim is not None:
        _orphan(strikes, victim, 400)
    return victim is not None


def _two_instances(strikes: Strikes) -> bool:
    found = strikes.world.base.find("RootSupervisor")
    for process in found:
        _orphan(strikes, process, 400)
    strikes.world.operator.start_root()
    return bool(found)


def _overflow(strikes: Strikes) -> bool:
    victim = strikes.victim()
    if victim is not None:
        until_ns = strikes.world.schedule.now_ns + strikes.ms("for, ms", 10, 2_000)
        strikes.world.base.full[victim.address.actorAddressString] = until_ns
    return victim is not None


def _cut(strikes: Strikes) -> None:
    strikes.world.network.cut(strikes.ms("for, ms", 10, 6_000), *DIRECTIONS)


def _one_way(strikes: Strikes) -> None:
    strikes.world.network.cut(strikes.ms("for, ms", 10, 6_000), strikes.tape.corner("direction", OF_FAULTS))


def _reset(strikes: Strikes) -> bool:
    up = bool(strikes.world.network.links)
    strikes.world.network.reset()
    return up


def _failing(strikes: Strikes) -> bool:
    storage = strikes.world.storage
    paths = sorted(storage.disks)
    if paths:
        storage.fail(strikes.tape.pick("which", paths), strikes.ms("for, ms", 50, 5_000))
    return bool(paths)


def _full(strikes: Strikes) -> None:
    strikes.world.storage.fill(strikes.ms("for, ms", 50, 8_000))


def _whose_owner_is_dead(strikes: Strikes) -> Path | None:
    """A journal in which something is written, and nobody writes any more."""
    storage = strikes.world.storage
    paths = [path for path in sorted(storage.disks) if storage.disks[path].head.turn]
    if not paths:
        return None
    path: Path = strikes.tape.pick("which", paths)
    owner = storage.owner(path)
    if owner is not None:
        strikes.world.base.kill(owner)
    return path


def _spoil(strikes: Strikes, *, cut: bool) -> bool:
    path = _whose_owner_is_dead(strikes)
    return path is not None and strikes.world.storage.spoil(path, cut=cut)


def _put_back(strikes: Strikes) -> bool:
    path = _whose_owner_is_dead(strikes)
    return path is not None and strikes.world.storage.put_back(path)


def _wall_jump(strikes: Strikes) -> None:
    hours = strikes.tape.corner("hours", OF_FAULTS)
    strikes.world.wall.offset_ns += hours * 3_600_000 * MS


def _suspend(strikes: Strikes) -> None:
    for_ns = strikes.ms("for, ms", 100, 10_000)
    for process in strikes.world.base.processes.values():
        strikes.world.base.stop(process, for_ns)


def _broker_jump(strikes: Strikes) -> None:
    world = strikes.world
    world.clock.change(world.schedule.monotonic(), speed=world.clock.speed, ahead_ns=strikes.ms("by, ms", 100, 3_000))


def _skew(strikes: Strikes) -> None:
    world = strikes.world
    world.clock.change(world.schedule.monotonic(), speed=strikes.tape.corner("speed", OF_FAULTS))


def _halt(strikes: Strikes) -> None:
    server, schedule = strikes.world.server, strikes.world.schedule
    server.halt("a volatility halt")
    schedule.at(schedule.now_ns + strikes.ms("for, ms", 100, 8_000), server.halt, "")


def _tag_truncated(strikes: Strikes) -> None:
    server, schedule = strikes.world.server, strikes.world.schedule
    server.cut_tags(strikes.tape.corner("to so many characters", OF_FAULTS))
    schedule.at(schedule.now_ns + strikes.ms("for, ms", 500, 8_000), server.cut_tags, 0)


def _strict(strikes: Strikes, name: str) -> bool:
    """The house refuses more for a while; it is counted when it does (simulation/house.py)."""
    strikes.world.house.be_strict(name, strikes.ms("for, ms", 500, 8_000))
    return False


def _relist(strikes: Strikes) -> None:
    change = strikes.tape.corner("what changes", OF_FAULTS)
    used = [one for one in CHAIN if one.symbol in strikes.world.market.symbols]
    changed = replace(strikes.tape.pick("of what", used), **change)
    strikes.world.exchange.relist([changed], strikes.world.server.now_ns)


def _liquidated(strikes: Strikes) -> bool:
    """The broker closes a part of a position."""
    world, position = strikes.world, _some_position(strikes)
    return position is not None and world.house.intervene(
        ActivityKind.LIQUIDATION, position.symbol, _part(strikes, position)
    )


def _by_hand(strikes: Strikes) -> bool:
    """A person trades a part of a position away, or more of it, and may undo that later."""
    world, tape, position = strikes.world, strikes.tape, _some_position(strikes)
    if position is None:
        return False
    units = _part(strikes, position) * (-1 if tape.draw("more of it", 2) else 1)
    done = world.house.intervene(ActivityKind.MANUAL, position.symbol, units)
    if done and tape.draw("and undoes it", 2):
        after_ns = strikes.ms("undone after, ms", 10, 8_000)
        strikes.later(after_ns, world.house.intervene, ActivityKind.MANUAL, position.symbol, -units)
    return done


def _some_position(strikes: Strikes) -> Position | None:
    world = strikes.world
    held = [one for one in world.exchange.positions() if one.symbol in world.market.symbols]
    return strikes.tape.pick("of what", held) if held else None


def _part(strikes: Strikes, position: Position) -> int:
    """Signed units that lead towards nothing."""
    sign = -1 if position.quantity > 0 else 1
    return sign * strikes.tape.between("units", 1, abs(position.quantity))


def _assignment(strikes: Strikes) -> bool:
    world, tape = strikes.world, strikes.tape
    short = [one for one in world.exchange.positions() if one.quantity < 0 and one.symbol in world.market.symbols]
    if not short:
        return False
    position = tape.pick("of what", short)
    return world.house.assign(position.symbol, tape.between("units", 1, -position.quantity))


def _stale(strikes: Strikes) -> None:
    market = strikes.world.market
    symbol = strikes.tape.pick("which contract", market.symbols)
    market.silent_until_ns[symbol] = strikes.world.server.now_ns + strikes.ms("for, ms", 500, 6_000)


def _kill_switch_in_recovery(strikes: Strikes) -> bool:
    world = strikes.world
    struck = _program(strikes)
    world.operator.turn_kill_switch(on=True, after_ns=strikes.ms("on after, ms", 1, 900))
    world.operator.turn_kill_switch(on=False, after_ns=strikes.ms("and off after, ms", 1_000, 10_000))
    return struck


def _tightened(strikes: Strikes) -> bool:
    strikes.world.operator.tighten()
    return _program(strikes)


ACTS: Final[dict[str, Act]] = {
    "F.process.kill": _kill,
    "F.process.kill_in_recovery": _kill_in_recovery,
    "F.process.crash_loop": _crash_loop,
    "F.process.hang": _hang,
    "F.process.hang_for_good": _hang_for_good,
    "F.process.orphans": _orphans,
    "F.process.two_instances": _two_instances,
    "F.process.upgrade": _upgrade,
    "F.process.program": _program,
    "F.actors.overflow": _overflow,
    "F.wire.cut": _cut,
    "F.wire.one_way": _one_way,
    "F.wire.reset": _reset,
    "F.wire.logged_out": lambda strikes: strikes.world.server.say_goodbye("logged out by the house"),
    "F.storage.failing": _failing,
    "F.storage.full": _full,
    "F.storage.bit_rot": lambda strikes: _spoil(strikes, cut=False),
    "F.storage.truncated": lambda strikes: _spoil(strikes, cut=True),
    "F.storage.older_copy": _put_back,
    "F.time.wall_jump": _wall_jump,
    "F.time.suspend": _suspend,
    "F.time.broker_jump": _broker_jump,
    "F.time.skew": _skew,
    "F.broker.halt": _halt,
    "F.broker.tag_truncated": _tag_truncated,
    "F.broker.margin": lambda strikes: _strict(strikes, "F.broker.margin"),
    "F.broker.band": lambda strikes: _strict(strikes, "F.broker.band"),
    "F.broker.relist": _relist,
    "F.broker.manual": _by_hand,
    "F.broker.liquidation": _liquidated,
    "F.broker.assignment": _assignment,
    "F.market.stale": _stale,
    "F.operator.kill_in_recovery": _kill_switch_in_recovery,
    "F.operator.tightened": _tightened,
}
