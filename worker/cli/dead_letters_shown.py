"""A dead letter as people and programs get to see it. Nothing of it reaches a terminal as it came."""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from schemas.instants import format_instant
from worker.cli.console import print_facts, print_parts, say
from worker.recovery.dead_letters import Fate, Letter

_SHOWN_BYTES_MAX: Final = 16 * 1024
_SAID_BYTES_MAX: Final = 256
_HEX_BYTES: Final = 16


def print_letter(letter: Letter, done: Sequence[Fate], *, as_hex: bool) -> None:
    """Everything about it, and its value as text or in hexadecimal."""
    print_facts(
        [
            ("letter", letter.name),
            ("reason", letter.reason),
            ("detail", letter.detail),
            ("organization", letter.organization),
            ("sent", written(datetime.fromtimestamp(letter.timestamp / 1000, letter.at.tzinfo))),
            ("decided", written(letter.at)),
            ("missing", letter.missing),
            ("key", _said(letter.key)),
            *((f"header {escaped(name)}", _said(value)) for name, value in letter.headers),
            *((fate.word, f"{written(fate.at)} by {fate.who}: {fate.id or fate.reason}") for fate in done),
        ]
    )
    if letter.value is None:
        print_parts("(null)")
        return
    text = None if as_hex else _as_text(letter.value[:_SHOWN_BYTES_MAX])
    for line in _hex(letter.value[:_SHOWN_BYTES_MAX]) if text is None else text.split("\n"):
        print_parts(escaped(line))
    if (more := len(letter.value) - _SHOWN_BYTES_MAX) > 0:
        say(f"and {more:,} more bytes: --raw hands out all of them")


def escaped(text: str) -> str:
    r"""The text with whatever moves a cursor, hides or reorders other text written as `\x1b`, and nothing lost."""
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(
        letter if letter.isprintable() and letter != "\\" else letter.encode("unicode_escape").decode()
        for letter in text
    )


def _as_text(value: bytes) -> str | None:
    """The bytes as text, even if the last character was cut; None where they are none."""
    try:
        return value.decode()
    except UnicodeDecodeError as problem:
        is_cut = len(value) == _SHOWN_BYTES_MAX and problem.start >= len(value) - 3
        return value[: problem.start].decode() if is_cut else None


def _hex(value: bytes) -> list[str]:
    rows = [(at, value[at : at + _HEX_BYTES]) for at in range(0, len(value), _HEX_BYTES)]
    return [
        f"{at:08x}  {part.hex(' '):<{_HEX_BYTES * 3}} "
        + "".join(chr(byte) if 0x20 <= byte < 0x7F and byte != 0x5C else "." for byte in part)  # noqa: PLR2004
        for at, part in rows
    ]


def _said(value: bytes | None) -> str | None:
    """A key or header, never longer than a line or two."""
    if value is None:
        return "(null)"
    cut = value[:_SAID_BYTES_MAX]
    try:
        said = escaped(cut.decode())
    except UnicodeDecodeError:
        said = "0x" + cut.hex()
    return said + (f" and {more} more bytes" if (more := len(value) - _SAID_BYTES_MAX) > 0 else "")


def written(at: datetime) -> str:
    """An instant as the contract writes it."""
    return format_instant(at)


def state_of(done: Sequence[Fate]) -> str:
    """What became of it."""
    return done[-1].word if done else "open"


def as_row(letter: Letter, done: Sequence[Fate]) -> dict[str, Any]:
    """The letter without its headers and value, for programs."""
    return {
        "letter": letter.name,
        "at": written(letter.at),
        "reason": letter.reason,
        "detail": letter.detail,
        "organization": letter.organization,
        "bytes": None if letter.value is None else len(letter.value),
        "missing": letter.missing,
        "state": state_of(done),
        "acts": [
            {"act": fate.word, "at": written(fate.at), "who": fate.who, "id": fate.id, "reason": fate.reason}
            for fate in done
        ],
        "key": _value_as_json(letter.key),
    }


def as_whole(letter: Letter, done: Sequence[Fate]) -> dict[str, Any]:
    """The same with them; bytes that are no text as Base64."""
    return as_row(letter, done) | {"headers": _headers_as_json(letter), **_value_as_json(letter.value)}


def _headers_as_json(letter: Letter) -> list[Mapping[str, Any]]:
    return [{"name": name, **_value_as_json(value)} for name, value in letter.headers]


def _value_as_json(value: bytes | None) -> dict[str, Any]:
    if value is None:
        return {"value": None}
    try:
        return {"value": value.decode()}
    except UnicodeDecodeError:
        return {"valueBase64": base64.b64encode(value).decode()}
