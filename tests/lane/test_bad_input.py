"""Bad input on a real Kafka and a real PostgreSQL: each row gets what it deserves, and the next good command works.

One worker reads all of it in one go; the tests look at what came of it.
"""

import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.request import urlopen

import psutil
import pytest
from aiokafka import ConsumerRecord
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.structs import RecordMetadata

from tests.lane.bad_records import (
    AGAIN,
    ELSEWHERE,
    FIRST,
    HARMLESS,
    HOME,
    KEY,
    MISPLACED,
    ORGANIZATION,
    REFUSED,
    UNKNOWN,
    UNREADABLE,
    VALUE_BYTES_MAX,
    bind,
    create,
    envelope,
    profile,
    raw,
    structured,
)
from tests.system.checker import check
from tests.system.deployment import Deployment, Record, WorkerProcess
from tests.wire import bad_input
from tests.wire.bad_input import CARD, FORGED, IGNORED, SQL

OUTPUTS = (
    "account_events",
    "binding_events",
    "command_results",
    "accounts",
    "payers",
    "horizons",
    "dead_letters",
)
ANSWER_SECONDS_MAX: Final = 120
MEMORY_BYTES_MAX: Final = 512 * 1024 * 1024
MOVE_PROJECTS_MAX: Final = 2

TICK = envelope("not-used-up", "lane.tick.v1", {}, organization="stranger", actor="stranger")
APPROVAL = {"by": SQL, "reference": SQL}
"""Text in every field that keeps one."""
INJECTED = [
    envelope(
        "injected",
        "account.create.v1",
        {
            "account": "injected",
            "currency": "EUR",
            "displayName": SQL,
            "contact": {"email": "a'--@acme.com", "name": SQL},
            "paymentProfile": {"type": SQL, "externalId": SQL, "status": "Valid"},
            "labels": {SQL: SQL},
        },
        actor=SQL,
        correlationid=SQL,
        source=SQL,
        subject=SQL,
    ),
    *(
        envelope(f"injected-{number}", f"{kind}.v1", data, actor=f"{number} {SQL}")
        for number, (kind, data) in enumerate(
            [
                ("project.bind", {"project": "injected", "account": "injected"}),
                ("project.lock", {"project": "injected", "note": SQL}),
                ("project.unlock", {"project": "injected", "note": SQL}),
                ("account.suspend", {"account": "injected", "reason": "ADMINISTRATIVE", "message": SQL}),
                ("account.reactivate", {"account": "injected", "all": True, "approval": APPROVAL}),
                (
                    "account.schedule-suspension",
                    {
                        "account": "injected",
                        "reason": "NON_PAYMENT",
                        "message": SQL,
                        "dueAt": "2060-01-01T00:00:00Z",
                    },
                ),
            ]
        )
    ),
]
MOVED = [
    create("payer", paymentProfile=profile(status="Valid")),
    create("heir", paymentProfile=profile(status="Valid")),
    *(bind(f"moved-{number}", project=f"moved-{number}", account="of-payer") for number in range(3)),
    envelope("move", "account.move-projects.v1", {"from": "of-payer", "to": "of-heir"}),
]

STORIES: dict[str, list[Record]] = {
    "refused twice": [structured(bind("refused-twice", x=1)), structured(bind("refused-twice", x=1))],
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
    "text in every field": [structured(command) for command in INJECTED],
    "more than one command may move": [structured(command) for command in MOVED],
}
TOO_LARGE = {
    row: raw(record.value, key=KEY)
    for row, (record, _) in bad_input.UNREADABLE.items()
    if len(record.value or b"") > VALUE_BYTES_MAX
} | {"above the topic's own limit": raw(b"x" * 2_000_000, key=KEY)}


@dataclass
class Seen:
    """Where everything that was sent lies, and everything that came of it."""

    lies: dict[tuple[str, int], RecordMetadata] = field(default_factory=dict)
    answers: dict[tuple[int, int], Any] = field(default_factory=dict)
    letters: dict[tuple[int, int], ConsumerRecord] = field(default_factory=dict)
    output: dict[str, list[ConsumerRecord]] = field(default_factory=dict)
    refused_by_the_broker: set[str] = field(default_factory=set)
    log: str = ""
    metrics: str = ""
    memory_bytes: int = 0

    def place(self, row: str, number: int = 0) -> tuple[int, int]:
        where = self.lies[row, number]
        return where.partition, where.offset

    def outcome(self, row: str, number: int = 0) -> tuple[str, bool]:
        """What became of a command: its first code, or how its result is called; and whether it is a repetition."""
        result = self.answers[self.place(row, number)]
        reasons = result["data"].get("reasons")
        return reasons[0]["code"] if reasons else result["type"].split(".")[2], result["data"].get("duplicate", False)

    def reasons(self, row: str, number: int = 0) -> list[tuple[str, str | None]]:
        result = self.answers[self.place(row, number)]
        assert result["type"] == "billing.command.rejected.v1"
        assert all(reason["message"] for reason in result["data"]["reasons"])
        return [(reason["code"], reason["details"].get("path")) for reason in result["data"]["reasons"]]


