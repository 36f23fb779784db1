"""Text that means something to a database, a log or a template: kept as text or refused, in every string there is."""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict, replace
from typing import Any

import pytest

from schemas.commands import COMMANDS
from tests.domain.given import amber_pays
from tests.tidy.tree import ROOT
from tests.wire.bad_input import CARD, FORGED, SQL
from tests.wire.given import AT, WRITER, Record, binary, reading, request, structured
from worker.domain.commands import BindProject
from worker.domain.decision import Reason
from worker.wire.actions import ACTIONS
from worker.wire.refusals import reason
from worker.wire.request import Request, Tick, Unreadable

SAMPLES = {
    kind: json.loads((ROOT / f"schemas/samples/{kind}.json").read_text("utf-8")) for kind in COMMANDS if kind in ACTIONS
}
STATEMENTS = (SQL, "{{7*7}} ${jndi:ldap://x} %s%n \\u0000", "</script><img src=x onerror=y>")
HIDING = (FORGED, "\x1b[31mx", "x\0y")
ECHO = "not-to-be-repeated"


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where strings are in a document."""
    match value:
        case dict():
            for name, inner in value.items():
                yield from places(inner, (*path, name))
        case list():
            for index, inner in enumerate(value):
                yield from places(inner, (*path, index))
        case str():
            yield path


EVERY_STRING = {
    f"{kind.removeprefix('billing.').removesuffix('.v1')}:{'/'.join(map(str, path))}": (kind, path)
    for kind, sample in SAMPLES.items()
    for path in places(sample["data"])
    if path != ("expectedBinding",)  # compared, never kept: any text is the id of another binding
}


def with_text(kind: str, path: tuple[str | int, ...], text: object) -> Record:
    document = deepcopy(SAMPLES[kind])
    inside = document["data"]
    for name in path[:-1]:
        inside = inside[name]
    inside[path[-1]] = text
    return structured(document)


def answer(read_as: Request) -> bytes:
    """The rejection as it is published."""
    return WRITER.rejected(WRITER.cause(read_as, AT), read_as.data_refusals, 0).data


def texts(value: object) -> list[str]:
    match value:
        case dict():
            return [text for pair in value.items() for inner in pair for text in texts(inner)]
        case list() | tuple():
            return [text for inner in value for text in texts(inner)]
        case str():
            return [str(value)]
        case _:
            return []


@pytest.mark.parametrize("string", EVERY_STRING)
def test_what_means_something_elsewhere_is_text_here_or_refused_at_its_place(string: str) -> None:
    kind, path = EVERY_STRING[string]
    for text in STATEMENTS:
        read_as = request(with_text(kind, path, text))

        if read_as.action is not None:
            assert text in texts(asdict(read_as.action))
        else:
            assert read_as.data_refusals[0].details["path"] == "/" + "/".join(map(str, path))
            assert text.encode() not in answer(read_as)


@pytest.mark.parametrize("string", EVERY_STRING)
def test_what_could_forge_a_line_is_refused_in_every_string_and_never_repeated(string: str) -> None:
    kind, path = EVERY_STRING[string]
    for text in HIDING:
        read_as = request(with_text(kind, path, text + ECHO))

        assert {refusal.details["path"] for refusal in read_as.data_refusals} >= {"/" + "/".join(map(str, path))}
        assert ECHO.encode() not in answer(read_as)


@pytest.mark.parametrize("string", EVERY_STRING)
def test_a_refused_value_is_never_repeated(string: str) -> None:
    for value in (ECHO * 100, [ECHO], {"x": ECHO}, f"{ECHO} {CARD}\u202e", f"{ECHO}\ud800"):
        read_as = request(with_text(*EVERY_STRING[string], value))

        assert read_as.action is None
        assert ECHO not in answer(read_as).decode()


def test_what_is_only_compared_is_never_repeated() -> None:
    for text in (*STATEMENTS, *HIDING, ECHO):
        bind = request(with_text("billing.project.bind.v1", ("expectedBinding",), text)).action
        assert isinstance(bind, BindProject)
        refusals = amber_pays().refused(replace(bind, project="atlas", account="birch"))

        assert [refusal.reason for refusal in refusals] == [Reason.BINDING_CHANGED]
        assert json.dumps(text) not in json.dumps([reason(refusal) for refusal in refusals])


@pytest.mark.parametrize(
    "text", [SQL, FORGED, CARD, "${jndi:ldap://x}"], ids=["SQL", "log lines", "a card", "a template"]
)
@pytest.mark.parametrize("attribute", ["source", "subject", "time", "dataschema", "tracestate", "whatever"])
def test_attributes_that_nothing_depends_on_go_nowhere(attribute: str, text: str) -> None:
    envelope = next(iter(SAMPLES.values()))
    read_as = request(structured(envelope | {attribute: text}))

    assert read_as.action == request(structured(envelope)).action
    assert text not in texts([value for name, value in asdict(read_as).items() if name != "tracestate"])


@pytest.mark.parametrize("text", [SQL, FORGED, "${jndi:ldap://x}"], ids=["SQL", "log lines", "a template"])
@pytest.mark.parametrize("attribute", ["actor", "correlationid"])
def test_attributes_that_are_repeated_are_legible_text(attribute: str, text: str) -> None:
    envelope = next(iter(SAMPLES.values())) | {attribute: text}
    for record in (structured(envelope), binary(envelope)):
        cause = WRITER.cause(request(record), AT)
        written = json.loads(b"{" + cause.members + b"}")

        assert written.get(attribute) == (
            text if text.isprintable() else {"correlationid": envelope["id"]}.get(attribute)
        )


@pytest.mark.parametrize("attribute", ["id", "organization", "specversion"])
def test_attributes_of_a_fixed_form_lead_to_dead_letters_that_do_not_repeat_them(attribute: str) -> None:
    for text in (SQL, FORGED, CARD):
        read_as = reading(structured(next(iter(SAMPLES.values())) | {attribute: text}))

        assert isinstance(read_as, Unreadable)
        assert text not in read_as.detail


def test_a_tick_carries_nothing_of_its_data() -> None:
    tick = json.loads((ROOT / "schemas/samples/billing.lane.tick.v1.json").read_text("utf-8"))
    read_as = reading(structured(tick | {"data": {"x": FORGED}, "actor": FORGED}))

    assert isinstance(read_as, Tick)
    assert FORGED not in texts(asdict(read_as))
