"""Where the fuzzer starts: every command of the samples in both modes, and what other tests know to be odd."""

import json
from collections.abc import Iterator

from schemas.commands import COMMANDS
from tests.fuzz.form import FILE_BYTES_MAX, file_of
from tests.fuzz.mutations import SAMPLES
from tests.wire.bad_input import HARMLESS, REFUSED, UNREADABLE
from tests.wire.given import binary, structured
from tests.wire.test_content import OTHER, SAME


def seeds() -> Iterator[bytes]:
    """Files to start from."""
    for kind in COMMANDS:
        envelope = json.loads((SAMPLES / f"{kind}.json").read_text("utf-8"))
        yield file_of(structured(envelope))
        yield file_of(binary(envelope))
    yield from (file_of(record) for record in (*SAME.values(), *OTHER.values()))
    rows = [record for record, _ in (*UNREADABLE.values(), *REFUSED.values())] + list(HARMLESS.values())
    yield from (file for file in map(file_of, rows) if len(file) <= FILE_BYTES_MAX)
