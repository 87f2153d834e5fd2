"""Reads the configuration: one TOML file, then environment variables over it, then every value is checked.

A variable is ``LEGKEEPER_<SECTION>_<KEY>``, for example ``LEGKEEPER_BROKER_PORT=19471``; a list is written with spaces
between its items.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from config.errors import ConfigError, nearest, read_text
from config.schema import Changes, Config, Factors, PaperConfig, Text, Texts, Time
from config.strategies import read_strategies
from domain.strategies import StrategyRules

PREFIX = "LEGKEEPER_"
STRATEGY = "strategy"  # the name of the repeated tables
LIVE_CELLS = "live_cells"
NOT_SETTINGS = frozenset({"LEGKEEPER_SHARED"})  # where the tests look for reference material

MODES = ("live", "paper", "rollout")
QUOTES = ("replay", "live")
BOOLEANS = {"true": True, "false": False}  # as a variable may say it, in any case of letters
CHOICES: dict[tuple[str, str], tuple[str, ...]] = {
    ("system", "log_level"): ("debug", "info", "warning", "error"),
    ("broker", "kind"): ("embedded",),
    ("broker", "calendar"): ("always", "us_options", "nse"),
    ("rollout", "mode"): MODES,
    ("paper", "quotes"): QUOTES,
}


class Setting(msgspec.Struct, frozen=True):
    """One key of the schema."""

    section: str
    key: str
    type: Any
    default: Any

    @property
    def name(self) -> str:
        """The key as it is written in error messages."""
        return f"{self.section}.{self.key}"

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"{PREFIX}{self.section}_{self.key}".upper()

    @property
    def allowed(self) -> str:
        """What values are allowed, in words."""
        choices = CHOICES.get((self.section, self.key))
        if choices:
            return "one of " + ", ".join(choices)
        if self.type == Time:
            return '"close", a time of day such as "20:15", or "" for none'
        if self.type == Text:
            return "text, not empty, UTF-8 without NUL"
        if self.type == Texts:
            return "a list of texts, none empty, UTF-8 without NUL"
        if self.type is bool:
            return "true or false"
        if self.type in (Changes, Factors):
            item = msgspec.inspect.type_info(self.type).item_type  # type: ignore[attr-defined]
            return f"a list of numbers from {item.ge:g} to {item.le:g}"
        kind = msgspec.inspect.type_info(self.type)
        if isinstance(kind, msgspec.inspect.IntType):
            return f"a whole number from {kind.ge} to {kind.le}"
        return f"a number from {kind.ge:g} to {kind.le:g}"  # type: ignore[attr-defined]


def settings() -> Iterator[Setting]:
    """Every key of the schema, in its order."""
    for section in msgspec.structs.fields(Config):
        if section.name in (STRATEGY, LIVE_CELLS):
            continue  # tables of its own kind (config/strategies.py), and what config/realms.py adds
        for field in msgspec.structs.fields(section.type):
            yield Setting(section.name, field.name, field.type, field.default)


def load_config(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The configuration of ``path`` (``None``: defaults only) with the variables of ``environ`` over it.

    Raises :class:`ConfigError` naming every problem: file or variable, key, value, and what is allowed.
    """
    known = {(setting.section, setting.key): setting for setting in settings()}
    problems: list[str] = []
    values: dict[str, dict[str, Any]] = {}
    strategies: tuple[StrategyRules, ...] = ()
    if path is not None:
        tables = _tables(path)
        strategies = _strategies(path, tables.pop(STRATEGY, []), problems)
        for section, key, value in _entries(path, tables, problems):
            _take(str(path), known.get((section, key)), value, values, problems)
    for variable, text in sorted(environ.items()):
        if variable.startswith(PREFIX) and variable not in NOT_SETTINGS:
            setting = next((setting for setting in known.values() if setting.variable == variable), None)
            if setting is None:
                names = [setting.variable for setting in known.values()]
                problems.append(f"environment: unknown variable {variable}; {nearest(variable, names)}")
            else:
                _take(f"environment variable {variable}", setting, _from_text(text, setting), values, problems)
    if problems:
        raise ConfigError("; ".join(problems))
    config = msgspec.structs.replace(msgspec.convert(values, Config), strategy=strategies)
    contradictions = [text for wrong, text in _contradictions(config) if wrong]
    if contradictions:
        raise ConfigError(f"{path or 'environment'}: {'; '.join(contradictions)}")
    return config


def _tables(path: Path) -> dict[str, Any]:
    """The file as it stands there."""
    try:
        return tomllib.loads(read_text(path, ConfigError))
    except ValueError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: not a configuration: values are nested too deeply") from None


def _strategies(path: Path, tables: Any, problems: list[str]) -> tuple[StrategyRules, ...]:
    found: list[str] = []
    strategies = read_strategies(tables, found)
    problems += [f"{path}: {problem}" for problem in found]
    return strategies


