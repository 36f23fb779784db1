"""What tools that show topics show of these: keys, headers and values are text, whichever topic is opened."""

import json
import re
from collections.abc import Iterator

import pytest
from aiokafka import ConsumerRecord

from schemas.topics import DEAD_LETTER_HEADERS
from tests.strangers.lively import ALL_TOPICS, FOREIGN_BYTES, UNREADABLE, Run

WRITTEN = [topic for topic in ALL_TOPICS if topic not in {"commands", "dead_letters"}]
LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
KEYS = {
    "account_events": f"{LABEL}/{LABEL}",
    "binding_events": f"{LABEL}/{LABEL}",
    "command_results": LABEL,
    "accounts": f"{LABEL}/{LABEL}",
    "payers": f"{LABEL}/{LABEL}",
    "horizons": r"[A-Za-z0-9._-]+/[0-9]+",
}


def written_by_the_worker(run: Run, topic: str) -> list[ConsumerRecord]:
    records = run.records[topic]
    assert records, topic
    return records


def texts(record: ConsumerRecord) -> Iterator[str]:
    """Everything of a record that a tool shows beside its value. Fails for what is no text."""
    yield record.key.decode()
    for name, value in record.headers:
        yield name
        yield value.decode()


@pytest.mark.parametrize("topic", WRITTEN)
async def test_keys_are_strings_headers_are_text_and_values_are_json(run: Run, topic: str) -> None:
    for record in written_by_the_worker(run, topic):
        assert all(text.isprintable() for text in texts(record)), record
        assert re.fullmatch(KEYS[topic], record.key.decode())
        if record.value is not None:
            assert isinstance(json.loads(record.value.decode()), dict)


@pytest.mark.parametrize("topic", WRITTEN)
async def test_the_headers_repeat_what_the_value_says(run: Run, topic: str) -> None:
    for record in written_by_the_worker(run, topic):
        value, headers = json.loads(record.value), dict(record.headers)

        assert headers["content-type"] == b"application/cloudevents+json"
        assert {name: headers[f"ce_{name}"].decode() for name in ("id", "type", "subject")} == {
            name: value[name] for name in ("id", "type", "subject")
        }
        assert len(headers) == len(record.headers), "none is there twice"


async def test_ticks_that_the_worker_sends_itself_are_text_too(run: Run) -> None:
    ticks = [record for record in run.records["commands"] if b"billing.lane.tick.v1" in (record.value or b"")]

    assert ticks
    for tick in ticks:
        assert all(text.isprintable() for text in texts(tick))
        assert json.loads(tick.value.decode())["data"] == {}


async def test_dead_letters_say_in_text_why_they_lie_there_whatever_they_came_with(run: Run) -> None:
    letters = run.records["dead_letters"]

    assert len(letters) == len(UNREADABLE)
    for letter in letters:
        ours = dict(letter.headers[-len(DEAD_LETTER_HEADERS) :])
        assert tuple(ours) == DEAD_LETTER_HEADERS
        assert all(value.decode().isprintable() for value in ours.values())
        assert int(ours["billing-partition"]) in range(run.deployment.settings.topics.partitions)


async def test_dead_letters_that_came_as_text_are_text_throughout(run: Run) -> None:
    with_keys = [letter for letter in run.records["dead_letters"] if letter.key not in {None, FOREIGN_BYTES}]

    assert len(with_keys) == len([record for record in UNREADABLE if record.key not in {None, FOREIGN_BYTES}])
    for letter in with_keys:
        assert all(text.isprintable() for text in texts(letter))
