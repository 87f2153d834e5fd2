"""Puts the families of commands together, and turns every error into one line and an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from types import ModuleType

import typer

from cli import (
    controls,
    differences,
    groups,
    journal,
    plans,
    reconciliation,
    rollout,
    settings,
    start,
    strategies,
    venue,
)
from cli.demo import command as demo
from cli.problems import BAD_INPUT, FAILED, exit_status

FAMILIES: tuple[ModuleType, ...] = (
    demo,
    start,
    venue,
    plans,
    controls,
    differences,
    groups,
    strategies,
    reconciliation,
    journal,
    rollout,
    settings,
)  # each has ``register(app)``; help shows this order

HELP = """Works multi-leg option orders leg by leg.

It ends each group hedged, flat, or halted with a person alerted.  A group is written as a plan file; docs/plans/ has
examples.  A first session:

\b
  submit docs/plans/bull_put.toml --dry-run   what would happen?
  submit docs/plans/bull_put.toml             do it
  show bull-put-1                             how far is it?
  journal explain bull-put-1                  and why?

Every command says more with --help.  The exit status is 0 when it was done, 1 when it was refused or failed, and 2 when
what was typed is wrong.
"""

# typer's own kind of error for a wrong command line; every version of typer has it, under different names
USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]


def build() -> typer.Typer:
    """The whole command line."""
    app = typer.Typer(
        name="legkeeper",
        help=HELP,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback(invoke_without_command=True)
    def top(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            typer.echo(context.get_help())

    for family in FAMILIES:
        family.register(app)
    return app


def run(arguments: Sequence[str]) -> int:
    """Carry out one command line and give its exit status; errors go to standard error as one line ``error: …``."""
    try:
        status = build()(args=list(arguments), prog_name="run_system.py", standalone_mode=False)
        sys.stdout.flush()
    except USAGE_ERROR as error:
        return _fail(f"{_usage(error)}; see --help", BAD_INPUT)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", 130)
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        known = exit_status(error)
        if known is None:
            raise
        return _fail(str(error), known)
    return status if isinstance(status, int) else 0


def main() -> None:
    """The entry point of ``run_system.py``."""
    sys.exit(run(sys.argv[1:]))


def _usage(error: Exception) -> str:
    describe = getattr(error, "format_message", None)
    return " ".join(str(describe() if describe else error).split()).rstrip(".")


def _fail(message: str, status: int) -> int:
    line = " ".join(message.split("\n"))
    sys.stderr.write(f"error: {line}\n")
    return status
