"""The rules once more, naively, from the contract alone: lists, dicts and loops that the real rules must agree with.

Nothing of `worker` is in here. Commands come as a name and a dict, events go as the contract writes them; ids of its
own begin with `~`. What falls due is done account by account, in the order in which it does, then all notices.
"""

from tests.domain.oracle.accounts import Oracle

__all__ = ["Oracle"]
