"""Bad input to a running system: one clear message, a status that is not 0, nothing lost, and nothing half sent."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from system import Bench, System, bench, wait_for

from config.paths import control_path

Command = Callable[..., Any]

WING, SHORT, SOON = "LEGK  260220P00470000", "LEGK  260220P00485000", "LEGK  260220C00530000"
BUY = f'[[legs]]\nsymbol = "{WING}"\nside = "buy"\n'
SELL = f'[[legs]]\nsymbol = "{SHORT}"\nside = "sell"\n'


class Running:
    """An exchange and a system, shared by all tests of this file."""

    def __init__(self, site: Bench, system: System) -> None:
        self.site, self.system = site, system

    def untouched(self) -> tuple[list[str], list[str], str]:
        """The groups, what reached the exchange, and how the first cell is."""
        groups = [group.group_id for group in self.site.groups()]
        orders = [event.client_order_id for event in self.site.truth() if event.kind == "order_received"]
        return groups, orders, self.system.processes()["cell-0"]["state"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with bench(tmp_path_factory.mktemp("system")) as site:
        system = site.start()
        system.wait_until_open()
        yield Running(site, system)
        system.stop()


@pytest.fixture
def tell(running: Running, command: Command) -> Command:
    """Carries out one command line on the shared system."""
    return lambda *words: command(*words, "--config", running.site.config_path)


@pytest.fixture
def forgetful() -> Iterator[None]:
    """An exchange that was started in this process leaves its logger configured, on a stream that pytest closes."""
    yield
    structlog.reset_defaults()


def plan(legs: str, quantity: str = "5", group_id: str = "bad-1") -> str:
    return f'group_id = "{group_id}"\nquantity = {quantity}\n{legs}'


@pytest.mark.parametrize(
    ("text", "status", "says"),
    [
        (plan(BUY.replace("P00470000", "P99999000")), 1, "the broker does not know 'LEGK  260220P99999000'; nearest"),
        (plan(BUY.replace("260220", "251219")), 1, "the broker does not know 'LEGK  251219P00470000'; nearest known"),
        (plan(SELL), 1, "5 of its 5 units sold are naked"),
        (plan(BUY + SELL + "ratio = 2\n"), 1, "5 of its 10 units sold are naked"),
        (plan(BUY + "limit_price = 5.2501\n"), 1, "tick 0.05; nearest: 5.25 or 5.3"),
        (plan(BUY, "200000"), 1, "split the group"),
        (plan(BUY + SELL + '[[stops]]\nleg_id = "leg1"\ntrigger_price = 20\n'), 1, "would sell the protection of leg2"),
        (plan(BUY + BUY), 2, "stands in more than one leg"),
        (plan(BUY, "0"), 2, "quantity = 0 is not allowed"),
        (plan(BUY, "nan"), 2, "quantity = NaN is not allowed"),
        (plan(BUY, "9" * 5_000), 2, "not valid TOML"),
        (plan(BUY + "limit_price = inf\n"), 2, "limit_price = Infinity is not allowed"),
        (plan(BUY, group_id="x" * 5_000), 2, "must be 1 to 64 letters"),
        (plan(""), 2, "missing key legs"),
        ("", 2, "missing key group_id"),
        ("a = " + "[" * 50_000, 2, "nested too deeply"),
    ],
)
def test_a_bad_plan_leaves_no_trace(
    running: Running, tell: Command, tmp_path: Path, text: str, status: int, says: str
) -> None:
    (tmp_path / "plan.toml").write_text(text)
    result = tell("submit", tmp_path / "plan.toml")
    assert (result.status, result.out) == (status, "")
    assert says in result.err
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1
    assert len(result.err) < 600, "clear means short"
    assert running.untouched() == ([], [], "open")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (b"null", "a plan is a table"),
        (b"\x00\xff\xfe" * 100, "not UTF-8 text"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"group_id": "b", "quantity": NaN, "legs": []}', "quantity = NaN is not allowed"),
        (
            b'{"group_id": "b", "quantity": 1, "strategy": "\\ud800", "legs": [{"symbol": "X", "side": "buy"}]}',
            "strategy '\\ud800' must be 1 to 64 characters that can be printed",
        ),
    ],
)
def test_a_file_that_is_no_plan_leaves_no_trace(
    running: Running, tell: Command, tmp_path: Path, content: bytes, says: str
) -> None:
    (tmp_path / "plan.json").write_bytes(content)
    result = tell("submit", tmp_path / "plan.json")
    assert (result.status, result.out) == (2, "")
    assert says in result.err
    assert running.untouched() == ([], [], "open")


def test_a_directory_is_no_plan(tell: Command, tmp_path: Path) -> None:
    (tmp_path / "plan.toml").mkdir()
    assert tell("submit", tmp_path / "plan.toml").err.endswith("cannot be read: is a directory\n")


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["cancel", "nobody"], 1, "there is no group 'nobody'; 'groups' lists them"),
        (["cancel", "x" * 300], 1, "the request cannot be read"),
        (["ack", "nothing", "--by", "maria"], 1, "no alert 'nothing' waits for anybody"),
        (["show", "nobody"], 2, "knows the group 'nobody'"),
        (["journal", "explain", "nobody"], 2, "knows the group 'nobody'"),
    ],
)
def test_an_unknown_id_is_named(running: Running, tell: Command, words: list[str], status: int, says: str) -> None:
    result = tell(*words)
    assert (result.status, result.out) == (status, "")
    assert says in result.err
    assert running.untouched() == ([], [], "open")


@pytest.mark.parametrize(
    "line",
    [
        b"garbage\n",
        b"\xff\xfe\x00\n",
        b"[" * 100_000 + b"\n",
        b'{"command": "kill_switch", "on": "false"}\n',
        b'{"command": "submit", "plan": {"group_id": "h", "quantity": 99999999999999999999, "legs": []}}\n',
        b'{"command": "submit", "plan": {"group_id": "h", "quantity": 1, "legs": [{"leg_id": "a", "symbol": "'
        + WING.encode()
        + b'", "side": "buy", "limit_price": 9223372036854775808}]}}\n',
    ],
)
def test_garbage_on_the_control_socket_is_answered_and_changes_nothing(running: Running, line: bytes) -> None:
    with _caller(running) as caller:
        caller.sendall(line)
        answer = json.loads(caller.makefile("rb").readline())
    assert answer["ok"] is False
    assert answer["error"]
    assert running.untouched() == ([], [], "open")


def test_a_price_beyond_everything_is_refused_by_the_controls_and_ends_flat(running: Running, tmp_path: Path) -> None:
    """The largest numbers that a plan may hold go through every table; the gateway's collar holds the order back."""
    tall = {"leg_id": "a", "symbol": SOON, "side": "buy", "limit_price": 10**18 - 500_000}
    with _caller(running) as caller:
        request = {"command": "submit", "plan": {"group_id": "tall", "quantity": 100, "legs": [tall]}}
        caller.sendall(json.dumps(request).encode() + b"\n")
        assert caller.makefile("rb").readline()
    site = running.site
    if site.groups():  # accepted, or refused for its margin: it must not reach the exchange
        wait_for(lambda: any(intent.reason for intent in site.intents("tall")), "the refusal")
    assert site.received("tall") == []
    assert running.system.processes()["cell-0"]["restarts"] == running.system.processes()["cell-1"]["restarts"] == 0


