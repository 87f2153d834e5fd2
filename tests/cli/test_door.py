"""The listening end of the control socket: nobody who calls can hold up the others, or bring the system down."""

from __future__ import annotations

import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from select import select

import pytest

from cli import door as listening
from cli.door import Door
from cli.requests import WrongRequest, read
from domain.groups import Plan
from messages.operator import Acknowledge, AskStatus, AtGateway, CancelGroup, KillSwitch, SetRollout, SubmitGroup

DEADLINE_S = 10.0
PLAN = '{"group_id": "g", "quantity": 1, "legs": [{"leg_id": "a", "symbol": "X", "side": "buy"%s}]%s}'


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with closing(Door(tmp_path / "s")) as made:
        yield made


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Callable[[bytes], socket.socket]]:
    made: list[socket.socket] = []

    def calling(text: bytes) -> socket.socket:
        made.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        made[-1].connect(str(tmp_path / "s"))
        made[-1].sendall(text)
        return made[-1]

    yield calling
    for one in made:
        one.close()


def heard(door: Door, most: int = 1) -> list[tuple[bytes, str]]:
    """What the next ``most`` callers said, and what is wrong with it; each is answered with its own words."""
    found: list[tuple[bytes, str]] = []
    while len(found) < most:
        ready, _, _ = select(
            [door], [], [], min(DEADLINE_S, DEADLINE_S if door.patience_s is None else door.patience_s)
        )
        assert ready or door.patience_s == 0, "nobody says anything"
        for caller in door.callers():
            found.append((bytes(caller.line), caller.problem))
            caller.answer(bytes(caller.line).strip())
    return found


def test_a_request_is_heard_and_answered(door: Door, call: Callable[[bytes], socket.socket]) -> None:
    caller = call(b"hello\n")
    assert heard(door) == [(b"hello\n", "")]
    assert caller.recv(100) == b"hello\n"
    assert caller.recv(100) == b""


