"""Instants: RFC 3339 with an offset on the way in, UTC with six fraction digits on the way out.

Read: lower-case `t` and `z` and the offset `-00:00` as well; not: a space for the `T`, a leap second,
more than six fraction digits, years outside 2000-9998 (counted in UTC), numbers.
"""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

YEAR_MIN = 2000
YEAR_MAX = 9998

_DATE = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
READ_PATTERN = rf"^{_DATE}[Tt]{_TIME}(\.[0-9]{{1,6}})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
WRITTEN_PATTERN = rf"^{_DATE}T{_TIME}\.[0-9]{{6}}Z$"
_READABLE = re.compile(READ_PATTERN)
_WRITTEN = re.compile(WRITTEN_PATTERN)


def parse_instant(text: str) -> datetime:
    """Read an instant as publishers write it; ValueError (never with the text in it) if it is none."""
    if not _READABLE.fullmatch(text):
        raise ValueError("not an RFC 3339 instant with an offset and at most six fraction digits")
    try:
        instant = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("not an instant of the calendar") from None
    if not YEAR_MIN <= instant.year <= YEAR_MAX:
        raise ValueError(f"not in the years {YEAR_MIN} to {YEAR_MAX}")
    return instant


def format_instant(instant: datetime) -> str:
    """Write an instant as `YYYY-MM-DDTHH:MM:SS.ffffffZ`; a naive one is a ValueError."""
    if instant.tzinfo is not UTC:
        if instant.tzinfo is None:
            raise ValueError("an instant needs an offset")
        instant = instant.astimezone(UTC)
    at = instant
    numbers = (at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond)
    return "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ" % numbers  # noqa: UP031 - half the time of isoformat


def _read(value: object) -> datetime:
    if isinstance(value, str):
        try:
            return parse_instant(value)
        except ValueError:
            pass
    raise PydanticCustomError(
        "INVALID_DATA",
        "Must be an RFC 3339 instant with an offset, at most six fraction digits, years 2000 to 9998.",
    )


def _read_written(value: object) -> datetime:
    if isinstance(value, str) and _WRITTEN.fullmatch(value):
        return _read(value)
    raise PydanticCustomError("INVALID_DATA", "Must be an instant written YYYY-MM-DDTHH:MM:SS.ffffffZ.")


Instant = Annotated[
    datetime,
    PlainValidator(_read),
    PlainSerializer(format_instant),
    WithJsonSchema(
        {
            "type": "string",
            "description": "RFC 3339 with an offset, at most six fraction digits, years 2000 to 9998 in UTC.",
            "format": "date-time",
            "pattern": READ_PATTERN,
            "maxLength": 32,
        }
    ),
]
"""An instant that a publisher sends."""

WrittenInstant = Annotated[
    datetime,
    PlainValidator(_read_written),
    PlainSerializer(format_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": WRITTEN_PATTERN, "maxLength": 27}),
]
"""An instant that the worker writes: UTC, always six fraction digits."""
