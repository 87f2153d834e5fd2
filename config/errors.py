"""What the operator got wrong in a file or a variable, said so that it can be mended at once."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


class ConfigError(Exception):
    """The configuration cannot be used; the message names the file or variable, the key, and what is allowed."""


class PlanError(Exception):
    """A plan file cannot be read as a plan; the message names the file, the key, and what is allowed."""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """A hint for an unknown ``name``: the allowed names that look like it, else all of them."""
    names = list(allowed)
    near = get_close_matches(name, names, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(near)}?" if near else f"allowed: {', '.join(names)}"


def read_text(path: Path, error: type[ConfigError | PlanError]) -> str:
    """The file's text; ``error`` when it is not there, may not be read, or is not UTF-8.  Skips a byte order mark."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise error(f"{path}: not UTF-8 text; save the file as UTF-8") from None
    except OSError as reason:
        raise error(f"{path}: cannot be read: {(reason.strerror or str(reason)).lower()}") from None
