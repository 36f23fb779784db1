"""The contract once more, naively, for a partition: from records as they lie in the log to all that comes of them.

`lane` decides like a worker, with the rules of `tests.domain.oracle`; nothing of `worker` or `schemas` is in it, nor in
what it reads with (`envelopes`, `commands`). `comparison` holds it against the topics of a real deployment, `standing`
against the tables and the answers given from them.
"""
