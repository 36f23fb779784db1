"""Logs: one event name each, JSON lines for machines, readable on a terminal. Never payloads or secrets."""

import logging
import re
import sys
import traceback
from typing import Any, TextIO

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import ExcInfo, Processor

from worker.settings import Log

# Never with locals: they hold payloads and secrets.
_TRANSFORM = ExceptionDictTransformer(show_locals=False)

_QUIET = ("aiokafka", "alembic", "faststream")

_TELLS_DATA = re.compile(r"^(?:DETAIL:|HINT:|CONTEXT:|WHERE:|\[SQL: |\[parameters: )")
"""What errors of the database say beside their first line: the row that failed, and so what people wrote into it."""


def configure(log: Log) -> None:
    """Send everything to stderr: stdout is for results."""
    level = logging.getLevelNamesMapping()[log.level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    for_people = log.format == "console" or (log.format == "auto" and sys.stderr.isatty())
    renderers: list[Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=_for_people)]
        if for_people
        else [structlog.processors.ExceptionRenderer(_for_machines), structlog.processors.JSONRenderer()]
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
    for name in _QUIET:
        # The clients report every hiccup that the worker itself waits out, retries and reports; and what they say
        # below warnings holds the bytes of records.
        logging.getLogger(name).setLevel(logging.WARNING if level == logging.DEBUG else logging.CRITICAL)


def _without_data(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not _TELLS_DATA.match(line))


def _for_machines(exc_info: ExcInfo) -> list[dict[str, Any]]:
    told = _TRANSFORM(exc_info)
    for error in told:
        error["exc_value"] = _without_data(error["exc_value"])
    return told


def _for_people(out: TextIO, exc_info: ExcInfo) -> None:
    out.write("\n" + _without_data("".join(traceback.format_exception(*exc_info))))