def everything(shared: Deployment) -> dict[str, list[Record]]:
    """The records of each row."""
    tables: dict[str, dict[str, Record]] = {
        "unreadable": UNREADABLE,
        "refused": REFUSED,
        "unknown": UNKNOWN,
        "harmless": HARMLESS,
    }
    rows = {f"{kind}: {row}": [record] for kind, table in tables.items() for row, record in table.items()}
    reply_to = "harmless: a reply_to that names a topic"
    answer_there = [("reply_to", shared.settings.topics.account_events.encode())]
    rows[reply_to] = [replace(rows[reply_to][0], headers=answer_there)]
    for row, (record, _) in MISPLACED.items():
        rows[f"misplaced: {row}"] = [record, replace(record, key=KEY, partition=HOME)]
    rows["again: first"] = [structured(FIRST)]
    rows |= {f"again: {row}": [record] for row, (record, *_) in AGAIN.items()}
    rows |= {f"too large: {row}": [] for row in TOO_LARGE}
    return rows | STORIES


def metrics_of(worker: WorkerProcess) -> str:
    with urlopen(f"{worker.address()}/metrics", timeout=10) as response:  # noqa: S310
        return str(response.read().decode())


@pytest.fixture(scope="module")
async def seen(shared: Deployment) -> Seen:
    """Everything is sent, a good command behind each row, then one worker reads it, and ends."""
    seen = Seen()
    for row, record in TOO_LARGE.items():
        with pytest.raises(MessageSizeTooLargeError):
            await shared.publish_records([record])
        seen.refused_by_the_broker.add(row)
    sent = [
        (row, index, record)
        for number, (row, records) in enumerate(everything(shared).items())
        for index, record in enumerate([*records, structured(create(f"next-{number}"))])
    ]
    written = await shared.publish_records(record for *_, record in sent)
    seen.lies = {(row, index): where for (row, index, _), where in zip(sent, written, strict=True)}
    shared.sent -= 2  # nobody answers a tick
    with shared.worker(RULES__MOVE_PROJECTS_MAX=str(MOVE_PROJECTS_MAX)) as worker:
        await shared.answers(ANSWER_SECONDS_MAX)
        seen.memory_bytes = psutil.Process(worker.pid).memory_info().rss
        seen.metrics = metrics_of(worker)
        seen.log = worker.log.read_text()
    for topic in OUTPUTS:
        seen.output[topic] = await shared.read(topic)
    for record in seen.output["command_results"]:
        result = json.loads(record.value)
        _, partition, offset, _ = result["commandposition"].split("/")
        assert seen.answers.setdefault((int(partition), int(offset)), result) is result
    for record in seen.output["dead_letters"]:
        headers = dict(record.headers)
        place = (int(headers["billing-partition"]), int(headers["billing-offset"]))
        assert seen.letters.setdefault(place, record) is record
    return seen


def applied(seen: Seen, row: str) -> bool:
    """Whether the good command behind a row made its account."""
    last = max(index for name, index in seen.lies if name == row)
    return seen.outcome(row, last) == ("accepted", False)


@pytest.mark.parametrize("row", UNREADABLE)
async def test_what_cannot_be_read_lies_in_dead_letters_as_it_came_and_the_next_command_is_applied(
    shared: Deployment, seen: Seen, row: str
) -> None:
    record, (_, why) = UNREADABLE[row], bad_input.UNREADABLE[row]
    where = seen.lies[f"unreadable: {row}", 0]

    letter = seen.letters[seen.place(f"unreadable: {row}")]

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
    assert seen.place(f"unreadable: {row}") not in seen.answers
    assert applied(seen, f"unreadable: {row}")


@pytest.mark.parametrize("row", REFUSED)
def test_what_is_readable_and_wrong_is_rejected_with_every_reason_and_the_next_command_is_applied(
    seen: Seen, row: str
) -> None:
    _, expected = bad_input.REFUSED[row]

    assert seen.reasons(f"refused: {row}") == [(reason.value, path) for reason, path in expected]
    assert applied(seen, f"refused: {row}")


