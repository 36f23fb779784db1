"""What may happen to workers, and to the group of them."""

from tests.simulation.breaking import WORKERS_MAX, Breaking, Fault
from tests.simulation.group import SESSION_SECONDS
from tests.simulation.workers import Worker


def kill(b: Breaking) -> None:
    """A process is gone; the database hears of its connections at once, or after long."""
    if (worker := b.worker()) is None:
        return
    b.world.inject("worker killed", worker.process)
    b.world.loop.halt(worker.process, for_good=True)
    b.later(b.choose((0.0, 0.001, 0.05, 1.5)), b.cluster.postgres.end_all, worker.process)
    b.cluster.group.expect(worker.subscription)
    b.later(b.random.uniform(0.02, 0.8), b.replace)


def stop(b: Breaking) -> None:
    """A process stands still, past its session or not, and goes on: a zombie."""
    if (worker := b.worker()) is None or not worker.process.is_running:
        return
    seconds = b.choose((0.03, 0.3, SESSION_SECONDS + 0.5, SESSION_SECONDS + 0.8, SESSION_SECONDS + 1.5))
    b.world.inject("worker stopped", f"{worker.process} for {seconds}")
    b.world.loop.halt(worker.process)
    b.cluster.group.expect(worker.subscription)
    b.later(seconds, _go_on, b, worker)


def _go_on(b: Breaking, worker: Worker) -> None:
    b.world.note("goes on", worker.process.name)
    b.world.loop.go_on(worker.process)


def leave(b: Breaking) -> None:
    """A step of a rolling restart."""
    if (worker := b.worker()) is None or not worker.process.is_running:
        return
    b.world.inject("worker left", worker.process)
    worker.is_leaving = True
    b.world.loop.spawn(worker.process, worker.leave())
    b.later(b.random.uniform(0.0, 0.5), b.replace)


def join(b: Breaking) -> None:
    """One more worker."""
    if len(b.cluster.alive) < WORKERS_MAX:
        b.world.inject("worker joined")
        b.cluster.start()


def evict(b: Breaking) -> None:
    """The group takes a member for dead that lives: it hears of it only after a while."""
    if (worker := b.worker()) is not None:
        b.world.inject("member evicted", worker.process)
        b.cluster.group.evict(worker.subscription, b.choose((0.2, 1.0, 2.0)))


def rebalance(b: Breaking) -> None:
    """Partitions change hands for no reason."""
    b.world.inject("rebalance")
    b.cluster.group.rebalance()


def cut_from_postgres(b: Breaking) -> None:
    """One worker does not reach the database, which may hear of that or not."""
    if (worker := b.worker()) is None:
        return
    seconds = b.choose((0.1, 1.0, 3.0))
    b.world.inject("worker cut from postgres", f"{worker.process} for {seconds}")
    if b.random.random() < 0.5:
        worker.database.away_until = b.until(seconds)
    else:
        worker.database.frozen_until = b.until(seconds)
    if b.random.random() < 0.5:
        b.cluster.postgres.end_all(worker.process)


def cut_from_kafka(b: Breaking) -> None:
    """One worker does not reach the brokers; if that lasts, the group goes on without it."""
    if (worker := b.worker()) is None:
        return
    seconds = b.choose((0.1, 0.6, SESSION_SECONDS + 0.8))
    b.world.inject("worker cut from kafka", f"{worker.process} for {seconds}")
    if b.random.random() < 0.5:
        worker.kafka.away_until = b.until(seconds)
    else:
        worker.kafka.frozen_until = b.until(seconds)
    if seconds > SESSION_SECONDS:
        b.later(SESSION_SECONDS, b.cluster.group.evict, worker.subscription)


WEIGHED: dict[Fault, float] = {
    kill: 4,
    stop: 5,
    evict: 5,
    leave: 2,
    join: 1,
    rebalance: 1,
    cut_from_postgres: 1,
    cut_from_kafka: 1,
}
