"""Bad input on a real Kafka and a real PostgreSQL: each row gets what it deserves, and the next good command works.

One worker reads all of it in one go; the tests look at what came of it.
"""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.structs import RecordMetadata

from tests.lane.bad_records import (
    CARD,
    ELSEWHERE,
    HARMLESS,
    HOME,
    KEY,
    ORGANIZATION,
    REFUSED,
    TRACEPARENT,
    UNREADABLE,
    Reasons,
    binary,
    bind,
    create,
    envelope,
    profile,
    raw,
    structured,
)
from tests.system.checker import check
from tests.system.deployment import Deployment, Record

pytestmark = pytest.mark.stack

OUTPUTS = (
    "account_events",
    "binding_events",
    "command_results",
    "accounts",
    "payers",
    "horizons",
    "dead_letters",
)
SAME = create("same", displayName="Same", labels={"a": "1", "b": "2"})
TICK = envelope("not-used-up", "lane.tick.v1", {}, organization="stranger", actor="stranger")

STORIES: dict[str, list[Record]] = {
    "the same again": [
        structured(SAME),
        structured(SAME),
        structured(SAME | {"time": "2020-01-01T00:00:00Z", "traceparent": TRACEPARENT, "source": "elsewhere"}),
        structured(dict(reversed(SAME.items())) | {"data": dict(reversed(SAME["data"].items()))}),
        binary(SAME),
        structured(create("same", displayName="Other")),
        structured(SAME | {"actor": "somebody@else.com"}),
    ],
    "refused twice": [structured(bind("refused-twice", x=1)), structured(bind("refused-twice", x=1))],
    "freed ids": [
        structured(create("freed-by-key"), key=b"other", partition=HOME),
        structured(create("freed-by-key")),
        structured(create("freed-by-place"), partition=ELSEWHERE),
        structured(create("freed-by-place")),
    ],
    "ticks": [
        structured(TICK, key=b"stranger", partition=HOME),
        structured(TICK | {"organization": ORGANIZATION}),
        structured(create("not-used-up")),
    ],
    "dry runs": [
        structured(create("dry", paymentProfile=profile(status="Valid")) | {"dryrun": True}),
        structured(bind("dry") | {"dryrun": True}),
        structured(create("dry", displayName="Wet")),
    ],
}


@dataclass
class Seen:
    """Where everything that was sent lies, and everything that came of it."""

    lies: dict[tuple[str, int], RecordMetadata] = field(default_factory=dict)
    results: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    letters: dict[tuple[bytes, bytes], ConsumerRecord] = field(default_factory=dict)
    output: dict[str, list[ConsumerRecord]] = field(default_factory=dict)
    log: str = ""

    def letter(self, row: str) -> ConsumerRecord:
        where = self.lies[row, 0]
        return self.letters[b"%d" % where.partition, b"%d" % where.offset]

    def outcomes(self, id_: str) -> list[tuple[str, bool]]:
        """What became of a command each time: its code, or how the result is called; and whether it is a repetition."""
        return [
            (
                result["data"]["reasons"][0]["code"] if result["data"].get("reasons") else result["type"].split(".")[2],
                result["data"].get("duplicate", False),
            )
            for result in self.results[id_]
        ]


def next_id(row: str) -> str:
    """The good command that follows a row."""
    return "next-" + "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in row).lower()[
        :40
    ].strip("-")


