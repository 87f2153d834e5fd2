"""The main program's line to the tree: it asks, and asks again while what it asks is being restarted."""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple, TypeVar

from messages import wire
from messages.operator import OperatorAnswer, OperatorCommand, SubmitGroup
from messages.supervision import Operate, Operated
from supervisors.root import AskDirectory, Directory
from supervisors.tree import cell_name

Answer = TypeVar("Answer", Operated, Directory)

ASK_AGAIN_S = 1.0  # a part that is asked while it is being restarted loses the question


class NoAnswer(Exception):
    """The tree did not answer in time; what was asked may still be done."""


class SystemLost(NoAnswer):
    """The root supervisor has ended unasked, and with it, by their lifelines, every process of the tree."""


class Place(NamedTuple):
    """Where a process is, and a descriptor that becomes readable when it ends."""

    address: Any
    lifeline: int


def has_ended(lifeline: int) -> bool:
    """Whether the process of a descriptor has ended."""
    return bool(select.select([lifeline], [], [], 0)[0])


class Line:
    """To the actors of a tree.  Raises :class:`SystemLost` when it has ended already.

    Its :meth:`fileno` becomes readable when the root supervisor ends; that it also does when the admin does, because
    nobody outlives a parent.

    ``meanwhile`` is called before every letter that asks for something, which is each second while there is no answer.
    It may ask for something else itself; what it raises ends what is being asked.
    """

    def __init__(self, actors: Any, root: Any, root_pid: int) -> None:
        self._actors, self.root, self._root_pid = actors, root, root_pid
        self.meanwhile: Callable[[], None] = lambda: None
        self._places: dict[int, Place] = {}  # of cells that have been asked before
        self._numbers = count(int(time.monotonic() * 1e9) + 1)  # of asks; the next program begins beyond them
        try:
            self._lifeline = os.pidfd_open(root_pid)
        except ProcessLookupError:
            raise self._lost() from None

    def fileno(self) -> int:
        """The descriptor to watch for the end of the tree."""
        return self._lifeline

    def check(self) -> None:
        """Raises :class:`SystemLost` when the tree is gone."""
        if has_ended(self._lifeline):
            raise self._lost()

    def close(self) -> None:
        """Let go of the descriptors."""
        for cell in list(self._places):
            self._forget(cell)
        os.close(self._lifeline)

    def _lost(self) -> SystemLost:
        return SystemLost(
            f"the root supervisor (process {self._root_pid}) has ended, and every process of the system with it; no "
            "group is being worked: start again, and the system carries on where the journals end"
        )

    def ask(
        self, find: Callable[[], Any], command_id: str, command: OperatorCommand, deadline: float
    ) -> OperatorAnswer:
        """Ask an actor, and ask again while it is being restarted: every command may come twice.

        All of it has one number, and only an answer under that is taken: one that hung answers every letter that it
        was sent meanwhile, and what is left of those answers would be the first to be heard by the next ask.
        """
        number = next(self._numbers)
        while time.monotonic() < deadline:
            self.check()
            self.meanwhile()
            address = find()
            if address is not None:
                answer = self._answer(address, Operate(number, command_id, wire.pack(command)), Operated, deadline)
                if answer is not None:
                    return wire.answer(answer.answer)
                for cell in list(self._places):
                    self._forget(cell)
                if isinstance(command, SubmitGroup):
                    command = SubmitGroup(command.plan, again=True)
            time.sleep(0.02)
        raise NoAnswer(f"{command_id}: the system did not answer in time; it may still be carried out")

    def _answer(
        self, address: Any, question: Operate | AskDirectory, kind: type[Answer], deadline: float
    ) -> Answer | None:
        """Its answer; ``None`` when it is gone, or says nothing for a while.

        ``tell`` would wait for a minute, whatever the deadline, until an actor that hangs has read what it is told.
        """
        patience = min(deadline, time.monotonic() + ASK_AGAIN_S)
        heard = self._actors.ask(address, question, max(0.01, patience - time.monotonic()))
        while heard is not None:
            if isinstance(heard, kind) and heard.number == question.number:
                return heard
            left_s = patience - time.monotonic()
            heard = self._actors.listen(left_s) if left_s > 0 else None
        return None

    def cell(self, cell: int, deadline: float) -> Any:
        """Its address, or ``None`` while it is being restarted.  Raises :class:`NoAnswer` when it will not be.

        An address is one process's for as long as that lives: until then nobody need be asked for it again.
        """
        place = self._places.get(cell)
        if place is not None and not has_ended(place.lifeline):
            return place.address
        self._forget(cell)
        directory = self.directory(deadline)
        address = directory.cells.get(cell)
        if address is None and directory.failure:
            raise NoAnswer(f"{cell_name(cell)} is down: {directory.failure}")
        if address is not None:
            with contextlib.suppress(ProcessLookupError):
                self._places[cell] = Place(address, os.pidfd_open(directory.pids[cell]))
        return address

    def _forget(self, cell: int) -> None:
        if place := self._places.pop(cell, None):
            os.close(place.lifeline)

    def directory(self, deadline: float) -> Directory:
        """Where everybody is now.  Raises :class:`NoAnswer` when the root supervisor does not say."""
        question = AskDirectory(next(self._numbers))
        while time.monotonic() < deadline:
            self.check()
            self.meanwhile()
            answer = self._answer(self.root, question, Directory, deadline)
            if answer is not None:
                return answer
        raise NoAnswer("the root supervisor does not answer")

    def up_first(self, cells: list[int], deadline: float) -> list[int]:
        """The same cells; those that are down have the time that the others leave."""
        up = {cell for cell, place in self._places.items() if not has_ended(place.lifeline)}
        if not up.issuperset(cells):
            up |= self.directory(deadline).cells.keys()
        return sorted(cells, key=lambda cell: cell not in up)
