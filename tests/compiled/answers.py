"""Everything that thousands of commands bring about, as text: good ones, refused ones, and what nobody can read."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Final, NamedTuple

from aiokafka import ConsumerRecord

from benchmarks.mixes import MIXES
from tests.simulation.commands import Commands
from tests.simulation.world import BEGINNING
from tests.wire.bad_input import HARMLESS, REFUSED, UNREADABLE
from tests.wire.given import INSTALLATION, PARTITIONS, WRITER
from worker.domain.book import Book, Key
from worker.domain.due import account_due_at, project_due_at
from worker.domain.values import MICROSECOND, Rules
from worker.lane.deciding import Deciding
from worker.lane.needs import Incoming, needs_of
from worker.lane.outcome import Outcome
from worker.store.due import Due
from worker.wire.incoming import read
from worker.wire.partitions import partition_of
from worker.wire.records import Headers

STORY_COMMANDS: Final = 2_000
HISTORIES: Final = 40
HISTORY_SECONDS: Final = 6.0
RECORD_BYTES_MAX: Final = 1_048_576


class Sent(NamedTuple):
    """A record without its offset."""

    at: datetime
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers


def main() -> None:
    """Write it all down, and at the end how often what came of a record."""
    outcomes: Counter[str] = Counter()
    for sent in (_story(), _bad_input(), *map(_history, range(HISTORIES))):
        outcomes.update(_decide(sent))
    print(dict(sorted(outcomes.items())))  # noqa: T201


def _story() -> list[Sent]:
    """Each command twice, under another id: what is there already is equal to what is wanted, and another object."""
    return [
        Sent(BEGINNING, partition_of(name, PARTITIONS), name.encode(), written, ())
        for name, value in MIXES["story"](STORY_COMMANDS)
        for written in (value, value.replace(b'"id": "', b'"id": "again-'))
    ]


def _bad_input() -> list[Sent]:
    rows = [record for record, _ in (*UNREADABLE.values(), *REFUSED.values())] + list(HARMLESS.values())
    return [Sent(BEGINNING, row.partition, row.key, row.value, row.headers) for row in rows]


def _history(seed: int) -> list[Sent]:
    drawn = sorted(Commands(Random(seed), PARTITIONS).draw(HISTORY_SECONDS), key=lambda sent: sent.at)  # noqa: S311
    return [
        Sent(BEGINNING + timedelta(seconds=at), partition, content.key, content.value, content.headers)
        for at, partition, content, _ in drawn
    ]


def _decide(sent: list[Sent]) -> Iterator[str]:
    """Decide them one by one in a book that holds all there is, and give what came of each."""
    book = Book(INSTALLATION, Rules(tombstone_after=timedelta(seconds=1)))
    deciding = Deciding(WRITER, book, {}, {}, RECORD_BYTES_MAX, Outcome())
    now = BEGINNING
    for offset, (at, partition, key, value, headers) in enumerate(sent):
        now = max(at, now + MICROSECOND)
        timestamp_ms = int(now.timestamp() * 1_000)
        record = ConsumerRecord(
            "billing.commands", partition, offset, timestamp_ms, 1, key, value, None, -1, len(value or b""), headers
        )
        item = Incoming(record, now, read(record, partitions=PARTITIONS))
        needs = needs_of([item]).book
        for account in needs.accounts:
            book.accounts.setdefault(account, None)
            book.bound.setdefault(account, set())
        for project in needs.projects:
            book.projects.setdefault(project, None)
        deciding.outcome = Outcome()
        deciding.decide([item], _due(book, now))
        outcome = deciding.outcome
        print(item, *outcome.journal, *outcome.outgoing, *outcome.inbox, sep="\n")  # noqa: T201
        yield from outcome.outcomes


def _due(book: Book, now: datetime) -> Due:
    """What is due in the whole book, as the store would find it."""
    accounts = {key: account for key, account in book.accounts.items() if account is not None}
    instants = {key: account_due_at(account) for key, account in accounts.items()}
    due = sorted((at, key) for key, at in instants.items() if at is not None and at <= now)
    owed: dict[Key, list[str]] = {key: [] for _, key in due if accounts[key].notices is not None}
    gone = []
    for key, project in sorted(book.projects.items()):
        if project is None:
            continue
        removed_at = project_due_at(project, book.rules)
        if removed_at is not None and removed_at <= now:
            gone.append(key)
        if project.open is not None and (payer := (key[0], project.open.account)) in owed:
            owed[payer].append(key[1])
    return Due([key for _, key in due], owed, gone)


if __name__ == "__main__":
    main()
