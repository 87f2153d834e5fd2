"""``config``: the configuration in force."""

from __future__ import annotations

import typer

from cli.options import AsJson, ConfigFile, configuration
from cli.render import print_json, print_lines
from config.render import as_json, render_toml


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("config")(show_config)


def show_config(config: ConfigFile = None, as_json_document: AsJson = False) -> None:
    """Print the configuration as commented TOML.

    Every key is there with its meaning, its range and its default.

    Without --config these are the defaults, ready to be saved and edited; with it, the values in force. Environment
    variables (LEGKEEPER_<SECTION>_<KEY>) are included.

    \b
    Example:
      python run_system.py config > legkeeper.toml
    """
    values = configuration(config)
    if as_json_document:
        print_json(as_json(values))
    else:
        print_lines([render_toml(values).rstrip("\n")])
