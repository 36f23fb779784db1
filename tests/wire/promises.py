"""What holds of every record that the reader is given, whatever it is; tried by Hypothesis and by tests/fuzz."""

import json
import math
import re
import time
from contextlib import suppress
from dataclasses import replace

import rfc8785
from pydantic_core import from_json

from schemas.envelope import COMMAND_BYTES_MAX, COMMAND_ID, ORGANIZATION, STRUCTURED_CONTENT_TYPE
from schemas.text import HIDDEN_CHARACTER
from tests.wire.decided import check_answer
from tests.wire.given import AT, PARTITIONS, WRITER, Record
from worker.wire.canonical import canonical
from worker.wire.dead_letters import TRUNCATED
from worker.wire.envelope import ATTRIBUTES, Envelope, open_envelope
from worker.wire.incoming import read
from worker.wire.real import Real
from worker.wire.records import Headers
from worker.wire.request import Request, Tick, Unreadable, Why
from worker.wire.strict_json import DEPTH_MAX, read_json

SECONDS_MAX = 5.0
"""Of computing, not of waiting; what takes longest takes a tenth of it on a slow machine."""
RECORD_BYTES_MAX = 1_000_000

_ROOM = 16 * COMMAND_BYTES_MAX  # the same document written with escapes and blanks is longer
_STRUCTURED = ("content-type", STRUCTURED_CONTENT_TYPE.encode())
_SURROGATE = re.compile("[\ud800-\udfff]")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_INFINITE = "stands for what is too large for a float"
_SENTENCE = re.compile(r"[ -~]{1,1024}")


def check(record: Record) -> Unreadable | Tick | Request:
    """Raise if reading this record breaks any promise; returns what it was read as."""
    began = time.thread_time()
    read_as = read(record, partitions=PARTITIONS)
    assert time.thread_time() - began < SECONDS_MAX
    assert read(record, partitions=PARTITIONS) == read_as
    if record.value:
        check_json(record.value)
    match read_as:
        case Unreadable():
            _check_dead_letter(record, read_as)
        case Tick():
            _check_other_clothing(record, read_as)
            assert isinstance(read_json(b"{" + WRITER.cause(read_as, AT).members + b"}"), dict)
        case Request():
            _check_other_clothing(record, read_as)
            _check_other_content(record, read_as)
            _check_legible(read_as)
            check_answer(read_as)
        case _:
            raise AssertionError(type(read_as))
    return read_as


def check_json(value: bytes) -> None:
    """What is taken for JSON is JSON to two other parsers as well, and the same; what is refused had a reason."""
    ours = read_json(value)
    try:
        theirs = from_json(value, allow_inf_nan=False)
    except ValueError as error:
        theirs = error
    if isinstance(ours, Unreadable):
        if ours.reason in {Why.NOT_JSON, Why.NOT_UTF8, Why.NOT_A_NUMBER, Why.BYTE_ORDER_MARK}:
            assert isinstance(theirs, ValueError)
        return
    assert _same(ours, json.loads(value.decode(), object_pairs_hook=_distinct))
    with suppress(rfc8785.CanonicalizationError, UnicodeEncodeError):  # integers past 2^53, infinity, lone surrogates
        assert canonical(ours) == rfc8785.dumps(ours)  # type: ignore[arg-type]
    if isinstance(theirs, ValueError):
        assert "hex escape" in str(theirs), theirs  # a lone surrogate, which Python can hold
    else:
        assert _same(ours, theirs)


def _distinct(members: list[tuple[str, object]]) -> dict[str, object]:
    assert len({name for name, _ in members}) == len(members)
    return dict(members)


def _same(ours: object, theirs: object) -> bool:
    match ours:
        case dict():
            return (
                isinstance(theirs, dict)
                and ours.keys() == theirs.keys()
                and all(_same(value, theirs[name]) for name, value in ours.items())
            )
        case list():
            return (
                isinstance(theirs, list)
                and len(ours) == len(theirs)
                and all(_same(one, other) for one, other in zip(ours, theirs, strict=True))
            )
        case Real():
            return type(theirs) is float and float(ours) == theirs
        case _:
            return type(ours) is type(theirs) and ours == theirs


def _check_dead_letter(record: Record, unreadable: Unreadable) -> None:
    assert _SENTENCE.fullmatch(unreadable.detail)
    letter = WRITER.dead_letter(record, unreadable, AT, RECORD_BYTES_MAX)
    assert letter.bytes_max <= RECORD_BYTES_MAX
    if letter.headers[-1][0] != TRUNCATED:
        assert (letter.key, letter.value) == (record.key, record.value)
        assert tuple(letter.headers[:-6]) == tuple(record.headers)


