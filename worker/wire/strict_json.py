"""JSON, read strictly and in bounded time: no duplicate keys, no NaN, nothing deep, no endless numbers."""

import re
from json import JSONDecodeError, JSONDecoder
from typing import Final, NoReturn

from worker.wire.real import Real
from worker.wire.request import Unreadable, Why

DEPTH_MAX: Final = 64
INTEGER_DIGITS_MAX: Final = 4_300
"""What CPython converts by default; a longer integer takes quadratic time."""

_FRAMING_BYTES_MIN = 5
_BYTE_ORDER_MARK = "\ufeff"
_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)  # a string, whatever is in it, is one match


class _Refused(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, unreadable: Unreadable) -> None:
        self.unreadable = unreadable


def read_json(value: bytes) -> object | Unreadable:
    """The JSON value that these bytes are, objects as dicts; or why they are none."""
    if value[:1] == b"\0" and len(value) >= _FRAMING_BYTES_MIN:
        return Unreadable(
            Why.SCHEMA_REGISTRY_FRAMING,
            "The value begins with 0x00 and four bytes, as serializers of a schema registry write. Send plain JSON.",
        )
    try:
        text = value.decode()
    except UnicodeDecodeError as problem:
        return Unreadable(Why.NOT_UTF8, f"The value is not UTF-8 at byte {problem.start}.")
    if text.startswith(_BYTE_ORDER_MARK):
        return Unreadable(Why.BYTE_ORDER_MARK, "The value begins with a byte order mark; JSON has none.")
    if _is_too_deep(text):
        return Unreadable(Why.TOO_DEEP, f"The JSON is nested more than {DEPTH_MAX} deep.")
    try:
        value_read: object = _decode(text)
    except JSONDecodeError as problem:
        return Unreadable(Why.NOT_JSON, f"The value is not JSON at character {problem.pos}.")
    except _Refused as refused:
        return refused.unreadable
    return value_read


def _is_too_deep(text: str) -> bool:
    if text.count("{") + text.count("[") <= DEPTH_MAX:
        return False
    depth = 0
    for match in _BRACKETS.finditer(text):
        match text[match.start()]:
            case "{" | "[":
                depth += 1
                if depth > DEPTH_MAX:
                    return True
            case "}" | "]":
                depth -= 1
    return False


def _object(members: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(members)
    if len(value) != len(members):
        raise _Refused(Unreadable(Why.DUPLICATE_KEY, "An object in the JSON names a member twice."))
    return value


def _integer(digits: str) -> int:
    try:
        if len(digits) <= INTEGER_DIGITS_MAX:
            return int(digits)
    except ValueError:  # a limit lower than ours is set for this process
        pass
    raise _Refused(Unreadable(Why.NUMBER_TOO_LONG, f"A number has more than {INTEGER_DIGITS_MAX} digits."))


def _constant(_name: str) -> NoReturn:
    raise _Refused(Unreadable(Why.NOT_A_NUMBER, "NaN and Infinity are not JSON."))


_decode = JSONDecoder(
    object_pairs_hook=_object,
    parse_float=Real,
    parse_int=_integer,
    parse_constant=_constant,
).decode
