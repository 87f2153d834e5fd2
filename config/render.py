"""Shows a configuration as commented TOML, and writes the reference page; both are drawn from the schema's source.

``python -m config.render > docs/configuration.md`` brings the page up to date; a test holds it to that.
"""

from __future__ import annotations

import ast
import inspect
import io
import json
import sys
import tokenize
from functools import cache
from itertools import groupby
from typing import Any

import msgspec

from config import schema, strategies
from config.load import LIVE_CELLS, STRATEGY, settings
from config.schema import Config


@cache
def remarks() -> dict[tuple[str, str], str]:
    """What the schema's source says beside each key: (class name, field name) -> comment."""
    source = inspect.getsource(schema)
    comments: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            comments[token.start[0]] = token.string.lstrip("# ")
    found: dict[tuple[str, str], str] = {}
    for owner in ast.parse(source).body:
        if isinstance(owner, ast.ClassDef):
            for field in owner.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    lines = range(field.lineno, (field.end_lineno or field.lineno) + 1)
                    found[owner.name, field.target.id] = " ".join(comments[line] for line in lines if line in comments)
    return found


def render_toml(config: Config) -> str:
    """``config`` as TOML that :func:`config.load.load_config` reads back: each key with meaning, range, default."""
    blocks = []
    for section, keys in groupby(settings(), key=lambda setting: setting.section):
        table = getattr(config, section)
        lines = [*_comment(_heading(section)), f"[{section}]"]
        for setting in keys:
            remark = remarks().get((type(table).__name__, setting.key), "")
            lines += _comment("; ".join(filter(None, [remark, f"{setting.allowed}; default {_toml(setting.default)}"])))
            lines.append(f"{setting.key} = {_toml(getattr(table, setting.key))}")
        blocks.append("\n".join(lines))
    if config.strategy:
        blocks.append(strategies.as_tables(config.strategy))
    return "\n\n".join(blocks) + "\n"


def default_toml() -> str:
    """The whole default configuration as commented TOML."""
    return render_toml(Config())


def markdown() -> str:
    """The reference page."""
    lines = [
        "# Configuration",
        "",
        "One TOML file, given with `--config FILE`; every key has a default, so the file may be short or missing.",
        "A variable `LEGKEEPER_<SECTION>_<KEY>`, for example `LEGKEEPER_BROKER_PORT=19471`, wins over the file.",
        "An unknown key, a wrong type and a value out of range are errors that name the key and what is allowed.",
        "`python run_system.py config` prints the configuration in force in the form that the file has.",
        "",
        _second_paragraph(),
        "",
        "This page is generated from `config/schema.py`: `python -m config.render > docs/configuration.md`.",
    ]
    for section, keys in groupby(settings(), key=lambda setting: setting.section):
        lines += ["", f"## [{section}]", "", _heading(section), ""]
        lines += ["| key | default | allowed | meaning |", "|---|---|---|---|"]
        owner = type(getattr(Config(), section)).__name__
        lines += [
            f"| `{setting.key}` | `{_toml(setting.default)}` | {setting.allowed} "
            f"| {remarks().get((owner, setting.key), '')} |"
            for setting in keys
        ]
    return "\n".join([*lines, "", *strategies.markdown()]) + "\n"


def as_json(config: Config) -> dict[str, Any]:
    """``config`` as plain values, section by section."""
    values: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(config))
    found = [strategies.as_json(rules) for rules in config.strategy]
    sections = {key: value for key, value in values.items() if key not in (STRATEGY, LIVE_CELLS)}
    return sections | ({STRATEGY: found} if found else {})


def _heading(section: str) -> str:
    """The first line of the section's docstring, without the section's own name."""
    text = inspect.getdoc(type(getattr(Config(), section))) or ""
    words = " ".join(text.removeprefix(f"``[{section}]``").lstrip(":. ").split())
    return words[:1].upper() + words[1:]


def _second_paragraph() -> str:
    return " ".join((inspect.getdoc(schema) or "").split("\n\n")[1].split()).replace("``", "`")


def _comment(text: str) -> list[str]:
    return [f"# {text}"] if text else []


def _toml(value: Any) -> str:
    """A TOML number or string; JSON writes both in the same way."""
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    sys.stdout.write(markdown())
