"""Whatever comes, reading it answers, and no answer repeats it."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.commands import COMMANDS, Command, parse
from schemas.problems import PROBLEMS_MAX, Problem

SAMPLES = Path(__file__).parents[2] / "schemas" / "samples"
DATA: dict[str, dict[str, Any]] = {
    kind: json.loads((SAMPLES / f"{kind}.json").read_text("utf-8"))["data"] for kind in COMMANDS
}
SECRET = "XSECRETX"  # noqa: S105 - a marker to look for, lower and upper case tried
STRINGS = st.text(st.characters(codec=None), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | STRINGS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(STRINGS, inner, max_size=5),
    max_leaves=20,
)
FIELDS = sorted({name for data in DATA.values() for name in data})
NEARLY = st.dictionaries(st.sampled_from(FIELDS) | STRINGS, JSON, max_size=8)


def check(found: Command | list[Problem]) -> None:
    if isinstance(found, list):
        assert 1 <= len(found) <= PROBLEMS_MAX
        for problem in found:
            assert problem.path == "" or problem.path.startswith("/")
            assert (problem.message + problem.path).encode("utf-8").decode("utf-8").isprintable()


@given(st.sampled_from(sorted(COMMANDS)), JSON | NEARLY)
def test_no_json_value_raises(kind: str, data: Any) -> None:
    check(parse(kind, data))


@given(st.sampled_from(sorted(COMMANDS)), st.data())
def test_no_change_to_a_good_command_raises(kind: str, draw: st.DataObject) -> None:
    data = dict(DATA[kind])
    for name in draw.draw(st.sets(st.sampled_from(FIELDS), max_size=3)):
        data[name] = draw.draw(JSON)
    check(parse(kind, data))


def with_secret(value: object, secret: str) -> list[object]:
    """Every variant of a JSON value in which one string or leaf is the secret."""
    match value:
        case dict():
            return [
                {**value, name: changed} for name, inner in value.items() for changed in with_secret(inner, secret)
            ] + [secret]
        case list():
            return [
                [*value[:n], changed, *value[n + 1 :]]
                for n, v in enumerate(value)
                for changed in with_secret(v, secret)
            ]
        case _:
            return [secret, [secret], {"x": secret}, {secret: "x"}]


@given(
    st.sampled_from(sorted(COMMANDS)),
    st.sampled_from(["", " ", "\n", "\u202e", "4111111111111111", "@", "9" * 2000]),
    st.sampled_from([SECRET, SECRET.lower()]),
)
def test_what_is_refused_is_never_repeated(kind: str, disguise: str, marker: str) -> None:
    secret = marker + disguise
    full = {name: value for data in DATA.values() for name, value in data.items()}
    for data in (*with_secret(DATA[kind], secret), *with_secret(full, secret)):
        found = parse(kind, data)
        for problem in found if isinstance(found, list) else ():
            assert SECRET.lower() not in problem.message.lower()
            assert "4111111111111111" not in problem.message + problem.path


def test_the_name_of_a_refused_label_is_a_value_too() -> None:
    found = parse("billing.account.update.v1", {"account": "a", "labels": {SECRET * 10: 1, "\ud800" + SECRET: "\n"}})

    assert isinstance(found, list)
    assert {problem.path for problem in found} == {"/labels"}
