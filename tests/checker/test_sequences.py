"""E2 and E3: holes, disorder, torn records and records that come twice are reported, with the subject."""

from dataclasses import replace
from typing import Any

import pytest

from tests.checker.given import PARTITIONS, Record, body_of, event, rebind, result, shown, the_only
from tests.system.checker.marks import Log
from tests.system.checker.messages import Message, opened
from tests.system.checker.sequences import Listed, Sequences, Versions, repeats_its_headers
from tests.system.checker.views import Reading, saw_the_same, shows_nothing_else, shows_what_is_published


def changed(message: Message, **parts: Any) -> Message:
    """The same record, but for these parts."""
    assert isinstance(message.record, Record)
    return opened(replace(message.record, **parts), PARTITIONS)


def sequences(messages: list[Message]) -> list[str]:
    claim = Sequences()
    return [*shown(claim.see, messages), *claim.have_no_holes()]


def test_a_sound_history_is_found_sound() -> None:
    assert sequences(rebind()) == []


def test_a_hole_in_a_sequence_is_reported() -> None:
    first, second, _, fourth = rebind()

    assert (
        the_only(sequences([first, second, fourth])) == "projects/acme/web has 3 events, but the last one is number 4"
    )


def test_events_that_come_out_of_order_are_reported() -> None:
    first, second, third, fourth = rebind()

    assert "has the sequence 2 behind 3" in the_only(sequences([first, third, second, fourth]))


def test_two_events_of_one_number_are_reported() -> None:
    assert len(sequences([*rebind(), event("project.payer-missing", "web", 4, 9)])) == 2


def test_a_subject_in_two_partitions_is_reported() -> None:
    *rest, last = rebind()
    moved = changed(last, partition=2)

    assert "is in another partition" in the_only(sequences([*rest, moved]))


def test_a_compacted_topic_that_goes_back_is_reported() -> None:
    versions = Versions()

    assert shown(versions.see, [event("account.state", "main", number, number) for number in (3, 5)]) == []
    assert "has the sequence 4 behind 5" in the_only(shown(versions.see, [event("account.state", "main", 4, 6)]))


@pytest.mark.parametrize("name", ["id", "type", "subject"])
def test_a_header_that_says_something_else_than_the_value_is_reported(name: str) -> None:
    (message, *_) = rebind()
    headers = [
        (f"ce_{other}", b"x" if other == name else body_of(message)[other].encode())
        for other in ("id", "type", "subject")
    ]

    assert list(repeats_its_headers(message)) == []
    assert f"has the {name}" in the_only(repeats_its_headers(changed(message, headers=headers)))


def test_a_key_that_is_not_the_subjects_is_reported() -> None:
    message = changed(rebind()[0], key=b"acme/other")

    assert "has the key b'acme/other'" in the_only(repeats_its_headers(message))


def test_an_event_that_a_result_lists_and_nobody_published_is_reported() -> None:
    listed, events = Listed(), rebind()
    entries = [
        {"id": body_of(e)["id"], "subject": body_of(e)["subject"], "sequence": body_of(e)["sequence"]}
        for e in events[2:]
    ]

    assert shown(listed.by, [result("accepted", "c-5", 5, events=entries, eventCount=2)]) == []
    assert shown(listed.see, events[:3]) == []
    assert "number 4 of projects/acme/web (0/5/1) is listed" in the_only(listed.are_all_there())


def test_a_result_that_counts_other_events_than_it_lists_is_reported() -> None:
    assert "counts 2 events and lists 0" in the_only(shown(Listed().by, [result("accepted", "c-5", 5, eventCount=2)]))


def record(offset: int, id_: str, value: bytes = b"{}") -> Record:
    return Record(offset=offset, key=b"acme/web", value=value, headers=[("ce_id", id_.encode())])


def read(*records: Record) -> Reading:
    reading = Reading("events/0", {})
    for one in records:
        reading.see(one)
    return reading


def test_equal_ids_with_other_bytes_are_reported_as_torn() -> None:
    reading = read(record(0, "a"), record(1, "b"), record(2, "a", b"[]"))

    assert reading.twice == []
    assert the_only(reading.torn).startswith("events/0/2 (key b'acme/web', id b'a') has the id of a record before it")


def test_the_same_record_once_more_is_reported_as_come_twice() -> None:
    reading = read(record(0, "a"), record(1, "b"), record(5, "b"))

    assert reading.torn == []
    assert the_only(reading.twice).startswith("events/0/5 (key b'acme/web', id b'b') is the same record")


def test_a_subscriber_who_saw_what_lies_there_is_as_it_should_be() -> None:
    one, other = read(record(0, "a"), record(3, "b")).log, read(record(0, "a"), record(3, "b"), record(7, "c")).log

    assert list(saw_the_same("events/0", one, other, end=5)) == []
    assert list(shows_what_is_published("events/0", one, read(record(0, "a"), record(3, "b")).marks)) == []


def seen(*places: tuple[int, str]) -> Log:
    log = Log()
    for offset, id_ in places:
        other = read(record(offset, id_)).log.at(0)
        log.append(*other)
    return log


@pytest.mark.parametrize(
    ("live", "said"),
    [
        ([(0, "a")], "events/0/3 never came"),
        ([(0, "a"), (3, "b"), (3, "b")], "events/0/3 came 2 times"),
        ([(0, "a"), (2, "x"), (3, "b")], "events/0/2 came to a subscriber that was there, and is not in the log"),
        ([(0, "a"), (3, "x")], "events/0: offset 3 came to a subscriber that was there where 3 lies now"),
        ([(3, "b"), (0, "a")], "events/0: offset 3 came to a subscriber that was there where 0 lies now"),
    ],
)
def test_a_subscriber_who_saw_something_else_is_reported(live: list[tuple[int, str]], said: str) -> None:
    after = read(record(0, "a"), record(3, "b")).log

    assert said in the_only(saw_the_same("events/0", seen(*live), after, end=4))


def test_what_one_sees_early_in_other_bytes_than_in_the_end_is_reported() -> None:
    published = read(record(4, "a", b"[]")).marks

    assert "events/0/0 has other bytes" in the_only(shows_what_is_published("events/0", seen((0, "a")), published))


def test_what_one_sees_early_and_never_again_is_reported() -> None:
    published = read(record(4, "a")).marks
    early = seen((0, "a"), (1, "b"))

    assert "events/0/1 was sent and never published" in the_only(shows_nothing_else("events/0", early, published, 9))
    assert list(shows_nothing_else("events/0", early, published, 1)) == []
