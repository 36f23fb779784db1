"""Batches that the Kafka client itself cannot read: they are their own lane's trouble, and nobody loses a command."""

import asyncio
import struct

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition, codec
from aiokafka.errors import UnsupportedCodecError
from aiokafka.record.util import calc_crc32c

from tests.lane.test_lanes_side_by_side import ORGANIZATIONS, QUIET, publish
from tests.system.checker import check
from tests.system.deployment import Deployment, command
from worker.lane.intake import Intake
from worker.lane.ownership import Ownership

NAME, RAW_NAME = b"!header!", b"\xffheader\xfe"
HEADER_BYTES, ATTRIBUTES, CRC, LENGTH = 61, 21, 17, 8
ZSTD = 4
UNPACKED_BYTES = 24 * 1024 * 1024
"""Of a record that takes a few kilobytes in its topic: brokers measure what is packed."""


def with_a_raw_header_name(batch: bytes) -> bytes:
    return batch.replace(NAME, RAW_NAME)


def compressed_as_zstd(batch: bytes) -> bytes:
    """A Zstandard frame of one raw block."""
    content = batch[HEADER_BYTES:]
    size = struct.pack("<H", len(content) - 256)
    frame = b"\x28\xb5\x2f\xfd\x60" + size + (1 | len(content) << 3).to_bytes(3, "little") + content
    return batch[:ATTRIBUTES] + struct.pack(">h", ZSTD) + batch[ATTRIBUTES + 2 : HEADER_BYTES] + frame


async def send(deployment: Deployment, values: list[bytes], change: object) -> None:
    """Send one batch to the first lane, changed on its way, and leave it valid for the broker."""
    async with AIOKafkaProducer(bootstrap_servers=deployment.settings.kafka.bootstrap_servers) as producer:
        batch = producer.create_batch()
        for value in values:
            batch.append(timestamp=None, key=ORGANIZATIONS[0].encode(), value=value, headers=[(NAME.decode(), b"x")])
        batch.close()
        build = batch._build  # noqa: SLF001 - no client writes such bytes of itself

        def build_changed() -> bytes:
            changed = bytearray(change(bytes(build())))  # type: ignore[operator]
            changed[LENGTH : LENGTH + 4] = struct.pack(">i", len(changed) - 12)
            changed[CRC : CRC + 4] = struct.pack(">I", calc_crc32c(bytes(changed[ATTRIBUTES:])))
            batch._buffer = bytes(changed)  # noqa: SLF001
            return bytes(changed)

        batch._build = build_changed  # noqa: SLF001
        await (await producer.send_batch(batch, deployment.settings.topics.commands, partition=0))
    deployment.sent += len(values)


def binds(*ids: str) -> list[bytes]:
    actor = "x" * 190
    return [command(ORGANIZATIONS[0], "project.bind", id_, actor=actor, project=id_, account="main") for id_ in ids]


async def test_a_header_name_that_is_not_utf8_hinders_nobody(deployment: Deployment) -> None:
    with deployment.worker(**QUIET):
        await publish(deployment, 0, 1)
        await deployment.answers()
        await send(deployment, binds("one", "two"), with_a_raw_header_name)
        for number in range(1, 30):
            await publish(deployment, number, number + 1)
        await deployment.answers(20)
    await check(deployment)


async def test_a_record_with_a_raw_header_name_that_is_unreadable_becomes_a_dead_letter(deployment: Deployment) -> None:
    with deployment.worker(**QUIET):
        await send(deployment, [b"{"], with_a_raw_header_name)
        await deployment.answers(20)
    (letter,) = await deployment.read("dead_letters")

    assert letter.value == b"{"
    assert letter.headers[0][1] == b"x"


async def test_a_compressed_batch_is_read(deployment: Deployment) -> None:
    with deployment.worker(**QUIET):
        await publish(deployment, 0, 1)
        await deployment.answers()
        await send(deployment, binds("one"), compressed_as_zstd)
        results = await deployment.answers(20)

    assert {result["data"]["command"] for result in results} >= {"one"}
    await check(deployment)


async def test_a_record_that_unpacks_to_far_more_than_may_be_leaves_its_place_in_dead_letters(
    deployment: Deployment,
) -> None:
    topic, key = deployment.settings.topics.commands, ORGANIZATIONS[0].encode()
    with deployment.worker(**QUIET):
        for packing in ("gzip", "lz4", "zstd"):
            async with AIOKafkaProducer(
                bootstrap_servers=deployment.settings.kafka.bootstrap_servers,
                compression_type=packing,
                max_request_size=2 * UNPACKED_BYTES,
            ) as producer:
                await producer.send_and_wait(topic, b" " * UNPACKED_BYTES, key, partition=0)
        deployment.sent += 3
        await publish(deployment, 0, 3)
        await deployment.answers()
    letters = await deployment.read("dead_letters")

    assert [dict(letter.headers)["billing-packed-batch"] for letter in letters] == [
        b"gzip, 1 records",
        b"lz4, 1 records",
        b"zstd, 1 records",
    ]
    assert [int(dict(letter.headers)["billing-offset"]) for letter in letters] == [0, 1, 2]
    assert b" " * UNPACKED_BYTES in codec.gzip_decode(letters[0].value)
    await check(deployment)


async def test_what_cannot_be_read_is_told_to_its_own_lane_and_takes_nothing_from_the_others(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic, servers = deployment.settings.topics.commands, deployment.settings.kafka.bootstrap_servers
    good, bad = TopicPartition(topic, 0), TopicPartition(topic, 1)
    await deployment.publish(None, b"one", b"two", partition=good.partition)
    async with AIOKafkaProducer(bootstrap_servers=servers, compression_type="zstd") as producer:
        await producer.send_and_wait(topic, b" " * 1_000, partition=bad.partition)
    monkeypatch.setattr(codec, "has_zstd", lambda: False)  # a codec whose library is not there
    told: list[tuple[int, Exception]] = []
    intake = Intake(
        deployment.settings, Ownership.__new__(Ownership), lambda *_: None, lambda *told_: told.append(told_)
    )
    values: list[bytes] = []
    async with AIOKafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest") as consumer:
        consumer.assign([good, bad])
        while len(values) < 2 or not told:
            for records in (await intake._getmany(consumer, timeout_ms=5, max_records=3)).values():  # noqa: SLF001
                values += [record.value for record in records]
            await asyncio.sleep(0.01)

        assert values == [b"one", b"two"]
        assert [(partition, type(error)) for partition, error in told] == [(bad.partition, UnsupportedCodecError)]
        assert consumer.paused() == {bad}
