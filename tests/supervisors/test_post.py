"""The post between processes (supervisors/post.py), over real sockets."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from thespian.actors import ActorAddress, WakeupMessage, WatchMessage
from thespian.system.transport import SendStatus, TransmitIntent, TransmitOnly
from thespian.system.transport.IPBase import TCPv4ActorAddress
from thespian.system.transport.TCPTransport import TCPEndpoint

from supervisors.letter_lines import MOST_WAITING, LetterBuffer, LineOut, framed
from supervisors.post import Post

PATIENCE = timedelta(seconds=10)
NOTHING_MORE = timedelta(milliseconds=50)


@dataclass(frozen=True)
class Note:
    number: int
    text: str = ""


@pytest.fixture(autouse=True)
def on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THESPIAN_BASE_IPADDR", "127.0.0.1")


@contextlib.contextmanager
def offices(count: int = 2) -> Iterator[list[Post]]:
    with contextlib.ExitStack() as closing:
        yield [closing.enter_context(contextlib.closing(office())) for _ in range(count)]


def office() -> Post:
    parent = ActorAddress(TCPv4ActorAddress("127.0.0.1", 1, external=True))
    return Post(TCPEndpoint(1, None, parent, parent, False, False))


def post(sender: Post, reader: Post, letter: Any) -> list[Any]:
    """What becomes of it, once it is known."""
    return post_to(sender, reader.myAddress, letter)


def post_to(sender: Post, address: ActorAddress, letter: Any) -> list[Any]:
    fate: list[Any] = []
    intent = TransmitIntent(address, letter, onSuccess=lambda s, _: fate.append(s), onError=lambda s, _: fate.append(s))
    sender.scheduleTransmit(None, intent)
    return fate


def letters(reader: Post, count: int) -> list[Any]:
    found: list[Any] = []

    def take(envelope: Any) -> bool:
        found.append(envelope.message)
        return len(found) < count

    reader.run(take, PATIENCE)
    return found


def nothing_more(reader: Post) -> bool:
    found: list[Any] = []
    reader.run(found.append, NOTHING_MORE)
    return not found


def lines(of: Post) -> list[LineOut]:
    return list(of._lines_out.values())


def until(sender: Post, condition: Callable[[], bool]) -> None:
    for _ in range(200):
        sender.run(lambda _: True, timedelta(milliseconds=20))
        if condition():
            return
    raise AssertionError("it did not come about")


def test_letters_come_in_their_order_and_name_their_sender() -> None:
    with offices() as (one, other):
        for number in range(100):
            post(one, other, Note(number))
        envelope = other.run(None, PATIENCE)
        assert envelope.message == Note(0)
        assert envelope.sender == one.myAddress
        assert letters(other, 99) == [Note(number) for number in range(1, 100)]


def test_one_connection_carries_all_letters_of_a_pair() -> None:
    with offices() as (one, other):
        for number in range(20):
            post(one, other, Note(number))
            assert letters(other, 1) == [Note(number)]
        assert len(one._lines_out) == len(other._lines_in) == 1


def test_both_may_write_at_once() -> None:
    with offices() as (one, other):
        for number in range(10):
            post(one, other, Note(number))
            post(other, one, Note(-number))
        assert letters(other, 10) == [Note(number) for number in range(10)]
        assert letters(one, 10) == [Note(-number) for number in range(10)]


def test_what_the_socket_does_not_take_follows_in_order_when_the_reader_reads() -> None:
    with offices() as (one, other):
        fates = [post(one, other, Note(number, "x" * 1_000_000)) for number in range(20)]
        one.run(lambda _: True, NOTHING_MORE)
        assert not fates[-1], "the reader has read nothing; all of it cannot have left"
        reading = threading.Thread(target=until, args=(one, lambda: bool(fates[-1])))
        reading.start()
        assert [note.number for note in letters(other, 20)] == list(range(20))
        reading.join()
        assert [fate[0] for fate in fates] == [SendStatus.Sent] * 20


def test_a_letter_that_goes_at_once_keeps_its_place_and_waits_like_any_other_when_it_does_not_fit() -> None:
    with offices() as (one, other):
        assert not one.at_once(other.myAddress, Note(0)), "there is no line yet: somebody has to open it"
        post(one, other, Note(0))
        assert one.at_once(other.myAddress, Note(1, "x" * 20_000_000))
        assert not one.at_once(other.myAddress, Note(2)), "it would overtake the one before"
        post(one, other, Note(2))
        reading = threading.Thread(target=until, args=(one, lambda: not any(line.waits() for line in lines(one))))
        reading.start()
        assert [note.number for note in letters(other, 3)] == [0, 1, 2]
        reading.join()
        assert one.at_once(other.myAddress, Note(3))
        assert letters(other, 1) == [Note(3)]


def test_a_letter_that_goes_at_once_to_somebody_who_has_gone_is_left_to_the_long_way() -> None:
    with offices() as (one, other):
        post(one, other, Note(0))
        letters(other, 1)
        address = other.myAddress
        other.close()
        until(one, lambda: not lines(one))
        assert not one.at_once(address, Note(1))


def test_a_run_that_only_sends_ends_when_everything_has_left_and_keeps_what_came() -> None:
    with offices() as (one, other):
        post(one, other, Note(1))
        assert one.run(TransmitOnly, PATIENCE) == 0
        post(other, one, Note(2))
        assert other.run(TransmitOnly, PATIENCE) == 0
        assert letters(one, 1) == [Note(2)]


def test_a_letter_to_nobody_is_a_dead_letter() -> None:
    with offices() as (one, other):
        address = other.myAddress
        other.close()
        fate = post_to(one, address, Note(1))
        until(one, lambda: bool(fate))
        assert fate == [SendStatus.DeadTarget]


def test_what_waits_for_a_process_that_dies_is_dead_letters_and_the_next_one_finds_nobody() -> None:
    with offices() as (one, other):
        fates = [post(one, other, Note(number, "x" * 1_000_000)) for number in range(20)]
        address = other.myAddress
        other.close()
        until(one, lambda: bool(fates[-1]))
        assert fates[-1] == [SendStatus.DeadTarget]
        late = post_to(one, address, Note(21))
        until(one, lambda: bool(late))
        assert late == [SendStatus.DeadTarget]


def test_a_childs_death_ends_what_waits_for_it() -> None:
    with offices() as (one, other):
        fates = [post(one, other, Note(number, "x" * 1_000_000)) for number in range(20)]
        one.deadAddress(None, other.myAddress)
        until(one, lambda: bool(fates[-1]))
        assert fates[-1] == [SendStatus.DeadTarget]


def test_a_reader_that_stands_still_takes_no_more_than_so_many_letters() -> None:
    with offices() as (one, other):
        big = post(one, other, Note(0, "x" * 20_000_000))
        fates = [post(one, other, Note(number)) for number in range(MOST_WAITING + 5)]
        until(one, lambda: bool(fates[-1]))
        assert not big
        assert fates[-1] == [SendStatus.Failed]


def test_a_letter_of_another_thread_leaves_from_the_loop() -> None:
    with offices() as (one, other):
        thread = threading.Thread(target=post, args=(one, other, Note(7)))
        thread.start()
        thread.join()
        assert not one._lines_out
        one.run(TransmitOnly, PATIENCE)
        assert letters(other, 1) == [Note(7)]


def test_a_letter_to_oneself_comes_like_any_other() -> None:
    with offices(1) as (one,):
        post(one, one, Note(1))
        assert letters(one, 1) == [Note(1)]


def test_timers_ring_in_the_order_of_their_times() -> None:
    with offices(1) as (one,):
        for ms in (30, 10, 20, 0):
            one.addWakeup(timedelta(milliseconds=ms), ms)
        rung = letters(one, 4)
        assert [wakeup.payload for wakeup in rung if isinstance(wakeup, WakeupMessage)] == [0, 10, 20, 30]


def test_a_timer_rings_although_letters_keep_coming() -> None:
    with offices(1) as (one,):
        one.addWakeup(timedelta(milliseconds=5), "due")

        def again(envelope: Any) -> bool:
            if isinstance(envelope.message, WakeupMessage):
                return False
            post(one, one, Note(1))
            return True

        post(one, one, Note(1))
        result = one.run(again, PATIENCE)
        assert not result.return_value


def test_a_watched_descriptor_that_comes_back_as_another_file_is_watched_again() -> None:
    with offices(1) as (one,):
        ours, theirs = socket.socketpair()
        number = ours.fileno()
        one.set_watch([number])
        assert nothing_more(one)
        ours.close()
        theirs.close()
        new, far = socket.socketpair()
        if new.fileno() != number:
            os.dup2(new.fileno(), number)
        far.send(b"x")
        assert [message.ready for message in letters(one, 1) if isinstance(message, WatchMessage)] == [[number]]
        one.set_watch([])
        assert nothing_more(one)
        far.close()
        new.close()
        with contextlib.suppress(OSError):
            os.close(number)


def test_a_watched_descriptor_that_is_closed_is_let_go_of() -> None:
    with offices() as (one, other):
        ours, theirs = socket.socketpair()
        one.set_watch([ours.fileno()])
        ours.close()
        theirs.close()
        post(other, one, Note(1))
        assert letters(one, 1) == [Note(1)]


@pytest.mark.parametrize("still_watched", [False, True], ids=["let go of", "watched on"])
def test_a_line_that_gets_the_number_of_a_watched_descriptor_is_no_watch(still_watched: bool) -> None:
    with offices(3) as (one, other, third):
        ours, theirs = socket.socketpair()
        number = ours.fileno()
        one.set_watch([number])
        assert nothing_more(one)
        ours.close()
        one.set_watch([number] if still_watched else [])
        post(one, other, Note(1))  # the first one: it opens a line, with the lowest number that is free
        assert list(one._ports) == [number]
        assert nothing_more(one), "what the line says is not the actor's"
        big = post(one, other, Note(2, "x" * 20_000_000))
        until(one, lambda: lines(one)[0].blocked)
        reading = threading.Thread(target=until, args=(one, lambda: bool(big)))
        reading.start()
        assert [note.number for note in letters(other, 2)] == [1, 2]
        reading.join()
        other.close()
        until(one, lambda: not lines(one))  # it hears that its reader has gone
        post(one, third, Note(3))
        assert letters(third, 1) == [Note(3)]
        theirs.close()


def test_a_caller_that_gets_the_number_of_a_watched_descriptor_is_heard() -> None:
    with offices() as (one, other):
        ours, theirs = socket.socketpair()
        number = ours.fileno()
        one.set_watch([number])
        assert nothing_more(one)
        post(other, one, Note(1))
        ours.close()  # after the caller's own end was opened, which would have taken the number
        one._accept()
        assert list(one._lines_in) == [number]
        one.set_watch([])
        assert letters(one, 1) == [Note(1)]
        post(other, one, Note(2))
        assert letters(one, 1) == [Note(2)]
        theirs.close()


def test_a_caller_that_sends_something_else_is_hung_up_on() -> None:
    with offices() as (one, other):
        with socket.create_connection(("127.0.0.1", one._port)) as stranger:
            stranger.sendall(b"GET / HTTP/1.0\r\n\r\n")
            until(one, lambda: not one._lines_in)
        with socket.create_connection(("127.0.0.1", one._port)) as stranger:
            stranger.sendall(framed(b"no pickle"))
            until(one, lambda: not one._lines_in)
        post(other, one, Note(1))
        assert letters(one, 1) == [Note(1)]


def test_an_interruption_from_a_signal_handler_is_looked_at() -> None:
    with offices(1) as (one,):
        one.interrupt_wait(check_children=True)
        assert [type(message).__name__ for message in letters(one, 1)] == ["ChildMayHaveDied"]


def test_a_process_without_descriptors_ends_idle_lines_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with offices(3) as (one, other, third):
        post(one, other, Note(1))
        real, refused = socket.socket, list[bool]()

        class Scarce(socket.socket):
            def __new__(cls, *arguments: Any, **named: Any) -> Any:
                if not refused:
                    refused.append(True)
                    raise OSError(24, "Too many open files")
                return real(*arguments, **named)

        monkeypatch.setattr("supervisors.letter_lines.socket.socket", Scarce)
        post(one, third, Note(2))
        post(one, other, Note(3))
        assert refused
        assert letters(third, 1) == [Note(2)]
        assert letters(other, 2) == [Note(1), Note(3)]


def test_a_forked_child_closes_what_is_its_parents() -> None:
    with offices() as (one, other):
        post(one, other, Note(1))
        letters(other, 1)
        for there in (one, other):
            listed = set(there.childResetFileNumList())
            assert {there.socket.fileno(), there._bell, there._set.fileno()} <= listed
            assert listed >= set(there._lines_in) | set(there._ports)
        assert len(one._ports) == 1
        assert len(other._lines_in) == 1


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_stream_is_cut_into_the_same_letters_however_it_comes(cut: int) -> None:
    stream = b"".join(framed(letter) for letter in (b"", b"a", b"bcdef", b"", b"g" * 20))
    buffer, found = LetterBuffer(), list[bytes]()
    for start in range(0, len(stream), cut):
        found += [bytes(letter) for letter in buffer.feed(stream[start : start + cut])]
    assert found == [b"", b"a", b"bcdef", b"", b"g" * 20]