def _entries(path: Path, tables: Mapping[str, Any], problems: list[str]) -> Iterator[tuple[str, str, Any]]:
    """(section, key, value) of every known key in the file; what is unknown goes to ``problems``."""
    keys: dict[str, list[str]] = {}
    for setting in settings():
        keys.setdefault(setting.section, []).append(setting.key)
    for section, table in tables.items():
        if section not in keys:
            problems.append(f"{path}: unknown section [{section}]; {nearest(section, [*keys, STRATEGY])}")
        elif not isinstance(table, dict):
            problems.append(f"{path}: {section} must be a table, written [{section}], not {table!r}")
        else:
            for key, value in table.items():
                if key in keys[section]:
                    yield section, key, value
                else:
                    problems.append(f"{path}: unknown key {section}.{key}; {nearest(key, keys[section])}")


def _take(
    where: str, setting: Setting | None, value: Any, values: dict[str, dict[str, Any]], problems: list[str]
) -> None:
    """Put a checked value into ``values``, or say in ``problems`` why it cannot be."""
    if setting is None:
        return
    choices = CHOICES.get((setting.section, setting.key))
    try:
        checked = msgspec.convert(value, setting.type)
        fits = not choices or checked in choices
    except msgspec.ValidationError:
        fits = False
    if fits:
        values.setdefault(setting.section, {})[setting.key] = checked
    else:
        problems.append(f"{where}: {setting.name} = {value!r} is not allowed; it must be {setting.allowed}")


def _from_text(text: str, setting: Setting) -> Any:
    """The variable's text as the type that the key wants; the text itself when it is not of that type."""
    kind = type(setting.default)
    if kind is str:
        return text
    if kind is bool:
        return BOOLEANS.get(text.lower(), text)
    try:
        if setting.type in (Changes, Factors):
            return [float(item) for item in text.split()]
        if kind is tuple:
            return text.split()
        return kind(text)
    except ValueError:
        return text


POLL_ASKS = 2  # requests: the account's funds, and all orders and positions
POLL_LEAVES = 1  # requests a second, at least, for new orders: queries go before them (E7)


def _contradictions(config: Config) -> list[tuple[bool, str]]:
    """Values that are allowed alone and make no sense together: (is it so, what to say)."""
    controls, supervision, alerts = config.controls, config.supervision, config.alerts
    rollout, paper, broker = config.rollout, config.paper, config.broker
    poll_ms = min(config.reconciliation.poll_ms, config.reconciliation.positions_ms)
    left = controls.orders_per_second - controls.reserved_tokens - POLL_ASKS * 1_000 / poll_ms
    return [
        (
            rollout.mode != "live" and paper.port == broker.port,
            f"paper.port = {paper.port} is broker.port too: orders on paper must have an exchange of their own",
        ),
        (
            rollout.mode == "paper" and rollout.live_share_pct > 0,
            f"rollout.live_share_pct = {rollout.live_share_pct} means nothing when rollout.mode is paper; set the mode "
            "to rollout, or the share to 0",
        ),
        (
            paper.quotes == "live" and paper.replay != PaperConfig().replay,
            f"paper.replay = {paper.replay!r} means nothing when paper.quotes is live; leave one of them out",
        ),
        (
            alerts.retry_ms > alerts.retry_max_ms,
            f"alerts.retry_ms = {alerts.retry_ms} must not exceed alerts.retry_max_ms = {alerts.retry_max_ms}",
        ),
        (
            controls.reserved_tokens >= controls.orders_per_second,
            f"controls.reserved_tokens = {controls.reserved_tokens} leaves nothing for new orders; it must be below "
            f"controls.orders_per_second = {controls.orders_per_second}",
        ),
        (
            controls.reserved_tokens < controls.orders_per_second and left < POLL_LEAVES,
            f"a poll every {poll_ms} ms takes {POLL_ASKS} requests: {left:.2g} a second are left for new orders, "
            f"and {POLL_LEAVES} must be: of controls.orders_per_second = {controls.orders_per_second} the reserve is "
            f"{controls.reserved_tokens}; raise the former as far as the broker allows, or reconciliation.poll_ms and "
            "positions_ms",
        ),
        (
            supervision.backoff_ms > supervision.backoff_max_ms,
            f"supervision.backoff_ms = {supervision.backoff_ms} must not exceed supervision.backoff_max_ms = "
            f"{supervision.backoff_max_ms}",
        ),
        (
            supervision.heartbeat_ms >= supervision.heartbeat_timeout_ms,
            f"supervision.heartbeat_ms = {supervision.heartbeat_ms} must be below supervision.heartbeat_timeout_ms = "
            f"{supervision.heartbeat_timeout_ms}",
        ),
        (
            alerts.repeat_ms > alerts.freeze_after_ms,
            f"alerts.repeat_ms = {alerts.repeat_ms} must not exceed alerts.freeze_after_ms = {alerts.freeze_after_ms}",
        ),
    ]
