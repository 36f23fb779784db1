"""Random histories as records: commands as publishers send them, and some that they should not have sent."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from hypothesis import strategies as st

from tests.lane.oracle.lane import TICK, partition_of
from tests.system.deployment import HEADERS, Record
from tests.system.traffic import Known, traffic

COMMANDS_MAX = 100_000
UNREADABLE = (
    None,
    b"",
    b"[]",
    b'{"specversion": "1.0", "specversion": "1.0"}',
    b'{"specversion": "0.3", "id": "1", "source": "tests", "type": "other", "organization": "acme"}',
    b'{"specversion": "1.0", "id": "a b", "source": "tests", "type": "other", "organization": "acme"}',
    b'{"specversion": "1.0", "id": "1", "source": "tests", "type": "other", "organization": "Acme"}',
    b'{"specversion": "1.0", "id": "1", "source": "tests", "type": "other", "organization": "acme", "data": NaN}',
    b"\xff\xfe{}",
)


@dataclass(frozen=True)
class Round:
    """So many records at once; a pause before the next."""

    records: int
    pause_seconds: float


@dataclass(frozen=True)
class History:
    """Everything that a run of random commands is made from."""

    seed: int
    organizations: int
    rounds: tuple[Round, ...]


def histories(rounds: int, records_max: int) -> st.SearchStrategy[History]:
    """Rounds of one to many records, over few organizations; some wait until something has fallen due."""
    sizes = st.integers(1, records_max) | st.integers(records_max // 2, records_max)
    round_ = st.builds(Round, sizes, st.sampled_from((0.0, 0.0, 0.3, 1.2)))
    some = st.lists(round_, min_size=rounds, max_size=rounds).map(tuple)
    return st.builds(History, st.integers(0, 2**32), st.integers(1, 3), some)


def records(seed: int, organizations: tuple[str, ...], partitions: int, known: Known) -> Iterator[Record]:
    """Commands of these organizations, a few of them in binary mode or out of place, among ticks and rubbish."""
    random = Random(seed)  # noqa: S311 - repeatable, not secret
    for number, (organization, value) in enumerate(traffic(seed, organizations, COMMANDS_MAX, known)):
        key, home = organization.encode(), partition_of(organization, partitions)
        draw = random.random()
        if draw < 0.02:
            yield Record(_tick(f"tick-{seed}-{number}"), b"clock", HEADERS, random.randrange(partitions))
        elif draw < 0.03:
            yield Record(random.choice(UNREADABLE), key, [("content-type", b"text/plain"), ("note", None)], home)
        if draw > 0.99:
            yield Record(value, random.choice((None, b"somebody")), HEADERS, home)
        elif draw > 0.98:
            yield Record(value, key, HEADERS, (home + 1) % partitions)
        elif draw > 0.94:
            yield _binary(value, key)
        else:
            yield Record(value, key, HEADERS)


def _tick(id_: str) -> bytes:
    return json.dumps(
        {"specversion": "1.0", "id": id_, "source": "tests", "type": TICK, "organization": "anybody", "data": {}}
    ).encode()


def _binary(value: bytes, key: bytes) -> Record:
    """The same command with its attributes as headers."""
    envelope = json.loads(value)
    data = envelope.pop("data")
    media_type = envelope.pop("datacontenttype", "application/json")
    headers: list[tuple[str, bytes | None]] = [("content-type", media_type.encode())]
    for name, attribute in envelope.items():
        text = attribute if isinstance(attribute, str) else json.dumps(attribute)
        headers.append((f"ce_{name}", text.encode()))
    return Record(json.dumps(data).encode(), key, headers)