@pytest.fixture(scope="module")
async def seen(shared: Deployment) -> Seen:
    """Everything is sent, then one worker reads it, and ends."""
    rows = {f"unreadable: {row}": [record] for row, (record, _) in UNREADABLE.items()}
    rows |= {f"refused: {row}": [record] for row, (record, _) in REFUSED.items()}
    rows |= {f"harmless: {row}": [record] for row, record in HARMLESS.items()} | STORIES
    (reply_to,) = rows["harmless: a reply_to that names a topic"]
    answer_there = [("reply_to", shared.settings.topics.account_events.encode())]
    rows["harmless: a reply_to that names a topic"] = [replace(reply_to, headers=answer_there)]
    sent = [
        (row, index, record)
        for row, records in rows.items()
        for index, record in enumerate([*records, structured(create(next_id(row)))])
    ]
    written = await shared.publish_records(record for *_, record in sent)
    seen = Seen({(row, index): where for (row, index, _), where in zip(sent, written, strict=True)})
    shared.sent -= 2  # nobody answers a tick
    with shared.worker() as worker:
        await shared.answers()
        seen.log = worker.log.read_text()
    for topic in OUTPUTS:
        seen.output[topic] = await shared.read(topic)
    for record in seen.output["command_results"]:
        result = json.loads(record.value)
        seen.results[result["data"]["command"]].append(result)
    for record in seen.output["dead_letters"]:
        headers = dict(record.headers)
        seen.letters[headers["billing-partition"], headers["billing-offset"]] = record
    return seen


def applied(seen: Seen, row: str) -> bool:
    """Whether the good command behind a row made its account."""
    return seen.outcomes(next_id(row)) == [("accepted", False)]


@pytest.mark.parametrize("row", UNREADABLE)
async def test_what_cannot_be_read_lies_in_dead_letters_as_it_came_and_the_next_command_is_applied(
    shared: Deployment, seen: Seen, row: str
) -> None:
    (record, why), where = UNREADABLE[row], seen.lies[f"unreadable: {row}", 0]

    letter = seen.letter(f"unreadable: {row}")

    assert (letter.value, letter.key) == (record.value, record.key)
    came, added = letter.headers[: len(record.headers)], dict(letter.headers[len(record.headers) :])
    assert list(came) == list(record.headers)
    assert 0 < len(added.pop("billing-detail")) <= 1024
    assert added == {
        "billing-reason": why.encode(),
        "billing-topic": shared.settings.topics.commands.encode(),
        "billing-partition": b"%d" % where.partition,
        "billing-offset": b"%d" % where.offset,
        "billing-timestamp": b"%d" % where.timestamp,
    }
    assert applied(seen, f"unreadable: {row}")


@pytest.mark.parametrize("row", REFUSED)
def test_what_is_readable_and_wrong_is_rejected_with_every_reason_and_the_next_command_is_applied(
    seen: Seen, row: str
) -> None:
    record, expected = REFUSED[row]
    (result,) = seen.results[json.loads(record.value or b"")["id"]]

    found: Reasons = [(reason["code"], reason["details"].get("path")) for reason in result["data"]["reasons"]]

    assert result["type"] == "billing.command.rejected.v1"
    assert found == expected
    assert all(reason["message"] for reason in result["data"]["reasons"])
    assert applied(seen, f"refused: {row}")


@pytest.mark.parametrize("row", HARMLESS)
def test_what_is_only_odd_is_judged_by_its_content(seen: Seen, row: str) -> None:
    where = seen.lies[f"harmless: {row}", 0]
    position = f"{where.topic}/{where.partition}/{where.offset}/"

    (result,) = [
        result
        for results in seen.results.values()
        for result in results
        if result["commandposition"].startswith(position)
    ]

    assert result["type"] == "billing.command.accepted.v1"
    assert applied(seen, f"harmless: {row}")


async def test_nothing_is_lost_and_nothing_comes_twice(shared: Deployment, seen: Seen) -> None:
    answers = sum(len(results) for results in seen.results.values()) + len(seen.output["dead_letters"])

    assert len(seen.letters) == len(seen.output["dead_letters"]) == len(UNREADABLE)
    assert answers == shared.sent
    await check(shared)


def test_the_same_command_again_gets_its_first_result_again_whatever_the_envelope(seen: Seen) -> None:
    first, *again = seen.results["same"]

    assert seen.outcomes("same") == [
        ("accepted", False),
        *[("accepted", True)] * 4,
        *[("COMMAND_ID_REUSED", False)] * 2,
    ]
    assert all(result["data"] == first["data"] | {"duplicate": True} for result in again[:4])
    made = [event for event in seen.output["account_events"] if b'"accounts/acme/of-same"' in event.value]
    assert [json.loads(event.value)["sequence"] for event in made] == [1, 2]