@pytest.mark.parametrize("row", UNKNOWN)
def test_an_unknown_type_is_rejected_as_such_and_the_next_command_is_applied(seen: Seen, row: str) -> None:
    assert seen.reasons(f"unknown: {row}") == [("UNKNOWN_COMMAND", None)]
    assert applied(seen, f"unknown: {row}")


@pytest.mark.parametrize("row", HARMLESS)
def test_what_is_only_odd_is_judged_by_its_content_and_the_next_command_is_applied(seen: Seen, row: str) -> None:
    assert seen.outcome(f"harmless: {row}") == ("accepted", False)
    assert applied(seen, f"harmless: {row}")


@pytest.mark.parametrize("row", IGNORED)
def test_a_bad_trace_is_passed_on_to_nobody_and_counted(seen: Seen, row: str) -> None:
    result = seen.answers[seen.place(f"harmless: {row}")]
    times = sum(attribute == IGNORED[row] for attribute in IGNORED.values())

    assert "traceparent" not in result
    assert result["correlationid"] == result["causationid"]
    assert f'billing_attributes_ignored_total{{attribute="{IGNORED[row]}"}} {times}.0' in seen.metrics


@pytest.mark.parametrize("row", MISPLACED)
def test_what_lies_at_the_wrong_place_is_told_so_and_its_id_is_free(seen: Seen, row: str) -> None:
    record, codes = MISPLACED[row]

    assert [code for code, _ in seen.reasons(f"misplaced: {row}")] == codes
    if record.partition == ELSEWHERE:
        told = seen.answers[seen.place(f"misplaced: {row}")]["data"]["reasons"][-1]["details"]
        assert told == {"expected": HOME}
    else:  # within its partition the same command comes later
        assert seen.outcome(f"misplaced: {row}", 1) == ("accepted", False)
    assert applied(seen, f"misplaced: {row}")


@pytest.mark.parametrize("row", AGAIN)
def test_an_id_is_used_once_and_the_same_content_gets_the_first_answer_again(seen: Seen, row: str) -> None:
    _, outcome, is_repetition = AGAIN[row]
    first, again = seen.answers[seen.place("again: first")], seen.answers[seen.place(f"again: {row}")]

    assert seen.outcome(f"again: {row}") == (outcome, is_repetition)
    if is_repetition:
        assert again["data"] == first["data"] | {"duplicate": True}
    made = [event for event in seen.output["account_events"] if b'"accounts/acme/of-first"' in event.value]
    assert [json.loads(event.value)["sequence"] for event in made] == [1, 2]
    assert applied(seen, f"again: {row}")


@pytest.mark.parametrize("row", TOO_LARGE)
def test_a_record_above_the_limit_of_the_topic_is_refused_by_the_broker_and_the_next_command_is_applied(
    seen: Seen, row: str
) -> None:
    assert row in seen.refused_by_the_broker
    assert applied(seen, f"too large: {row}")


@pytest.mark.parametrize("row", STORIES)
def test_behind_each_story_the_next_command_is_applied(seen: Seen, row: str) -> None:
    assert applied(seen, row)


async def test_nothing_is_lost_and_nothing_comes_twice(shared: Deployment, seen: Seen) -> None:
    assert len(seen.letters) == len(UNREADABLE)
    assert len(seen.answers) + len(seen.letters) == shared.sent
    assert "INTERNAL_ERROR" not in str(seen.answers)
    await check(shared)


def test_bombs_take_bounded_memory(seen: Seen) -> None:
    assert seen.memory_bytes < MEMORY_BYTES_MAX


def test_a_rejected_command_again_is_rejected_with_the_same_reasons(seen: Seen) -> None:
    first, again = (seen.answers[seen.place("refused twice", number)] for number in range(2))

    assert again["data"] == first["data"] | {"duplicate": True}
    assert seen.outcome("refused twice") == ("INVALID_DATA", False)


def test_a_tick_that_a_stranger_sends_has_no_result_and_uses_no_id(seen: Seen) -> None:
    assert seen.outcome("ticks", 2) == ("accepted", False)
    assert b"stranger" not in b"".join(record.value for record in seen.output["command_results"])


