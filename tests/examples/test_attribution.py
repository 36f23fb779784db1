"""Where the example sends a usage record, by what is known of its payer."""

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from examples.attribute_usage import Attributed, Attribution, load, save
from schemas.instants import format_instant
from schemas.subscriber import Payers
from tests.schemas.payer_records import closed, established, final, minute, registered

EXAMPLE = Path(__file__).parents[2] / "examples" / "attribute_usage.py"


def usage(instant: datetime, /, **other: Any) -> bytes:
    said = {"usage": "u-1", "organization": "acme", "project": "website", "at": format_instant(instant), "quantity": 3}
    return json.dumps(said | other).encode()


def record(value: bytes | None) -> ConsumerRecord:
    return ConsumerRecord("usage", 0, 7, 0, 0, b"u-1", value, None, 3, len(value or b""), ())


@pytest.fixture
def payers() -> Payers:
    """Main pays since minute 1; final through minute 5."""
    payers = Payers(whole=True)
    payers.event(registered())
    payers.event(established(2, 1))
    return final(payers, through=5)


def sent(payers: Payers, value: bytes | None, *, is_late: bool = False, provisional: bool = False) -> Attributed | None:
    return Attribution(payers, "attributed", "quarantine", provisional).of(record(value), is_late=is_late)


def reason(attributed: Attributed | None, value: bytes | None) -> str | None:
    """Why it is quarantined, as it came."""
    assert attributed is not None
    assert (attributed.topic, attributed.key, attributed.value) == ("quarantine", b"u-1", value)
    return attributed.reason


def test_usage_with_a_final_payer_is_attributed_with_all_that_it_said(payers: Payers) -> None:
    placed = sent(payers, usage(minute(3), region="north"))

    assert placed is not None
    assert (placed.topic, placed.key, placed.reason) == ("attributed", b"u-1", None)
    assert json.loads(placed.value or b"") == json.loads(usage(minute(3), region="north")) | {
        "account": "main",
        "binding": "00000000-0000-5000-8000-000000000001",
        "currency": "EUR",
        "since": format_instant(minute(1)),
        "final": True,
    }


def test_it_comes_out_in_the_same_bytes_when_more_is_known(payers: Payers) -> None:
    before = sent(payers, usage(minute(3)))
    payers.event(closed("released", 3, 1, 9))

    assert sent(payers, usage(minute(3))) == before


def test_usage_past_the_horizon_waits_and_is_quarantined_when_it_waited_in_vain(payers: Payers) -> None:
    value = usage(minute(9))

    assert sent(payers, value) is None
    assert reason(sent(payers, value, is_late=True), value) == "NOT_YET"


def test_a_provisional_payer_is_written_only_after_the_wait_and_says_so(payers: Payers) -> None:
    value, unbound = usage(minute(9)), usage(minute(9), project="other")

    assert sent(payers, value, provisional=True) is None
    placed = sent(payers, value, provisional=True, is_late=True)
    assert placed is not None
    assert json.loads(placed.value or b"")["final"] is False
    assert reason(sent(payers, unbound, provisional=True, is_late=True), unbound) == "NOT_YET"


def test_usage_of_a_project_with_a_gap_waits_for_it_to_heal(payers: Payers) -> None:
    payers.event(established(7, 8))
    value = usage(minute(3))

    assert sent(payers, value) is None
    assert reason(sent(payers, value, is_late=True), value) == "GAP"


def test_usage_that_nobody_paid_for_is_quarantined_at_once(payers: Payers) -> None:
    value, unheard = usage(minute(0)), usage(minute(3), project="other")

    assert reason(sent(payers, value), value) == "NOBODY_PAID"
    assert reason(sent(payers, unheard), unheard) == "NOBODY_PAID"


def test_usage_of_a_project_that_was_never_seen_is_no_guess_to_who_started_late() -> None:
    value = usage(minute(3))

    assert reason(sent(final(Payers(whole=False), through=5), value), value) == "NEVER_SEEN"


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        b"{}",
        usage(minute(3), usage=7),
        usage(minute(3), usage="\ud800"),
        usage(minute(3), organization=7),
        usage(minute(3), organization="\ud800"),
        usage(minute(3), project=["website"]),
        usage(minute(3), at=1_700_000_000),
        usage(minute(3), at="2026-11-22"),
    ],
)
def test_what_is_no_usage_is_quarantined_as_it_came(payers: Payers, value: bytes | None) -> None:
    assert reason(sent(payers, value), value) == "UNREADABLE"


def test_state_is_kept_whole_and_read_again(payers: Payers, tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    save(payers, path)
    save(payers, path)

    assert list(load(path, 12).dump()) == list(payers.dump())
    assert [file.name for file in tmp_path.iterdir()] == ["state.jsonl"]
    assert load(tmp_path / "other", 12).positions == {}


def test_the_example_says_how_it_is_used() -> None:
    said = subprocess.run([sys.executable, EXAMPLE, "--help"], capture_output=True, text=True, check=True).stdout

    assert "--wait-seconds" in said
    assert "quarantine" in said