def test_a_rejected_command_again_is_rejected_with_the_same_reasons(seen: Seen) -> None:
    first, again = seen.results["refused-twice"]

    assert again["data"] == first["data"] | {"duplicate": True}
    assert seen.outcomes("refused-twice") == [("INVALID_DATA", False), ("INVALID_DATA", True)]


def test_what_came_to_the_wrong_place_is_told_the_right_one_and_its_id_is_free(seen: Seen) -> None:
    (told,) = [reason for result in seen.results["freed-by-place"] for reason in result["data"].get("reasons", [])]

    assert (told["code"], told["details"]) == ("WRONG_PARTITION", {"expected": HOME})
    assert Counter(seen.outcomes("freed-by-place")) == {("WRONG_PARTITION", False): 1, ("accepted", False): 1}
    assert seen.outcomes("freed-by-key") == [("KEY_MISMATCH", False), ("accepted", False)]


def test_a_tick_that_a_stranger_sends_has_no_result_and_uses_no_id(seen: Seen) -> None:
    assert seen.outcomes("not-used-up") == [("accepted", False)]
    assert b"stranger" not in b"".join(record.value for record in seen.output["command_results"])


def test_a_dry_run_says_what_would_happen_and_stores_nothing(seen: Seen) -> None:
    would, would_not, did = seen.results["dry"]

    assert [event["type"] for event in would["data"]["events"]] == [
        "billing.account.created.v1",
        "billing.account.phase-changed.v1",
        "billing.account.phase-changed.v1",
    ]
    assert would["data"]["wouldAccept"]
    assert [reason["code"] for reason in would_not["data"]["reasons"]] == ["ACCOUNT_NOT_FOUND"]
    assert not would_not["data"]["wouldAccept"]
    assert (did["type"], did["data"]["duplicate"]) == ("billing.command.accepted.v1", False)


def test_a_card_number_is_in_no_log_line_and_in_no_topic_but_the_original(seen: Seen) -> None:
    digits = "".join(letter for letter in CARD if letter.isdigit())
    told = seen.log.encode() + b"".join(
        b"".join([record.key or b"", record.value or b"", *(value or b"" for _, value in record.headers)])
        for records in seen.output.values()
        for record in records
    )

    assert CARD.encode() not in told
    assert digits.encode() not in told


def test_no_header_makes_the_worker_answer_anywhere_else(shared: Deployment, seen: Seen) -> None:
    kinds = {
        topic: {json.loads(record.value)["type"].split(".")[1] for record in seen.output[topic]}
        for topic in ("account_events", "command_results")
    }

    assert kinds == {"account_events": {"account"}, "command_results": {"command"}}


def test_text_is_stored_as_it_was_sent_but_in_nfc(seen: Seen) -> None:
    names = {
        record.key: json.loads(record.value)["data"]["displayName"]
        for record in seen.output["accounts"]
        if json.loads(record.value)["data"]["displayName"]
    }

    assert names[b"acme/of-sql"] == "'; DROP TABLE accounts; --"
    assert names[b"acme/of-templates"] == "{{7*7}} ${jndi:ldap} %s%n"
    assert names[b"acme/of-nfd"] == "Zürich"


def test_every_log_line_is_the_workers_own(seen: Seen) -> None:
    forged = [line for line in seen.log.splitlines() if line.startswith("{") and json.loads(line)["event"] == "forged"]

    assert forged == []
    assert "\x1b" not in seen.log
    assert "Traceback" not in seen.log


async def test_a_record_above_the_limit_of_the_topic_is_refused_by_the_broker(shared: Deployment) -> None:
    with pytest.raises(MessageSizeTooLargeError):
        await shared.publish_records([raw(b"x" * 2_000_000, key=KEY)])
