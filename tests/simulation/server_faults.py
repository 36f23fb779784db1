"""What may happen to the database, to the brokers, and to what lies in the topics."""

from aiokafka import TopicPartition

from tests.simulation.breaking import Breaking, Fault
from tests.simulation.logs import Content, Fate, Transaction
from tests.simulation.worker_faults import evict
from worker.wire.horizons import horizon_key
from worker.wire.outgoing import Topic


def restart_postgres(b: Breaking) -> None:
    """Every session ends, and for a while none can be opened."""
    seconds = b.choose((0.01, 0.2, 1.5))
    b.world.inject("postgres restarted", seconds)
    b.cluster.postgres.end_all()
    b.cluster.postgres.server.away_until = b.until(seconds)


def freeze_postgres(b: Breaking) -> None:
    """Nothing comes through, and nothing is refused."""
    seconds = b.choose((0.1, 0.8, 2.5))
    b.world.inject("postgres frozen", seconds)
    b.cluster.postgres.server.frozen_until = b.until(seconds)


def terminate_session(b: Breaking) -> None:
    """An operator ends a session in the midst of its transaction; waits for one if there is none."""
    sessions = b.cluster.postgres.sessions
    if sessions:
        b.world.inject("session terminated")
        b.cluster.postgres.end(b.choose(sessions))
    elif not b.is_over:
        b.later(0.004, terminate_session, b)


def lock_row(b: Breaking) -> None:
    """An operator locks a lane's row."""
    postgres, partition = b.cluster.postgres, b.partition()
    if partition in postgres.holders:
        return
    seconds = b.choose((0.2, 1.5))
    b.world.inject("row locked", f"{partition} for {seconds}")
    session = postgres.open(None)
    postgres.holders[partition] = session
    session.locks.add(partition)
    b.later(seconds, postgres.end, session)


def restore_postgres(b: Breaking) -> None:
    """The database is put back to where it was."""
    if b.backup is not None:
        b.world.inject("postgres restored")
        b.was_restored = True
        b.cluster.postgres.end_all()
        b.cluster.postgres.tables = b.backup.copy()


def take_brokers_away(b: Breaking) -> None:
    """Nobody reaches a broker."""
    seconds = b.choose((0.1, 1.0, 3.0))
    b.world.inject("brokers away", seconds)
    b.cluster.broker.server.away_until = b.until(seconds)


def freeze_kafka(b: Breaking) -> None:
    """Requests to the brokers wait."""
    seconds = b.choose((0.1, 0.8, 3.0))
    b.world.inject("kafka frozen", seconds)
    b.cluster.broker.server.frozen_until = b.until(seconds)


def move_clock(b: Breaking) -> None:
    """A broker's clock steps ahead or back."""
    log = b.cluster.broker.commands(b.partition())
    log.clock_ahead_ms = b.choose((-3_600_000, -10_000, -500, -3, 500, 20_000, 200_000))
    b.world.inject("broker clock moved", log.clock_ahead_ms)


def move_group_offset(b: Breaking) -> None:
    """Somebody resets the group's offset, or deletes it."""
    partition, offsets = b.partition(), b.cluster.broker.group_offsets
    offset = b.choose((0, None, b.cluster.broker.commands(partition).end))
    b.world.inject("group offset moved", offset)
    if offset is None:
        offsets.pop(partition, None)
    else:
        offsets[partition] = (offset, "")


def hold_horizons(b: Breaking) -> None:
    """Another producer's open transaction holds the log in which a lane's horizons lie, while lanes change hands."""
    key = horizon_key(b.cluster.settings.topics.commands, b.partition())
    b.world.inject("foreign transaction", "horizons")
    _hold(b, b.cluster.names.log_of(Topic.HORIZONS, key))
    b.later(b.random.uniform(0.05, 1.0), evict, b)


def hold_commands(b: Breaking) -> None:
    """A publisher's open transaction holds a lane's log; in the end it is aborted."""
    b.world.inject("foreign transaction", "commands")
    _hold(b, TopicPartition(b.cluster.settings.topics.commands, b.partition()))


def make_unreadable(b: Breaking) -> None:
    """What lies in a lane's log cannot be read for a while."""
    partition = b.partition()
    b.world.inject("log unreadable", partition)
    b.cluster.broker.unreadable_until[partition] = b.until(b.choose((0.1, 1.0)))


def _hold(b: Breaking, name: TopicPartition) -> None:
    transaction = Transaction("somebody")
    b.cluster.broker.logs[name].append(Content(b"somebody", b"never to be seen", (), 0), transaction)
    b.later(b.choose((0.1, 1.0, 3.0)), end, transaction, Fate.ABORTED)


def end(transaction: Transaction, fate: Fate) -> None:
    """End somebody else's transaction."""
    transaction.fate = fate
    for log in transaction.logs:
        log.mark(transaction)


WEIGHED: dict[Fault, float] = dict.fromkeys(
    (
        restart_postgres,
        freeze_postgres,
        terminate_session,
        lock_row,
        take_brokers_away,
        freeze_kafka,
        move_clock,
        move_group_offset,
        hold_commands,
        make_unreadable,
    ),
    1,
) | {hold_horizons: 2.5}
