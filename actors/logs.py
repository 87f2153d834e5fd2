"""Structured logs: one JSON line per event, appended to ``<journal_dir>/legkeeper.log`` by every process.

Thespian forwards each record of the standard library's logging to its log director; these lines go straight to the
file instead (one ``write`` per line on a descriptor opened for appending, so lines never mix).
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import structlog

from config.schema import Config

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class _LineFile:
    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def write_line(self, line: str) -> None:
        try:
            os.write(self._fd, line.encode() + b"\n")
        except OSError:
            return  # a full disk must not stop a hedge

    msg = debug = info = warning = error = critical = exception = fatal = warn = log = write_line


def log_path(config: Config) -> Path:
    """Where the processes of a system log to."""
    return Path(config.system.journal_dir) / "legkeeper.log"


def open_log(config: Config, process: str) -> structlog.typing.FilteringBoundLogger:
    """The logger of this process."""
    lines = _LineFile(log_path(config))
    logger: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        lines,
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS.get(config.system.log_level, logging.INFO)),
        process=process,
        pid=os.getpid(),
    )
    return logger
