"""Logs: one event name each, JSON lines for machines, readable on a terminal. Never payloads or secrets."""

import logging
import sys

import structlog

from worker.settings import Log

# Never with locals: they hold payloads and secrets.
_TRACEBACKS = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)

_QUIET = ("aiokafka", "alembic", "faststream")


def configure(log: Log) -> None:
    """Send everything to stderr: stdout is for results."""
    level = logging.getLevelNamesMapping()[log.level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    for_people = log.format == "console" or (log.format == "auto" and sys.stderr.isatty())
    renderers: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if for_people
        else [structlog.processors.ExceptionRenderer(_TRACEBACKS), structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _QUIET:  # the clients report every hiccup that the worker itself waits out, retries and reports
        logging.getLogger(name).setLevel(level if level == logging.DEBUG else logging.CRITICAL)
