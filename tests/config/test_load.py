"""The configuration file and the environment."""

from __future__ import annotations

import os
import time
import tomllib
from pathlib import Path

import msgspec
import pytest

from config.errors import ConfigError
from config.load import Setting, load_config, settings
from config.render import as_json, default_toml, render_toml
from config.schema import Config
from domain.money import PRICE_SCALE


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "legkeeper.toml"
    path.write_text(text)
    return path


def refusal(path: Path | None, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as refused:
        load_config(path, environ or {})
    return str(refused.value)


def test_without_a_file_everything_has_its_default() -> None:
    assert load_config(None, {"PATH": "/bin", "LEGKEEPER_SHARED": "x"}) == Config()


def test_a_file_may_set_some_keys_only(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, "[broker]\nport = 7\n[hedge]\nconcession_pct = 3\n"), {})
    assert (config.broker.port, config.hedge.concession_pct) == (7, 3.0)
    assert config.orders == Config().orders


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    environ = {
        "LEGKEEPER_BROKER_PORT": "8",
        "LEGKEEPER_STOP_LOSS_OFFSET_PCT": "0.75",
        "LEGKEEPER_SYSTEM_JOURNAL_DIR": "elsewhere",
    }
    config = load_config(written(tmp_path, "[broker]\nport = 7\n"), environ)
    assert (config.broker.port, config.stop_loss.offset_pct, config.system.journal_dir) == (8, 0.75, "elsewhere")


