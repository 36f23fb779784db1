"""Every setting: its variable, what it may be, what it is if nobody says, and what it means."""

from collections.abc import Iterator
from enum import Enum
from inspect import cleandoc
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from reference.markdown import code, table, wrapped
from worker.settings import PREFIX, Settings
from worker.settings.section import Section

HEAD: Final = """# Settings

Every setting is an environment variable. One that is wrong, or that nobody knows, refuses to start and is named. They
are read once, at the start; of files with secrets the content is read when it is needed. Nested ones are written
with two underscores. `BILLING_STACK` is for the tests alone: `embedded` or `containers`.
"""

_WORDS: Final = {int: "whole number", float: "number", str: "text", bool: "`true` or `false`", SecretStr: "secret"}
_HEADS: Final = ("Setting", "Takes", "Default", "Means")


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_sections()])


def _sections() -> Iterator[str]:
    alone = {name: field for name, field in Settings.model_fields.items() if _section(field) is None}
    yield f"## All\n\n{table(_HEADS, (_row(PREFIX + name.upper(), field) for name, field in alone.items()))}\n"
    for name, field in Settings.model_fields.items():
        if (section := _section(field)) is not None:
            yield f"## {name.capitalize()}\n\n{_about(section)}\n"
            rows = (_row(f"{PREFIX}{name}__{inner}".upper(), of) for inner, of in section.model_fields.items())
            yield f"{table(_HEADS, rows)}\n"


def _section(field: FieldInfo) -> type[Section] | None:
    kind: Any = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def _about(section: type[Section]) -> str:
    return wrapped(" ".join(cleandoc(section.__doc__ or "").partition("\n\n")[0].split()))


def _row(variable: str, field: FieldInfo) -> tuple[str, ...]:
    default = field.get_default(call_default_factory=True)
    return code(variable), takes(field), _said(default), _meaning(field)


def _meaning(field: FieldInfo) -> str:
    assert field.description, "a setting whose meaning nobody tells"  # noqa: S101 - a defect of the settings
    return field.description


def _said(default: Any) -> str:
    match default:
        case None:
            return "none"
        case bool():
            return code(str(default).lower())
        case Enum():
            return code(str(default.value))
        case frozenset():
            return code("[]")
        case dict():
            return code("{}")
        case _:
            return code(str(default))


def takes(field: FieldInfo) -> str:
    """What may be given, and within which bounds."""
    kind = field.annotation
    if get_origin(kind) in (Union, UnionType):
        (kind,) = [each for each in get_args(kind) if each is not NoneType]
    least, most = (_bound(field, *names) for names in (("ge", "gt"), ("le", "lt")))
    bounds = f", {least} to {most}" if least and most else ""
    return _kind(kind) + bounds


def _kind(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return ", ".join(code(value) for value in get_args(kind))
    if get_origin(kind) is frozenset:
        return "JSON list of " + _kind(get_args(kind)[0])
    if get_origin(kind) is dict:
        return "JSON object"
    if hasattr(kind, "__metadata__"):
        return _kind(get_args(kind)[0])
    if issubclass(kind, Enum):
        return ", ".join(code(str(member.value)) for member in kind)
    return "file" if kind is Path else _WORDS[kind]


def _bound(field: FieldInfo, *names: str) -> str:
    constraints = [*field.metadata, *getattr(_inner(field), "__metadata__", ())]
    constraints += [each for of in constraints if isinstance(of, FieldInfo) for each in of.metadata]
    for constraint in constraints:
        for name in names:
            if (value := getattr(constraint, name, None)) is not None:
                return f"above {value}" if name == "gt" else f"{value:,}"
    return ""


def _inner(field: FieldInfo) -> Any:
    parts = [each for each in get_args(field.annotation) if each is not NoneType]
    return parts[0] if parts else field.annotation
