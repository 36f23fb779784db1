"""Where an organization lives: murmur2 of its key, as Java's client and aiokafka place records by themselves."""

from functools import lru_cache

from aiokafka.partitioner import murmur2

_POSITIVE = 0x7FFFFFFF
_CACHED_KEYS_MAX = 65_536
_CACHED_KEY_BYTES_MAX = 256


@lru_cache(maxsize=_CACHED_KEYS_MAX)
def partition_of(organization: str, partitions: int) -> int:
    """The partition that an organization lives in."""
    return _place(organization.encode(), partitions)


def partition_of_key(key: bytes, partitions: int) -> int:
    """The partition that a record of this key belongs to. Long keys (somebody's dead letters) are not remembered."""
    return _remembered(key, partitions) if len(key) <= _CACHED_KEY_BYTES_MAX else _place(key, partitions)


def _place(key: bytes, partitions: int) -> int:
    place: int = (murmur2(key) & _POSITIVE) % partitions
    return place


_remembered = lru_cache(maxsize=_CACHED_KEYS_MAX)(_place)