def test_no_two_keys_share_a_variable() -> None:
    names = [setting.variable for setting in settings()]
    assert len(set(names)) == len(names) > 40


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[broker]\nprt = 1\n", ["unknown key broker.prt; did you mean port?"]),
        ("[broker]\nzzz = 1\n", ["unknown key broker.zzz; allowed: kind, host, port"]),
        ("[brokr]\nport = 1\n", ["unknown section [brokr]; did you mean broker"]),
        ("broker = 3\n", ["broker must be a table, written [broker], not 3"]),
        (
            '[broker]\nport = "7"\n',
            ["broker.port = '7' is not allowed; it must be a whole number from 1 to 65535"],
        ),
        ("[broker]\nport = 70000\n", ["broker.port = 70000 is not allowed"]),
        ("[broker]\nport = true\n", ["broker.port = True is not allowed"]),
        ("[system]\ncells = 2.5\n", ["system.cells = 2.5 is not allowed; it must be a whole number from 1 to 25"]),
        ("[orders]\nmax_cancels = 0\n", ["max_cancels = 0 is not allowed; it must be a whole number from 1 to"]),
        ("[hedge]\nconcession_pct = nan\n", ["concession_pct = nan is not allowed; it must be a number from 0 to 100"]),
        ("[hedge]\nconcession_pct = inf\n", ["hedge.concession_pct = inf is not allowed"]),
        ("[reconciliation]\npoll_ms = 12001\n", ["it must be a whole number from 1000 to 12000"]),
        ('[system]\nlog_level = "loud"\n', ["it must be one of debug, info, warning, error"]),
        ('[broker]\nkind = "other"\n', ["broker.kind = 'other' is not allowed; it must be one of embedded"]),
        ('[system]\njournal_dir = ""\n', ["system.journal_dir = '' is not allowed; it must be text, not empty"]),
        ('[system]\njournal_dir = "a\\u0000b"\n', ["journal_dir = 'a\\x00b' is not allowed; it must be text,"]),
        ('[alerts]\nurls = ["json://a", "b\\u0000"]\n', ["alerts.urls = ", "none empty, UTF-8 without NUL"]),
        ('[reconciliation]\nend_of_day = "close\\n"\n', ["reconciliation.end_of_day = 'close\\n' is not allowed"]),
        (
            f"[orders]\nworking_timeout_ms = {10**23}\n",
            [f"orders.working_timeout_ms = {10**23} is not allowed; it must be a whole number from 1 to 2000000000"],
        ),
        ("[broker]\nport = \n", ["not valid TOML", "line 2"]),
        ("[broker]\nport = 1\nport = 2\n", ["not valid TOML", "line 3"]),
        (
            "[broker]\nport = -1\nhots = 1\n[hedge]\ndepth = 10\n",
            ["broker.port = -1", "unknown key broker.hots; did you mean host", "hedge.depth = 10"],
        ),
        ('[rollout]\nmode = "half"\n', ["rollout.mode = 'half' is not allowed; it must be one of live, paper,"]),
        ("[rollout]\nlive_share_pct = 101\n", ["it must be a whole number from 0 to 100"]),
        ("[rollout]\nlive_share_pct = 12.5\n", ["it must be a whole number from 0 to 100"]),
        ('[rollout]\nmode = "rollout"\n[paper]\nport = 19471\n', ["paper.port = 19471 is broker.port too"]),
        ('[rollout]\nmode = "paper"\nlive_share_pct = 10\n', ["means nothing when rollout.mode is paper"]),
        ('[paper]\nquotes = "live"\nreplay = "day.zip"\n', ["paper.replay = 'day.zip' means nothing"]),
        ("[controls]\nreserved_tokens = 200\n", ["reserved_tokens = 200 leaves nothing for new orders"]),
        (
            "[controls]\norders_per_second = 3\nreserved_tokens = 1\n[reconciliation]\npoll_ms = 1000\n",
            ["a poll every 1000 ms takes 2 requests: 0 a second are left for new orders"],
        ),
        ("[supervision]\nbackoff_ms = 3000\n", ["supervision.backoff_ms = 3000 must not exceed"]),
        ("[supervision]\nheartbeat_ms = 5000\n", ["must be below supervision.heartbeat_timeout_ms = 5000"]),
        ("[alerts]\nfreeze_after_ms = 1\n", ["alerts.repeat_ms = 30000 must not exceed alerts.freeze_after_ms = 1"]),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_is_named_with_what_is_allowed(tmp_path: Path, text: str, says: list[str]) -> None:
    path = written(tmp_path, text)
    message = refusal(path)
    assert str(path) in message
    for part in says:
        assert part in message


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"LEGKEEPER_BROKER_PRT": "1"}, "unknown variable LEGKEEPER_BROKER_PRT; did you mean LEGKEEPER_BROKER_PORT"),
        (
            {"LEGKEEPER_BROKER_PORT": "x"},
            "environment variable LEGKEEPER_BROKER_PORT: broker.port = 'x' is not allowed",
        ),
        ({"LEGKEEPER_BROKER_PORT": "1.5"}, "broker.port = '1.5' is not allowed"),
        ({"LEGKEEPER_HEDGE_CONCESSION_PCT": "nan"}, "hedge.concession_pct = nan is not allowed"),
        ({"LEGKEEPER_SYSTEM_LOG_LEVEL": "LOUD"}, "it must be one of debug, info, warning, error"),
        ({"LEGKEEPER_ALERTS_FREEZE_AFTER_MS": "1"}, "environment: alerts.repeat_ms"),
        ({"LEGKEEPER_SYSTEM_JOURNAL_DIR": os.fsdecode(b"caf\xe9")}, "must be text, not empty, UTF-8 without NUL"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(environ: dict[str, str], says: str) -> None:
    assert says in refusal(None, environ)


BOOLEANS = [setting for setting in settings() if setting.type is bool]


@pytest.mark.parametrize("setting", BOOLEANS, ids=lambda setting: setting.name)
def test_a_variable_switches_a_boolean_on_and_off_and_nothing_else_is_taken_for_one(setting: Setting) -> None:
    for text, value in {
        "true": True,
        "TRUE": True,
        "True": True,
        "false": False,
        "False": False,
        "FALSE": False,
    }.items():
        config = load_config(None, {setting.variable: text})
        assert getattr(getattr(config, setting.section), setting.key) is value
    for text in ("", "0", "1", "no", "yes", "off", " false"):
        expected = (
            f"environment variable {setting.variable}: {setting.name} = {text!r} is not allowed; it must be true or"
        )
        assert expected in refusal(None, {setting.variable: text})


def test_every_number_has_a_range_and_what_is_beyond_it_is_refused() -> None:
    kinds = {setting: msgspec.inspect.type_info(setting.type) for setting in settings()}
    numbers = {
        setting: kind
        for setting, kind in kinds.items()
        if isinstance(kind, msgspec.inspect.IntType | msgspec.inspect.FloatType)
    }
    assert len(numbers) > 40
    for setting, kind in numbers.items():
        assert kind.ge is not None and kind.le is not None, setting.name
        for beyond in (kind.le + 1, 10**23, kind.ge - 1):
            said = refusal(None, {setting.variable: str(beyond)})
            assert f"{setting.name} = " in said
            assert f"it must be {setting.allowed}" in said


def test_a_configuration_of_the_largest_numbers_fits_every_timer_letter_and_column() -> None:
    values: dict[str, dict[str, object]] = {}
    for setting in settings():
        kind = msgspec.inspect.type_info(setting.type)
        if isinstance(kind, msgspec.inspect.IntType):
            assert kind.le is not None
            values.setdefault(setting.section, {})[setting.key] = kind.le
            if setting.key.endswith("_ms"):
                assert kind.le < 2**31  # poll and epoll take 32 bits
                assert time.time_ns() + 10 * kind.le * 10**6 < 2**63  # and ten waits from now are still a moment
    config = msgspec.convert(values, Config)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(config), type=Config) == config
    assert config.controls.max_working_notional * PRICE_SCALE < 2**63
    assert config.retention.keep_days * 86_400 * 10**9 < 2**63


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    assert refusal(tmp_path / "missing.toml").endswith("missing.toml: cannot be read: no such file or directory")
    assert "cannot be read: is a directory" in refusal(tmp_path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    assert "not UTF-8 text" in refusal(binary)


def test_the_rendered_default_is_the_default(tmp_path: Path) -> None:
    assert load_config(written(tmp_path, default_toml()), {}) == Config()


def test_a_rendered_configuration_reads_back_as_itself(tmp_path: Path) -> None:
    environ = {"LEGKEEPER_SYSTEM_JOURNAL_DIR": 'a "b"\\ü\U0001f600', "LEGKEEPER_HEDGE_DEPTH": "5"}
    config = load_config(None, environ)
    assert load_config(written(tmp_path, render_toml(config)), {}) == config


def test_json_and_toml_say_the_same() -> None:
    assert tomllib.loads(default_toml()) == as_json(Config())


def test_a_list_comes_from_the_file_and_from_a_variable_with_spaces_between(tmp_path: Path) -> None:
    path = tmp_path / "legkeeper.toml"
    path.write_text('[alerts]\nurls = ["json://a", "CRITICAL:json://b"]\n')
    assert load_config(path, {}).alerts.urls == ("json://a", "CRITICAL:json://b")
    assert load_config(path, {"LEGKEEPER_ALERTS_URLS": "json://c  json://d"}).alerts.urls == ("json://c", "json://d")


@pytest.mark.parametrize("value", ['"json://a"', "[1]", '[""]'])
def test_a_list_that_is_none_is_refused(tmp_path: Path, value: str) -> None:
    path = tmp_path / "legkeeper.toml"
    path.write_text(f"[alerts]\nurls = {value}\n")
    with pytest.raises(ConfigError, match=r"alerts\.urls = .* must be a list of texts, none empty"):
        load_config(path, {})