def test_only_this_user_may_call(door: Door, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
    assert door.patience_s is None, "nobody calls, and nobody is waited for"


def test_those_who_say_half_a_line_hold_up_nobody(door: Door, call: Callable[[bytes], socket.socket]) -> None:
    slow = [call(b"half a "), call(b""), call(b"half")]
    call(b"whole\n")
    assert heard(door) == [(b"whole\n", "")]
    slow[0].sendall(b"line\n")
    assert heard(door) == [(b"half a line\n", "")]


def test_one_look_hears_everybody_who_has_called_and_who_called_first_comes_first(
    door: Door, call: Callable[[bytes], socket.socket]
) -> None:
    early = call(b"1")
    assert list(door.callers()) == []
    call(b"2\n")
    early.sendall(b"\n")
    call(b"3\n")
    found = []
    for caller in door.callers():
        found.append(bytes(caller.line))
        caller.answer(b"")
    assert found == [b"1\n", b"2\n", b"3\n"]


def test_who_hangs_up_early_is_heard_as_far_as_it_got(door: Door, call: Callable[[bytes], socket.socket]) -> None:
    call(b"half").close()
    assert heard(door) == [(b"half", "")]


def test_who_never_ends_its_line_is_told_so(
    door: Door, call: Callable[[bytes], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "REQUEST_TIMEOUT_S", 0.05)
    call(b"half")
    ((_, problem),) = heard(door)
    assert problem.startswith("no whole request within")


def test_a_line_without_an_end_is_refused_at_its_limit(
    door: Door, call: Callable[[bytes], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "REQUEST_LIMIT_BYTES", 1_000)
    call(b"x" * 2_000)
    ((_, problem),) = heard(door)
    assert problem == "the request is longer than 1,000 bytes"


def test_a_line_that_came_during_a_long_command_is_not_late(
    door: Door, call: Callable[[bytes], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "REQUEST_TIMEOUT_S", -1.0)  # every deadline is over before anybody listens
    call(b"in time\n")
    assert heard(door) == [(b"in time\n", "")]


def test_more_callers_than_places_cost_the_oldest_its_place(
    door: Door, call: Callable[[bytes], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "MAX_CALLERS", 2)
    oldest = call(b"half")
    for _ in range(2):
        call(b"half")
    call(b"whole\n")
    assert heard(door) == [(b"whole\n", "")]
    assert oldest.recv(100) == b""


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ('{"command": "status"}', AskStatus()),
        ('{"command": "cancel", "group_id": "g"}', CancelGroup("g")),
        ('{"command": "kill_switch", "on": false}', AtGateway("", KillSwitch(on=False))),
        ('{"command": "kill_switch", "on": true, "realm": "paper"}', AtGateway("paper", KillSwitch(on=True))),
        (
            '{"command": "rollout", "live_share_pct": 50, "by": "maria", "reason": "phase 2"}',
            SetRollout(live_share_pct=50, by="maria", reason="phase 2"),
        ),
        ('{"command": "acknowledge", "escalation_id": "e", "by": "maria"}', Acknowledge("e", "maria")),
    ],
)
def test_each_request_becomes_its_command(line: str, command: object) -> None:
    assert read(line.encode()) == command


def test_a_plan_arrives_whole() -> None:
    command = read(('{"command": "submit", "plan": ' + PLAN % ("", "") + "}").encode())
    assert isinstance(command, SubmitGroup)
    assert isinstance(command.plan, Plan)
    assert (command.plan.group_id, command.plan.legs[0].symbol) == ("g", "X")


@pytest.mark.parametrize(
    "line",
    [
        b"", b"\n", b"nonsense", b"\xff\xfe", b"null", b"[]", b"{}", b"[" * 100_000, b'{"command": ' * 100_000,
        b'{"command": 1}', b'{"command": "fly"}', b'{"command": "status", "verbose": true}',
        b'{"command": "cancel"}', b'{"command": "cancel", "group_id": 7}', b'{"command": "cancel", "group_id": ""}',
        b'{"command": "cancel", "group_id": "%s"}' % (b"x" * 1_000), b'{"command": "cancel", "group_id": "\\ud800"}',
        b'{"command": "kill_switch", "on": "false"}', b'{"command": "kill_switch"}',
        b'{"command": "acknowledge", "escalation_id": "e", "by": ""}', b'{"command": "submit"}',
        b'{"command": "submit", "plan": {}}', b'{"command": "submit", "plan": 7}',
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused_in_words(line: bytes) -> None:
    with pytest.raises(WrongRequest, match=r"the request cannot be read: ."):
        read(line)


@pytest.mark.parametrize(
    ("leg", "rest", "says"),
    [
        ("", ', "quantity": 99999999999999999999', "quantity 99999999999999999999 must be"),  # beyond 64 bits
        (', "ratio": 99999999999999999999', "", "ratio 99999999999999999999 must be"),
        (', "limit_price": 99999999999999999999', "", "limit_price must be above 0 and below"),
        (', "limit_price": -1', "", "limit_price must be above 0"),
        ("", ', "strategy": "%s"' % ("x" * 10_000), "strategy 'xxx"),
        ("", ', "strategy": "a\\u0000b"', "strategy 'a\\x00b' must be 1 to 64 characters"),
        (
            "",
            ', "stops": [{"leg_id": "a", "trigger_price": 99999999999999999999}]',
            "needs a trigger_price above 0 and",
        ),
        ("", ', "legs": []', "the plan has no legs"),
    ],
)
def test_a_plan_that_no_table_could_hold_is_refused_before_anybody_gets_it(leg: str, rest: str, says: str) -> None:
    line = '{"command": "submit", "plan": ' + PLAN % (leg, rest) + "}"
    with pytest.raises(WrongRequest) as refusal:
        read(line.encode())
    assert says in str(refusal.value)
    assert len(str(refusal.value)) < 400


def test_the_socket_appears_when_it_is_listened_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, before = tmp_path / "s", []

    class Watched(socket.socket):
        def listen(self, backlog: int = 0, /) -> None:
            before.append(path.exists())
            super().listen(backlog)

    monkeypatch.setattr(socket, "socket", Watched)
    with closing(Door(path)):
        assert before == [False], "who waits for the file would be refused"
        assert list(tmp_path.iterdir()) == [path]


def test_what_a_dead_system_left_is_replaced(tmp_path: Path) -> None:
    for name in ("s", "~"):
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as left:
            left.bind(str(tmp_path / name))
    with closing(Door(tmp_path / "s")), closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as caller:
        caller.connect(str(tmp_path / "s"))
    assert [entry.name for entry in tmp_path.iterdir()] == ["s"]


def test_a_socket_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    with pytest.raises(OSError, match="directory"):
        Door(tmp_path / "s")
    assert [entry.name for entry in tmp_path.iterdir()] == ["s"]
