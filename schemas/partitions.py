"""Where an organization lives: murmur2 of its key, as Java's client and aiokafka place records by themselves."""

from functools import lru_cache
from struct import unpack_from

_POSITIVE = 0x7FFFFFFF
_32_BITS = 0xFFFFFFFF
_SEED = 0x9747B28C
_MIX = 0x5BD1E995
_CACHED_KEYS_MAX = 8_192
"""Each takes 200 bytes of a worker. The records of one command share a key, and find it among a few as among many."""

_CACHED_KEY_BYTES_MAX = 256


@lru_cache(maxsize=_CACHED_KEYS_MAX)
def partition_of(organization: str, partitions: int) -> int:
    """The partition that an organization lives in."""
    return _place(organization.encode(), partitions)


def partition_of_key(key: bytes, partitions: int) -> int:
    """The partition that a record of this key belongs to. Long keys (somebody's dead letters) are not remembered."""
    return _remembered(key, partitions) if len(key) <= _CACHED_KEY_BYTES_MAX else _place(key, partitions)


def murmur2(key: bytes) -> int:
    """Kafka's hash of a key, 32 bits: org.apache.kafka.common.utils.Utils.murmur2.

    aiokafka has the same byte by byte, at twice the time; every record that goes out needs one.
    """
    words, rest = divmod(len(key), 4)
    hashed = _SEED ^ len(key)
    for word in unpack_from(f"<{words}I", key):
        mixed = (word * _MIX) & _32_BITS
        mixed = ((mixed ^ mixed >> 24) * _MIX) & _32_BITS
        hashed = ((hashed * _MIX) & _32_BITS) ^ mixed
    if rest:
        hashed = ((hashed ^ int.from_bytes(key[-rest:], "little")) * _MIX) & _32_BITS
    hashed = ((hashed ^ hashed >> 13) * _MIX) & _32_BITS
    return hashed ^ hashed >> 15


def _place(key: bytes, partitions: int) -> int:
    return (murmur2(key) & _POSITIVE) % partitions


_remembered = lru_cache(maxsize=_CACHED_KEYS_MAX)(_place)
