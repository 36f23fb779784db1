"""Organizations live where Java's client and aiokafka put their records by themselves."""

import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from worker.wire.partitions import partition_of, partition_of_key

# As org.apache.kafka.common.utils.Utils.murmur2 gives them, sign bit cleared (from Kafka's own UtilsTest).
OF_JAVA = {
    "21": -973932308 & 0x7FFFFFFF,
    "foobar": -790332482 & 0x7FFFFFFF,
    "a-little-bit-long-string": -985981536 & 0x7FFFFFFF,
    "a-little-bit-longer-string": -1486304829 & 0x7FFFFFFF,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971 & 0x7FFFFFFF,
    "abc": 479470107 & 0x7FFFFFFF,
}


@pytest.mark.parametrize(("organization", "hashed"), OF_JAVA.items())
def test_places_are_those_of_javas_client(organization: str, hashed: int) -> None:
    assert partition_of(organization, 12) == hashed % 12
    assert partition_of_key(organization.encode(), 7) == hashed % 7


@given(st.binary(max_size=600), st.integers(1, 50))
def test_places_are_those_of_aiokafka(key: bytes, partitions: int) -> None:
    assert partition_of_key(key, partitions) == DefaultPartitioner()(key, list(range(partitions)), [])