def test_a_dry_run_says_what_would_happen_and_stores_nothing(seen: Seen) -> None:
    would, would_not, did = (seen.answers[seen.place("dry runs", number)] for number in range(3))

    assert [event["type"] for event in would["data"]["events"]] == [
        "billing.account.created.v1",
        "billing.account.phase-changed.v1",
        "billing.account.phase-changed.v1",
    ]
    assert would["data"]["wouldAccept"]
    assert [reason["code"] for reason in would_not["data"]["reasons"]] == ["ACCOUNT_NOT_FOUND"]
    assert not would_not["data"]["wouldAccept"]
    assert (did["type"], did["data"]["duplicate"]) == ("billing.command.accepted.v1", False)


def test_what_would_not_fit_is_refused_before_anything_is_kept(seen: Seen) -> None:
    row = "more than one command may move"
    refused = seen.answers[seen.place(row, len(MOVED) - 1)]["data"]["reasons"]
    payers = {
        record.key: json.loads(record.value)["data"]["payer"]["account"]
        for record in seen.output["payers"]
        if record.key.startswith(b"acme/moved-")
    }

    assert [(reason["code"], reason["details"]) for reason in refused] == [
        ("MOVE_TOO_LARGE", {"limit": MOVE_PROJECTS_MAX, "actual": 3})
    ]
    assert set(payers.values()) == {"of-payer"}
    assert applied(seen, row)


def test_a_card_number_is_in_no_log_line_and_in_no_topic_but_where_it_came_unreadable(seen: Seen) -> None:
    digits = "".join(letter for letter in CARD if letter.isdigit())
    written = {
        topic: b"".join(
            b"".join([record.key or b"", record.value or b"", *(value or b"" for _, value in record.headers)])
            for record in records
        )
        for topic, records in seen.output.items()
    }

    assert CARD.encode() in written.pop("dead_letters")
    for told in (seen.log.encode(), *written.values()):
        assert CARD.encode() not in told
        assert digits.encode() not in told


def test_no_header_makes_the_worker_answer_anywhere_else(seen: Seen) -> None:
    kinds = {
        topic: {json.loads(record.value)["type"].split(".")[1] for record in seen.output[topic]}
        for topic in ("account_events", "command_results")
    }

    assert kinds == {"account_events": {"account"}, "command_results": {"command"}}


async def test_text_is_stored_as_it_was_sent_but_in_nfc(shared: Deployment, seen: Seen) -> None:
    names = dict(map(tuple, await shared.rows("SELECT account, display_name FROM accounts")))
    published = {json.loads(record.value)["data"]["displayName"] for record in seen.output["accounts"]}

    assert names["of-harmless-sql-in-a-name"] == SQL
    assert names["of-harmless-templates-in-a-name"] == "{{7*7}} ${jndi:ldap} %s%n \\u0000 </script>"
    assert names["of-harmless-a-name-in-nfd"] == "Zürich"
    assert published == set(names.values())


async def test_sql_in_every_field_is_text(shared: Deployment, seen: Seen) -> None:
    (account,) = await shared.rows(
        "SELECT display_name, contact_email, contact_name, labels, serving_type, serving_external_id, scheduled"
        " FROM accounts WHERE account = 'injected'"
    )
    (hold,) = await shared.rows(
        "SELECT message, placed_by, released_by, approval_by, approval_reference FROM holds WHERE account = 'injected'"
    )
    told = defaultdict(list)
    for topic in ("account_events", "binding_events"):
        for record in seen.output[topic]:
            event = json.loads(record.value)
            if event["causationid"].startswith("injected"):
                told[event["causationid"]].append(event)

    assert [seen.outcome("text in every field", number) for number in range(len(INJECTED))] == [
        ("accepted", False)
    ] * len(INJECTED)
    assert tuple(account[:6]) == (SQL, "a'--@acme.com", SQL, {SQL: SQL}, SQL, SQL)
    assert account[6][0]["message"] == SQL
    assert tuple(hold) == (SQL, f"3 {SQL}", f"4 {SQL}", SQL, SQL)
    assert {event["correlationid"] for event in told["injected"]} == {SQL}
    assert {event["actor"] for event in told["injected-1"]} == {f"1 {SQL}"}
    assert told["injected-1"][0]["data"]["note"] == SQL


def test_every_log_line_is_the_workers_own(seen: Seen) -> None:
    lines = [line for line in seen.log.splitlines() if not line.startswith("ready; ")]

    assert "forged" not in {json.loads(line)["event"] for line in lines}
    assert "\x1b" not in seen.log
    assert FORGED not in seen.log
    assert SQL not in seen.log
    assert "Traceback" not in seen.log
