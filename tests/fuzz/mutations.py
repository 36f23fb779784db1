"""Changes to a record that keep it a record: members, values, types, headers and modes rather than single bytes."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from random import Random
from typing import Any, Final, TypeAlias

from schemas.commands import COMMANDS
from tests.fuzz.form import PARTING, file_of, record_of
from tests.tidy.tree import ROOT
from tests.wire.given import Record, binary, structured
from worker.wire.envelope import ATTRIBUTES

SAMPLES: Final = ROOT / "schemas/samples"
BRACKETS_MAX: Final = 150
MutateText: TypeAlias = Callable[[str], str]

VALUES: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 1, 2**53, 2**63, 2**64 + 1, 10**40, 1.0, -0.0, 1e300, float("inf"), float("nan")),
    *("", "a", "main", "held", "fresh", "old", "gone", "website", "shop", "vault", "free", "dead", "acme", "ops"),
    *("EUR", "eur", "XXX", "Valid", "Invalid", "Expired", "NON_PAYMENT", "FRAUD_SUSPECTED", "reject", "h-1", "pm_1"),
    *("2026-03-01T12:05:00Z", "2031-01-01T00:00:00.000001+02:00", "9999-12-31T23:59:59-12:00", "2026-11-22T10:00:60Z"),
    *("anna@acme.com", '"a b"@acme.com', "pelé@bücher.com", "4242 4242-4242 4242", "a" * 63, "a" * 64, "x" * 1_025),
    *("\ud800", "\0", "\u200b", "\u202e", "Zu\u0308rich", "\U00010000", "'; DROP TABLE accounts; --", '\n{"event": 1}'),
    *(
        [],
        {},
        [[]],
        ["website", "vault"],
        {"a": "b"},
        {"\ue000": 1, "\U00010000": 2},
        {"by": "lead@acme.com", "reference": "T-1"},
    ),
)
HEADER_VALUES: Final = (None, b"", b"1.0", b"true", b"7", b"\xff", b"application/json", b"application/cloudevents+json")
NAMES: Final = tuple(sorted({*ATTRIBUTES, "data", "data_base64", *COMMANDS["billing.account.create.v1"].model_fields}))


def mutated(content: bytes, seed: int, mutate_text: MutateText) -> bytes:
    """A file, changed in one to four places; one that holds no document comes back with other headers at most."""
    random, record = Random(seed), record_of(content)  # noqa: S311 - the seed is there to have the same again
    for _ in range(random.randint(1, 4)):
        change = random.choice((_other_value, _other_value, _other_value, _other_headers, _other_type, _other_mode))
        record = change(record, random, mutate_text)
    return file_of(record)


def _other_value(record: Record, random: Random, mutate_text: MutateText) -> Record:
    """Something in the document is replaced, left out, or put elsewhere as well."""
    document = _document(record)
    if document is None:
        return record
    places = list(_places(document))
    if not places:
        return replace(record, value=_written(random.choice(VALUES)))
    inside, name = random.choice(places)
    there, put = inside[name], deepcopy(random.choice(VALUES))
    match random.randrange(6):
        case 0:
            del inside[name]
        case 1:
            elsewhere, other_name = random.choice(places)
            inside[name] = deepcopy(elsewhere[other_name])
        case 2 if isinstance(inside, dict):
            inside[random.choice(NAMES)] = deepcopy(there)
        case 3 if isinstance(there, str):
            inside[name] = mutate_text(there)
        case 4:
            inside[name] = random.choice(([there], {random.choice(NAMES): there}))
        case _:
            inside[name] = put
    return replace(record, value=_written(document))


def _other_headers(record: Record, random: Random, _: MutateText) -> Record:
    """A header more, less, or changed; the key is one of them."""
    headers = list(record.headers)
    match random.randrange(4):
        case 0 if headers:
            headers.pop(random.randrange(len(headers)))
        case 1 if headers:
            headers.append(random.choice(headers))
        case 2:
            return replace(record, key=random.choice((None, b"acme", b"other", b"\xff")))
        case _:
            name = random.choice(("content-type", "x", *(f"ce_{name}" for name in sorted(ATTRIBUTES))))
            headers.append((name, random.choice(HEADER_VALUES)))
    return replace(record, headers=tuple(headers))


def _other_type(record: Record, random: Random, _: MutateText) -> Record:
    """The type of another command, most often with its data."""
    document, kind = _document(record), random.choice(list(COMMANDS))
    if not isinstance(document, dict) or "type" not in document:
        return record
    data = json.loads((SAMPLES / f"{kind}.json").read_text("utf-8"))["data"]
    changed = {"type": kind} | ({"data": data} if random.random() < 0.8 else {})
    return replace(record, value=_written(document | changed))


def _other_mode(record: Record, _random: Random, _: MutateText) -> Record:
    """The same in binary mode, or in structured mode."""
    document = _document(record)
    if not record.headers and isinstance(document, dict) and "data" in document:
        try:
            changed = binary(document)
        except UnicodeEncodeError:
            return record
        return replace(record, value=changed.value, headers=_parted(changed))
    attributes = {
        name.removeprefix("ce_"): (value or b"").decode(errors="replace")
        for name, value in record.headers
        if name.startswith("ce_")
    }
    return replace(record, value=structured(attributes | {"data": document}).value, headers=())


def _parted(record: Record) -> tuple[tuple[str, bytes | None], ...]:
    """The headers, those left out that a file could not hold."""
    return tuple(
        (name, value)
        for name, value in record.headers
        if PARTING.isdisjoint(name.encode(errors="backslashreplace") + (value or b""))
    )


def _document(record: Record) -> Any:
    """What the value says; None where it is no JSON, or so deep that walking through it takes more than the stack."""
    value = record.value or b""
    try:
        return json.loads(value) if value.count(b"[") + value.count(b"{") <= BRACKETS_MAX else None
    except ValueError:
        return None


def _written(document: object) -> bytes:
    return json.dumps(document).encode()


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a document in which something lies, as what holds it and its name or index there."""
    names = range(len(document)) if isinstance(document, list) else list(document) if isinstance(document, dict) else ()
    for name in names:
        yield document, name
        yield from _places(document[name])
