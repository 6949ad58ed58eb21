"""How the house logs: to standard error, a line an event; for people on a terminal, as JSON everywhere else."""

from __future__ import annotations

import logging
import sys

import structlog


def configure_logs() -> None:
    """Set this up; warnings and worse are said.

    A traceback never shows the values of locals: where `rich` is there, structlog prints those by itself, names and
    phones among them. Standard output is for what a command answers.
    """
    terminal = sys.__stderr__ is not None and sys.__stderr__.isatty()
    last: tuple[structlog.typing.Processor, ...] = (
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    )
    if terminal:
        last = (structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.__stderr__),
    )