def _check_other_clothing(record: Record, read_as: Request | Tick) -> None:
    """The same in another order, with other white space and escapes, with headers that repeat it, in the other mode."""

    def read_again(value: bytes, headers: Headers) -> Unreadable | Tick | Request:
        return read(replace(record, value=value, headers=headers), partitions=PARTITIONS, record_bytes_max=_ROOM)

    envelope = _opened(record)
    headers = _as_headers(envelope)
    if _depth(envelope) <= DEPTH_MAX:  # binary data may be one deeper
        document = _document(dict(reversed(envelope.items())), indent=1)
        assert read_again(document, ()) == read_as
        if headers is not None:
            repeated = [(name, value) for name, value in headers if name != "content-type"]
            assert read_again(document, [_STRUCTURED, *repeated]) == read_as
    if headers is not None:
        assert read_again(_document(envelope["data"], indent=None), headers) == read_as


def _check_other_content(record: Record, request: Request) -> None:
    """Whatever counts as content counts."""
    envelope = _opened(record)
    others: list[Envelope] = [{"type": f"{envelope['type']}x"}]
    others += [{name: [envelope.get(name)]} for name in ("actor", "expectedversion", "data_base64", "data")]
    for other in others:
        document = _document(envelope | other, indent=None)
        if _depth(envelope | other) <= DEPTH_MAX:
            changed = read(replace(record, value=document, headers=()), partitions=PARTITIONS, record_bytes_max=_ROOM)
            assert isinstance(changed, Request)
            assert changed.content_hash != request.content_hash


def _check_legible(request: Request) -> None:
    """What is repeated or logged hides and forges nothing."""
    for text in (request.type, request.actor, request.correlation_id, request.traceparent, request.tracestate):
        assert text is None or not HIDDEN_CHARACTER.search(text)
    assert COMMAND_ID.fullmatch(request.id)
    assert ORGANIZATION.fullmatch(request.organization)


def _opened(record: Record) -> Envelope:
    envelope = open_envelope(record, COMMAND_BYTES_MAX)
    assert not isinstance(envelope, Unreadable)
    return envelope


def _depth(value: object) -> int:
    match value:
        case dict():
            return 1 + max(map(_depth, value.values()), default=0)
        case list():
            return 1 + max(map(_depth, value), default=0)
        case _:
            return 0


def _document(value: object, indent: int | None) -> bytes:
    text = json.dumps(_without_infinity(value), indent=indent)
    return text.replace(f'"-{_INFINITE}"', "-1e999").replace(f'"{_INFINITE}"', "1e999").encode()


def _without_infinity(value: object) -> object:
    """The same, words in place of what no float can hold: Python writes that as no parser of JSON takes it."""
    match value:
        case dict():
            return {name: _without_infinity(inner) for name, inner in value.items()}
        case list():
            return [_without_infinity(inner) for inner in value]
        case Real() if math.isinf(value):
            return _INFINITE if value > 0 else f"-{_INFINITE}"
        case _:
            return value


def _as_headers(envelope: Envelope) -> list[tuple[str, bytes | None]] | None:
    """The attributes as binary mode writes them; None where it has no way to say the same."""
    data = envelope.get("data")
    if "data" not in envelope or (isinstance(data, dict) and "specversion" in data):
        return None
    if envelope.get("data_base64") is not None:
        return None
    headers: list[tuple[str, bytes | None]] = []
    for name in sorted(ATTRIBUTES & envelope.keys()):
        said = _as_header(name, envelope[name])
        if said is None:
            return None
        headers.append(("content-type" if name == "datacontenttype" else f"ce_{name}", said.encode()))
    return headers


def _as_header(name: str, attribute: object) -> str | None:
    match attribute:
        case bool():
            return str(attribute).lower() if name == "dryrun" else None
        case int():
            return str(attribute) if name == "expectedversion" and _INTEGER.fullmatch(str(attribute)) else None
        case str() if _SURROGATE.search(attribute):
            return None
        case str():
            means_another = (
                (name == "dryrun" and attribute in {"true", "false"})
                or (name == "expectedversion" and _INTEGER.fullmatch(attribute))
                or (name == "datacontenttype" and attribute.lower().startswith("application/cloudevents"))
            )
            return None if means_another else attribute
        case _:
            return None
