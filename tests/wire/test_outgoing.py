"""Records on their way out: from the journal, and their size."""

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from schemas.topics import TOPICS
from tests.wire.given import ACCOUNT, AT, ESTABLISHED, INSTALLATION, PROJECT, WRITER, Record, cause, event, reading
from worker.domain.decision import Reason, Refusal
from worker.wire.horizons import Horizon
from worker.wire.outgoing import Outgoing, Topic, restore
from worker.wire.request import Tick
from worker.wire.ticks import tick

WRITTEN = [
    event(ESTABLISHED).record,
    WRITER.accepted(cause(), [], 3, 0).record,
    WRITER.rejected(cause(), (Refusal(Reason.PROJECT_DELETED),), 0).record,
    WRITER.account_state(cause(), ACCOUNT, 0),
    WRITER.payer_state(cause(), PROJECT, 0),
    WRITER.payer_tombstone(cause(), "acme", "website"),
    WRITER.horizon("billing.commands", 3, Horizon(AT, 43, 5, INSTALLATION)),
]
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize("record", WRITTEN, ids=lambda record: record.topic.value)
def test_the_journal_needs_no_headers_of_what_we_wrote(record: Outgoing) -> None:
    assert restore(record.topic, record.key, record.value, None, record.timestamp_ms) == record


@given(
    st.none() | st.binary(),
    st.none() | st.binary(max_size=5_000),
    st.lists(st.tuples(TEXT, st.none() | st.binary())),
)
def test_the_size_is_an_upper_bound(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    record = Outgoing(Topic.DEAD_LETTERS, key, value, headers, 1_795_341_600_123)
    batch = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=1, producer_id=1, producer_epoch=1, base_sequence=1, batch_size=0
    )
    batch.append(0, timestamp=record.timestamp_ms, key=key, value=value, headers=headers)

    assert len(batch.build()) <= record.bytes_max


def test_topics_are_those_of_the_contract() -> None:
    assert [topic.name.lower() for topic in Topic] == [topic.setting for topic in TOPICS]


def test_a_tick_of_our_own_is_read_as_one() -> None:
    sent = tick("tick-1", "/billing")

    read_as = reading(Record(sent.value, key=sent.key, headers=sent.headers))
    assert isinstance(read_as, Tick)
    assert (read_as.id, WRITER.cause(read_as, AT).actor) == ("tick-1", "system:billing-worker")
