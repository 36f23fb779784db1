"""Instants, text and card numbers, for any input."""

import time
from datetime import UTC, datetime, timedelta, timezone
from unicodedata import is_normalized, normalize

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from schemas.cards import carries_card_number
from schemas.commands import parse
from schemas.instants import format_instant, parse_instant
from schemas.text import HIDDEN_CHARACTER, Text

TEXT = Text(20, "Anything.")
OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(datetime(2000, 1, 2), datetime(9998, 12, 30)), OFFSETS)  # noqa: DTZ001 - the offset follows
def test_an_instant_comes_back_whatever_its_offset(naive: datetime, offset: timezone) -> None:
    instant = naive.replace(tzinfo=offset)

    written = format_instant(instant)

    assert len(written) == 27
    assert parse_instant(written) == parse_instant(instant.isoformat()) == instant
    assert format_instant(parse_instant(written)) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00.000000Z"),
        ("2026-11-22t10:00:00.5z", "2026-11-22T10:00:00.500000Z"),
        ("2026-11-22T10:00:00.123456+02:00", "2026-11-22T08:00:00.123456Z"),
        ("2026-11-22T10:00:00-00:00", "2026-11-22T10:00:00.000000Z"),
        ("1999-12-31T23:00:00-02:00", "2000-01-01T01:00:00.000000Z"),
        ("9999-01-01T00:30:00+01:00", "9998-12-31T23:30:00.000000Z"),
        ("2028-02-29T00:00:00Z", "2028-02-29T00:00:00.000000Z"),
    ],
)
def test_an_instant_is_written_in_one_way(text: str, written: str) -> None:
    assert format_instant(parse_instant(text)) == written


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T10:00:00",
        "2026-11-22T10:00Z",
        "2026-11-22",
        "20261122T100000Z",
        "2026-W47-7T10:00:00Z",
        "2026-326T10:00:00Z",
        "2026-11-22T10:00:00.Z",
        "2026-11-22T10:00:00.1234567Z",
        "2026-11-22T10:00:00.123456789Z",
        "2026-11-22T10:00:00,5Z",
        "2026-11-22T10:00:60Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T10:60:00Z",
        "2026-02-29T10:00:00Z",
        "2026-13-01T10:00:00Z",
        "2026-11-22T10:00:00+24:00",
        "2026-11-22T10:00:00+02",
        "2026-11-22T10:00:00+0200",
        "2026-11-22T10:00:00+02:00:30",
        "0001-01-01T00:00:00+12:00",
        "0000-01-01T00:00:00Z",
        "1999-12-31T23:59:59.999999Z",
        "9999-01-01T00:00:00Z",
        "9999-12-31T23:59:59-12:00",
        "1764547200",
        "1764547200.5",
        "-1",
        "+2026-11-22T10:00:00Z",
        "\uff12026-11-22T10:00:00Z",
        "",
        "2026-11-22 10:00:00Z",
        " 2026-11-22T10:00:00Z",
        "2026-11-22T10:00:00Z\n",
    ],
)
def test_what_is_no_instant_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not ") as refused:
        parse_instant(text)
    assert not text or text not in str(refused.value)


@given(st.text())
def test_no_text_breaks_the_reading_of_instants(text: str) -> None:
    try:
        instant = parse_instant(text)
    except ValueError:
        return
    assert 2000 <= instant.year <= 9998


def test_an_instant_without_an_offset_is_not_written() -> None:
    with pytest.raises(ValueError, match="offset"):
        format_instant(datetime(2026, 11, 22))  # noqa: DTZ001 - that is the point
    assert format_instant(datetime(2026, 11, 22, tzinfo=UTC)) == "2026-11-22T00:00:00.000000Z"


@given(st.text(st.characters(codec=None), max_size=40))
def test_text_is_composed_bounded_and_hides_nothing_or_is_refused(text: str) -> None:
    try:
        kept = TEXT.normalised(text)
    except PydanticCustomError:
        assert HIDDEN_CHARACTER.search(text) or not 1 <= len(normalize("NFC", text)) <= 20
        return
    assert is_normalized("NFC", kept)
    assert kept == normalize("NFC", text)
    assert 1 <= len(kept) <= 20
    assert not HIDDEN_CHARACTER.search(kept)
    assert TEXT.normalised(kept) == kept


def test_text_of_any_script_is_kept() -> None:
    for text in ("Zoë & Söhne", "株式会社", "شركة", "Компания", "👍🏽", "a\u00a0b"):
        assert TEXT.normalised(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111\u20131111\u00a01111-1111",
        "card:4111111111111111;",
        "2026 4111 1111 1111 1111",
        "4111 1111 1111 1111 2026",
        "\uff1378282246310005",
        "6304000000000000000",
        "4222222222222",
    ],
)
def test_a_card_number_is_seen(text: str) -> None:
    assert carries_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pm_1QK7wXLkdIwHu7ix",
        "4111111111111112",
        "411111111111",
        "41111111111111111111",
        "4111.1111.1111.1111",
        "4111x111111111111",
        "9a06193e-8460-586f-a623-5ab7c6cc4430",
    ],
)
def test_other_numbers_are_not_taken_for_cards(text: str) -> None:
    assert not carries_card_number(text)


@given(st.text(alphabet="0123456789 -x", max_size=200))
def test_the_search_for_cards_always_ends(text: str) -> None:
    assert carries_card_number(text) in {True, False}


def test_long_hostile_text_takes_little_time() -> None:
    marks = "a" + "\u0301\u0316" * 200_000
    note = {"project": "p", "note": marks}
    started = time.perf_counter()

    assert isinstance(parse("billing.project.lock.v1", note), list)
    assert isinstance(parse("billing.project.lock.v1", note | {"note": marks[:4096]}), list)
    carries_card_number("1 2 " * 64)

    assert time.perf_counter() - started < 1


@given(st.from_regex(r"[1-9][0-9]{11,17}", fullmatch=True), st.sampled_from(["", " ", "-"]))
def test_every_number_with_its_check_digit_is_seen(body: str, separator: str) -> None:
    passing = [body + digit for digit in "0123456789" if carries_card_number(body + digit)]
    assume(separator)

    assert len(passing) == 1
    assert carries_card_number(separator.join(passing[0]))
