"""What can go wrong in a command, and the exit status that it ends with."""

from __future__ import annotations

from config.errors import ConfigError, PlanError
from decisions.groups.validation import PlanRefused
from storage.port import JournalError

BAD_INPUT = 2
FAILED = 1


class BadInput(Exception):
    """What was typed names something that does not exist, or does not make sense."""


class CommandFailed(Exception):
    """It was refused, or could not be done; the message says what to do."""


EXIT_STATUS: dict[type[Exception], int] = {
    BadInput: BAD_INPUT,
    ConfigError: BAD_INPUT,
    PlanError: BAD_INPUT,
    CommandFailed: FAILED,
    PlanRefused: FAILED,
    JournalError: FAILED,
}


def exit_status(error: Exception) -> int | None:
    """The status for an error of the operator's or the world's making; ``None`` for a bug of ours."""
    return next((status for kind, status in EXIT_STATUS.items() if isinstance(error, kind)), None)
