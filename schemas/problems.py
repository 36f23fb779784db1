"""What is wrong with the data of a command, told without repeating any of it."""

import re
from dataclasses import dataclass
from itertools import islice
from typing import Final

from pydantic_core import ErrorDetails

from schemas.cards import carries_card_number
from schemas.rejections import RejectionCode

PROBLEMS_MAX: Final = 500
"""So many are told of one command; a last one says that there are more."""
FIELD_NAME_CHARACTERS_MAX: Final = 64

CONTRADICTION: Final = "contradiction"
"""The kind of error under which a model that contradicts itself is refused; told by other means."""

_OF_A_NAME = ("[key]",)
_SURROGATE = re.compile("[\ud800-\udfff]")
_NESTING_MAX = 4  # deeper than any field of any command

_SENTENCES: dict[str, str] = {
    "missing": "This field is required.",
    "extra_forbidden": "There is no such field.",
    "model_type": "Must be an object.",
    "model_attributes_type": "Must be an object.",
    "dict_type": "Must be an object.",
    "tuple_type": "Must be an array.",
    "string_type": "Must be a string.",
    "string_unicode": "Must not contain lone surrogates.",
    "string_too_long": "Is too long.",
    "string_pattern_mismatch": "Must match {pattern}",
    "literal_error": "Must be {expected}.",
    "int_type": "Must be an integer.",
    "bool_type": "Must be true or false.",
    "greater_than_equal": "Must be at least {ge}.",
    "less_than_equal": "Must be at most {le}.",
    "too_short": "Must have at least {min_length} entries.",
    "too_long": "Must have at most {max_length} entries.",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong; `path` is a JSON pointer (RFC 6901) into the data, empty for the data itself.

    A pointer names at most 64 characters of a field's name, `?` in place of what could hide or reorder text.
    """

    code: RejectionCode
    message: str
    path: str


def problems_of(errors: list[ErrorDetails]) -> list[Problem]:
    """Translate what pydantic found; its own sentences can repeat the input, so they are not used."""
    refused_names = {error["loc"][:-1] for error in errors if error["loc"][-1:] == _OF_A_NAME}
    # Of a list with a wrong entry pydantic also says that it is too short: only the right ones are counted.
    within = {error["loc"][:-1] for error in errors}
    told = (
        error
        for error in errors
        if error["type"] != CONTRADICTION and not (error["type"] == "too_short" and error["loc"] in within)
    )
    return [_problem(error, refused_names) for error in islice(told, PROBLEMS_MAX + 1)]


def has_illegible_name(errors: list[ErrorDetails]) -> bool:
    """Tell whether a lone surrogate in a field's name may have hidden other problems."""
    return any(error["type"] == "string_unicode" for error in errors)


def bounded(problems: list[Problem]) -> list[Problem]:
    """Keep the answer to a broken command smaller than a record may be."""
    if len(problems) <= PROBLEMS_MAX:
        return problems
    return [
        *problems[: PROBLEMS_MAX - 1],
        Problem(RejectionCode.INVALID_DATA, "There are more problems than are listed here.", ""),
    ]


def with_legible_names(value: object, nesting: int = _NESTING_MAX) -> object:
    """Replace lone surrogates in field names, at which pydantic stops looking; the names stay refused."""
    match value:
        case dict() if nesting:
            return {_SURROGATE.sub("\0", k): with_legible_names(v, nesting - 1) for k, v in value.items()}
        case _:
            return value


def pointer(*names: str | int) -> str:
    """Build a JSON pointer whose names are safe to print."""
    return "".join(f"/{_safe(str(name))}" for name in names)


def _problem(error: ErrorDetails, refused_names: set[tuple[int | str, ...]]) -> Problem:
    field = error["loc"]
    if field[-1:] == _OF_A_NAME:
        field = field[:-1]
    if field in refused_names:  # not a field of ours, but words of the publisher
        field = field[:-1]
    kind = error["type"]
    if kind in RejectionCode.__members__:  # raised by our own types, with sentences of ours
        return Problem(RejectionCode(kind), error["msg"], pointer(*field))
    sentence = _SENTENCES.get(kind, "Is not valid.").format_map(error.get("ctx", {}))
    return Problem(RejectionCode.INVALID_DATA, sentence, pointer(*field))


def _safe(name: str) -> str:
    shown = name[:FIELD_NAME_CHARACTERS_MAX]
    if carries_card_number(shown):
        return "?"
    shown = "".join(character if character.isprintable() else "?" for character in shown)
    ending = "…" if len(name) > FIELD_NAME_CHARACTERS_MAX else ""
    return shown.replace("~", "~0").replace("/", "~1") + ending
