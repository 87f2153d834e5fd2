"""The reference page and the commented defaults."""

from __future__ import annotations

from pathlib import Path

from config.load import settings
from config.render import default_toml, markdown, remarks

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"


def test_the_reference_page_is_current() -> None:
    assert PAGE.read_text() == markdown(), "run: python -m config.render > docs/configuration.md"


def test_the_page_names_every_key() -> None:
    page = PAGE.read_text()
    for setting in settings():
        assert f"| `{setting.key}` |" in page


def test_a_comment_spread_over_several_lines_is_found() -> None:
    assert remarks()["OrdersConfig", "max_attempts"].startswith("attempts per slice")


def test_the_commented_default_tells_meaning_range_and_default() -> None:
    text = default_toml()
    assert "# levels before a person is called; a whole number from 1 to 9; default 3\ndepth = 3\n" in text
    assert "# Where things live.\n[system]\n" in text