def test_those_who_say_half_a_line_do_not_hold_up_the_others(running: Running, tell: Command) -> None:
    with _caller(running) as one, _caller(running) as two, _caller(running):
        one.sendall(b'{"comm')
        two.sendall(b"{")
        assert tell("status").status == 0
        one.sendall(b'and": "status"}\n')
        assert json.loads(one.makefile("rb").readline())["ok"] is True, "it was late, and is served all the same"


def test_the_kill_switch_says_why_and_a_plan_is_taken_once(running: Running, tell: Command, tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(plan(BUY, group_id="good-1"))
    assert tell("kill-switch", "on").status == 0
    cell = wait_for(lambda: running.system.processes()["cell-1"]["state"] == "reduce-only", "the gates to close")
    assert cell
    assert tell("status").out.startswith("running, but no new risk is taken: the kill switch is on\n")
    refused = tell("submit", tmp_path / "plan.toml")
    assert (refused.status, refused.out) == (1, "")
    assert "not allowed at the moment: the kill switch is on; 'kill-switch off' ends that" in refused.err
    assert tell("kill-switch", "off").status == 0
    running.system.wait_until_open()
    assert tell("submit", tmp_path / "plan.toml").status == 0
    again = tell("submit", tmp_path / "plan.toml")
    assert (again.status, again.err) == (
        1, "error: group 'good-1' has been submitted before; choose another group_id\n",
    )  # fmt: skip
    running.site.wait_until_certified("good-1")
    received = running.site.received("good-1")
    assert received
    assert len(received) == len(set(received))


def _caller(running: Running) -> socket.socket:
    caller = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    caller.settimeout(15)
    caller.connect(str(control_path(running.site.journal_dir)))
    return caller


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["venue", "--rules", '{"no_such_rule": 1}'], "--rules: Object contains unknown field `no_such_rule`"),
        (["venue", "--rules", "x"], "--rules: JSON is malformed"),
        (["venue", "--speed", "nan"], "speed is nan; give a positive number"),
        (["venue", "--port", "99999"], "port is 99999; give 1 to 65535"),
        (["venue", "--port", "0", "--quotes", "missing.zip"], "missing.zip: no such file, and not the name of a LEAN"),
        (["venue", "--port", "0", "--truth", "missing/truth.jsonl"], "missing/truth.jsonl: no such file or directory"),
        (["demo", "--journal", __file__], "is not a directory"),
        (["demo", "--journal", str(Path(__file__).parent)], "is not empty"),
        (["demo", "--truth", __file__], "exists: a demonstration needs a new file"),
        (["demo", "--groups", "0"], "Invalid value for '--groups'"),
    ],
)
def test_a_bad_word_to_the_exchange_or_the_demo_is_named(command: Command, words: list[str], says: str) -> None:
    result = command(*words)
    assert (result.status, result.out) == (2, "")
    assert says in result.err
    assert "Traceback" not in result.err


@pytest.mark.usefixtures("forgetful")
def test_somebody_elses_file_is_never_taken_for_a_record(command: Command, tmp_path: Path) -> None:
    mine = tmp_path / "notes.txt"
    mine.write_text("first line\nlast line, without an end")
    result = command("venue", "--port", "0", "--truth", mine)
    assert (result.status, result.out) == (2, "")
    assert "exists and is no record of an exchange; name another file" in result.err
    assert mine.read_text() == "first line\nlast line, without an end"
