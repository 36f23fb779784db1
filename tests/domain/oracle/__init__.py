"""The rules once more, naively, from the contract alone: lists, dicts and loops that the real rules must agree with.

Nothing of `worker` is in here. Commands come as a name and a dict, events go as the contract writes them; ids of its
own begin with `~`. An entry of `refused` is a code and its details, None where the contract says nothing of them.
"""

from tests.domain.oracle.accounts import Oracle

__all__ = ["Oracle"]
