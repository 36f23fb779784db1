"""Where records belong: the contract's rule, under the name that the worker knows it by."""

from schemas.partitions import murmur2, partition_of, partition_of_key

__all__ = ["murmur2", "partition_of", "partition_of_key"]
