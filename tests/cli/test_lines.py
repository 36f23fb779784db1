import io
import json
import os
from collections.abc import AsyncIterator, Callable

import pytest

from worker.cli.publishing.batches import BadLines, as_they_come, checked, in_batches
from worker.cli.publishing.lines import BadLine, Completion, Outgoing, Untouched, whole_type

SHORT: dict[str, object] = {
    "type": "project.bind",
    "organization": "acme",
    "data": {"project": "web", "account": "main"},
}
WHOLE = b'{"specversion": "1.0", "id":"1",  "source":"me", "type":"x", "organization":"acme", "data":{}}'


def completed(line: dict[str, object] | bytes, **given: object) -> Outgoing:
    raw = line if isinstance(line, bytes) else json.dumps(line).encode()
    return Completion("tests", given, 1_000).complete(raw)


def test_a_short_form_is_completed() -> None:
    command = completed(SHORT, actor="me")
    document = json.loads(command.value)

    assert command.key == b"acme"
    assert document.pop("id") == command.id
    assert document == SHORT | {
        "specversion": "1.0",
        "source": "tests",
        "type": "billing.project.bind.v1",
        "actor": "me",
    }


def test_what_a_line_says_itself_counts() -> None:
    command = completed(SHORT | {"actor": "me", "id": "mine"}, actor="somebody", organization="other")

    assert json.loads(command.value)["actor"] == "me"
    assert (command.key, command.id) == (b"acme", "mine")


def test_a_whole_document_is_sent_byte_for_byte() -> None:
    assert completed(WHOLE + b"\r\n") == Outgoing(b"acme", "1", WHOLE)


@pytest.mark.parametrize("written", ["project.bind", "billing.project.bind", "project.bind.v1"])
def test_a_type_is_understood_however_short(written: str) -> None:
    assert whole_type(written) == "billing.project.bind.v1"


def test_large_integers_stay_what_they_are() -> None:
    assert b'"n":123456789012345678901234567890' in completed(SHORT | {"data": {"n": int("1234567890" * 3)}}).value


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"nonsense", "not JSON"),
        (b"[1]", "not an object"),
        (b'{"type":"x","type":"y"}', "twice"),
        (SHORT | {"expectedVersion": 1}, "'expectedVersion'"),
        (SHORT | {"organization": "Acme"}, "organization must be"),
        (SHORT | {"id": "a b"}, "id must be"),
        (SHORT | {"data": {"text": "x" * 1_000}}, "1000 are allowed"),
        (b'{"type":"x","organization":"acme","data":{"n":1e999}}', "too large"),
    ],
)
def test_a_bad_line_is_told_why(line: dict[str, object] | bytes, said: str) -> None:
    with pytest.raises(BadLine, match=said):
        completed(line)


def test_a_dry_run_never_lets_a_whole_document_through_that_would_be_carried_out() -> None:
    with pytest.raises(BadLine, match="--dry-run"):
        completed(WHOLE, dryrun=True)


def test_nobody_answers_a_tick() -> None:
    assert completed({"type": "lane.tick", "organization": "acme"}).id == ""


def test_all_lines_are_checked_and_the_bad_ones_numbered() -> None:
    lines = b"\n".join([WHOLE, b"", b"nonsense", WHOLE, b"[]"])

    with (
        pytest.raises(BadLines, match=r"(?s)^line 3: .*\nline 5: [^\n]*$"),
        checked(io.BytesIO(lines), completed, keep_empty=False),
    ):
        pass


async def test_what_is_put_aside_comes_back_in_order() -> None:
    lines = [json.dumps(SHORT | {"id": f"c-{n}"}).encode() for n in range(5_000)]

    with checked(io.BytesIO(b"\n".join(lines)), completed, keep_empty=False) as aside:
        batches = [batch async for batch in aside.batches(2_000)]

    assert [len(batch) for batch in batches] == [2_000, 2_000, 1_000]
    assert [command.id for batch in batches for command in batch] == [f"c-{n}" for n in range(5_000)]


async def test_lines_are_sent_as_they_come_before_the_last_is_there() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb", buffering=0) as writer:
        batches: AsyncIterator[list[Outgoing]] = as_they_come(stream, completed, 10, keep_empty=False)
        writer.write(WHOLE + b"\n" + WHOLE[:20])
        first = await anext(batches)
        writer.write(WHOLE[20:] + b"\nnonsense\n")
        second = await anext(batches)

        assert [command.value for command in first + second] == [WHOLE, WHOLE]
        with pytest.raises(BadLines, match="line 3: "):
            await anext(batches)


async def test_raw_lines_are_untouched() -> None:
    complete: Callable[[bytes], Outgoing] = Untouched(b"key").complete

    batches = as_they_come(io.BytesIO(b" x\r\n\n\xff"), complete, 10, keep_empty=True)

    assert [command.value async for batch in batches for command in batch] == [b" x\r", b"", b"\xff"]


def test_a_batch_is_bounded_in_bytes() -> None:
    large = Outgoing(b"", "", b"x" * 3_000_000)

    assert [len(batch) for batch in in_batches(iter([large] * 3), 100)] == [1, 1, 1]
