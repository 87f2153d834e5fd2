"""The groups of a cell that are in memory: started, restored, stopped, and rebuilt after a crash.

Strategy ``one_for_all`` within a group: its actors share one fate, because they share one set of rows.  The message
that crashed a group is tried once more on the rebuilt one, a bulletin piece by piece; failing again it is parked in
``rejected_events`` and the group is quarantined, which means reduce-only; failing even then, the group is given up to
a person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec
from msgspec.structs import replace
from thespian.actors import ActorAddress

from actors.given_up import GivenUp
from actors.rebuild import restore_message
from actors.shell import Appointment
from actors.turn import SYSTEM, OrderIndex, Turn
from decisions.effects import Effects, Outgoing
from decisions.orders.child_order import forget_request
from decisions.positions import moves
from domain.groups import Group, GroupOutcome, GroupStatus, Mode, group_part, group_tag
from messages.group import Bulletin, CloseGroup, GroupCrashed, OpenGroup, RestoreGroup, Review
from messages.operator import CommandRefused
from messages.orders import News, OrderAbsent
from messages.positions import PositionsMoved
from messages.records import GroupRecord, PositionEventRecord, Record, RejectedEventRecord, Severity
from storage.port import Journal

RETRIES = 1  # tries of a message on a rebuilt group, before the group is quarantined


READ_TOGETHER = 200  # groups

TOLD_NS = 86_400 * 10**9  # what ended before may have been told, or was not: no session is so long
LOOKS = Review | OrderAbsent  # a reason to look again, not worth keeping: it comes with every tick or snapshot


class Nursery:
    """Owned by the Desk.  ``hire`` makes an OrderGroup actor, ``dismiss`` stops one, ``send`` posts to one, and
    ``reply`` answers a command."""

    def __init__(
        self,
        turn: Turn,
        journal: Journal,
        desk: ActorAddress,
        hire: Callable[[], ActorAddress],
        dismiss: Callable[[ActorAddress], None],
        send: Callable[[ActorAddress, object], None],
        reply: Callable[[str, msgspec.Struct], None],
    ) -> None:
        self.turn, self.journal, self.desk = turn, journal, desk
        self.index = OrderIndex()
        self._hire, self._dismiss, self._send, self._reply = hire, dismiss, send, reply
        self._addresses: dict[str, ActorAddress] = {}
        self._tags: dict[str, str] = {}
        self._letters: dict[str, list[msgspec.Struct]] = {}  # what each group was given in this step
        self._strikes: dict[str, int] = {}
        self.opened: set[str] = set()  # in this step: nobody has been told of them yet
        self.given_up = GivenUp(turn)
        self._told = False  # that orders have ended which may still count at the gateway

    def __iter__(self) -> Iterator[str]:
        return iter(self._addresses)

    def __len__(self) -> int:
        return len(self._addresses)

    def begin_step(self) -> None:
        """Forget what the last step gave to whom."""
        self.opened.clear()
        self._letters.clear()
        self._strikes.clear()

    def open(self, group: Group) -> None:
        """Start a new group."""
        self.opened.add(group.group_id)
        self._start(group.group_id, OpenGroup(group))

    def load(self, group_id: str) -> bool:
        """Have the group in memory; ``False`` when the journal does not know it."""
        if group_id in self._addresses or group_id in self.given_up:
            return True
        rows = self._rows(group_id)
        if rows is None:
            return False
        self._start(group_id, rows)
        return True

    def load_all(self, group_ids: Sequence[str]) -> None:
        """Have these groups in memory, at the start: read together, because each way to the journal takes its time."""
        for first in range(0, len(group_ids), READ_TOGETHER):
            some = group_ids[first : first + READ_TOGETHER]
            for group_id, rows in zip(some, self.journal.groups(some), strict=True):
                message = restore_message(rows, self.turn.uncommitted(group_id))
                if message is not None:
                    self._start(group_id, message)

    def owner(self, order_id: str) -> str | None:
        """The group whose intent explains this order."""
        group_id = self.find(group_part(order_id))
        return group_id if group_id is not None and self.index.knows(group_id, order_id) else None

    def find(self, tag: str) -> str | None:
        """The group with this tag, loaded; ``None`` when there is none."""
        group_id = self.taken(tag)
        return group_id if group_id is not None and self.load(group_id) else None

    def taken(self, tag: str) -> str | None:
        """The group that has this tag, be it in an archive."""
        return self._tags.get(tag) or self.journal.group_by_tag(tag)

    def tell_void(self) -> None:
        """Tell the gateway again which orders are void (E6).

        It was told after the commit that made them void, unless this cell's process died in between; a gateway that
        lived on would count them for ever, and refuse the orders that replace them.
        """
        if self._told:
            return
        self._told, moment = True, self.turn.moment
        requests: list[Outgoing] = [
            forget_request(intent, moment) for intent in self.journal.ended_untold(self.journal.clock_ns - TOLD_NS)
        ]
        self.turn.collect(SYSTEM, Effects(requests=requests))

    def give(self, group_id: str, letter: msgspec.Struct) -> None:
        """Post a letter to a group in memory, and remember it until the step ends."""
        if group_id in self.given_up:
            self._take_late(group_id, (letter,))
            return
        self._letters.setdefault(group_id, []).append(letter)
        self._send(self._addresses[group_id], letter)

    def tell(self, group_id: str, news: Sequence[News]) -> None:
        """Post what is new of a group's orders, all of it at once."""
        if group_id in self.given_up:
            self._take_late(group_id, news)
        else:
            self.give(group_id, Bulletin(tuple(news)) if len(news) > 1 else news[0])

    def dismiss(self, group_id: str) -> None:
        """Stop a group's actors; the journal keeps what they knew."""
        address = self._addresses.pop(group_id, None)
        self._tags.pop(group_tag(group_id), None)
        self.index.forget(group_id)
        if address is not None:
            self._dismiss(address)

    def crashed(self, crash: GroupCrashed) -> None:
        """Rebuild a group whose part of the step has been voided, and decide what becomes of the step's letters."""
        group_id = crash.group_id
        if crash.incarnation + 1 != self.turn.incarnation(group_id):
            return  # of an incarnation that is gone already
        strikes = self._strikes[group_id] = self._strikes.get(group_id, 0) + 1
        self.dismiss(group_id)
        rows = self._rows(group_id)
        if rows is None:
            self._reply(f"submit:{group_id}", _internal_error(crash))
            return
        letters = self._letters[group_id] = self._singly(self._letters.get(group_id, []))
        limit = self.turn.moment.config.supervision.group_crashes
        record = replace(rows.record, crashes=rows.record.crashes + strikes, updated_ns=self.turn.moment.at_ns)
        if strikes <= RETRIES and record.crashes <= limit:
            self._restart(replace(rows, record=record), letters)
        elif strikes <= RETRIES + 1:
            self._quarantine(replace(rows, record=record), crash)
            self._refuse_cancel(crash, "it only reduces now: cancel it again to have it closed")
        else:
            self._give_up(replace(rows, record=record), f"{crash.actor} raised {crash.error}", Mode.REDUCING)
            self._refuse_cancel(crash, "it was given up: close what it holds at the broker")

    def leave(self, group_id: str, why: str) -> None:
        """Send nothing more for a group whose journal does not know all of its orders: what it knows misleads."""
        if group_id in self.given_up:
            return
        rows = self._rows(group_id)
        self.dismiss(group_id)
        if rows is not None:
            self._give_up(rows, why, Mode.LEFT)

    def _singly(self, letters: list[msgspec.Struct]) -> list[msgspec.Struct]:
        """The letters without bulletins: which piece the group choked on will show when each comes by itself."""
        for letter in letters:
            if type(letter) is Bulletin:
                self.turn.again.extend(letter.news)
        return [letter for letter in letters if type(letter) is not Bulletin]

    def _rows(self, group_id: str) -> RestoreGroup | None:
        return restore_message(self.journal.group(group_id), self.turn.uncommitted(group_id))

    def _start(self, group_id: str, message: OpenGroup | RestoreGroup) -> None:
        if isinstance(message, RestoreGroup) and message.record.mode is Mode.LEFT:
            self._hand_over(message)
            return
        address = self._addresses[group_id] = self._hire()
        self._tags[group_tag(group_id)] = group_id
        incarnation = self.turn.incarnation(group_id)
        self._send(address, Appointment(self.turn, group_id, incarnation, self.desk, self.desk))
        if isinstance(message, RestoreGroup):
            self._follow(message)
        self._send(address, message)

    def _follow(self, rows: RestoreGroup) -> None:
        self.index.follow(rows.record)
        for intent in rows.intents:
            self.index.follow(intent)
        for state in rows.execution_states:
            self.index.follow(state)

    def _restart(self, rows: RestoreGroup, letters: list[msgspec.Struct]) -> None:
        group_id = rows.record.group_id
        self.turn.collect(group_id, Effects(records=[rows.record]))
        self._start(group_id, rows)
        for letter in letters:
            self._send(self._addresses[group_id], letter)

    def _quarantine(self, rows: RestoreGroup, crash: GroupCrashed) -> None:
        group_id, moment = rows.record.group_id, self.turn.moment
        effects = Effects(records=self._parked(rows.record, f"{crash.actor} raised {crash.error}"))
        effects.alert(
            moment,
            Severity.CRITICAL,
            "GROUP_QUARANTINED",
            f"group {group_id} is reduce-only: {crash.actor} raised {crash.error}",
            group_id=group_id,
            subject=str(rows.record.crashes),
        )
        self.turn.collect(group_id, effects)
        events = (*rows.position_events, *self._keep_moves(group_id))
        self._restart(replace(rows, record=replace(rows.record, quarantined=True), position_events=events), [])
        self.give(group_id, CloseGroup("quarantined", flatten=False))

    def _refuse_cancel(self, crash: GroupCrashed, advice: str) -> None:
        """Tell a person whose cancel was parked that nothing will come of it."""
        group_id = crash.group_id
        if any(type(letter) is CloseGroup and letter.flatten for letter in self._letters.get(group_id, [])):
            text = f"an internal error of group {group_id}: {crash.actor} raised {crash.error}; {advice}"
            self._reply(f"cancel:{group_id}", CommandRefused((text,)))

    def _keep_moves(self, group_id: str) -> list[PositionEventRecord]:
        """What moved without an order of ours, though the letter that told it is parked: nobody tells it again, and a
        group that does not know of it protects, or closes, what it has not got.
        """
        found: list[PositionEventRecord] = []
        for letter in self._letters.get(group_id, []):
            if type(letter) is PositionsMoved:
                effects = Effects()
                found += moves.record(letter, self.turn.moment, effects)
                self.turn.collect(group_id, effects)
        return found

    def _parked(self, record: GroupRecord, why: str) -> list[Record]:
        """The letters that the group was given in this step, as rejected events."""
        moment = self.turn.moment
        return [
            RejectedEventRecord(
                event_id=f"{moment.cause}/{number}",
                group_id=record.group_id,
                client_order_id=getattr(letter, "client_order_id", ""),
                current=record.status.value,
                incoming=type(letter).__name__,
                reason=f"parked: {why}",
                payload=msgspec.msgpack.encode(letter),
                ts_ns=moment.at_ns,
            )
            for number, letter in enumerate(self._letters.get(record.group_id, []))
        ]

    def _take_late(self, group_id: str, letters: Sequence[msgspec.Struct]) -> None:
        """What comes for a group that was given up: its orders are looked after, and what is news of them parked."""
        self.given_up.look_after(group_id, letters)
        self._letters.setdefault(group_id, []).extend(one for one in letters if not isinstance(one, LOOKS))
        if self._letters[group_id]:
            record = self.index.groups[group_id]
            self.turn.collect(group_id, Effects(records=self._parked(record, "the group was given up")))

    def _give_up(self, rows: RestoreGroup, why: str, mode: Mode) -> None:
        """Cancel what may add risk, mark the group halted, and call a person; its actors stay stopped."""
        moment, group_id = self.turn.moment, rows.record.group_id
        effects = Effects(records=self._parked(rows.record, why))
        halted: GroupRecord = replace(
            rows.record,
            quarantined=True,
            mode=mode,
            status=GroupStatus.FAILED,
            outcome=GroupOutcome.HALTED,
            reason=f"given up: {why}",
            updated_ns=moment.at_ns,
        )
        effects.records.append(halted)
        effects.alert(
            moment,
            Severity.CRITICAL,
            "GROUP_GIVEN_UP",
            f"group {group_id} cannot be handled any more ({why}); its entries are being canceled, its other orders"
            " work on, and are yours",
            group_id=group_id,
        )
        self.turn.collect(group_id, effects)
        self._keep_moves(group_id)
        self._hand_over(replace(rows, record=halted))
        self.given_up.look_after(group_id, self._letters.get(group_id, []))

    def _hand_over(self, rows: RestoreGroup) -> None:
        """Nobody works this group any more."""
        self.given_up.add(rows)
        self._follow(rows)


def _internal_error(crash: GroupCrashed) -> msgspec.Struct:
    return CommandRefused((f"an internal error: {crash.actor} raised {crash.error}; nothing was sent",))
