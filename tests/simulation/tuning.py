"""Settings of a history: times and sizes so short that in a few seconds much happens."""

from functools import lru_cache
from random import Random

from worker.settings import Database, Kafka, Lanes, Publishing, PublishingMode, RuleSettings, Settings, Topics

AT_LEAST_ONCE_SHARE = 0.1


def settings_of(random: Random) -> Settings:
    """Draw a history's."""
    mode = PublishingMode.AT_LEAST_ONCE if random.random() < AT_LEAST_ONCE_SHARE else PublishingMode.EXACTLY_ONCE
    return _settings(
        mode,
        partitions=random.choice((1, 2, 2)),
        tick_seconds=random.choice((0.3, 1.5)),
        batch_records_max=random.choice((1, 3, 500)),
        queue_records_max=random.choice((10, 2_000)),
    )


@lru_cache
def _settings(
    mode: PublishingMode, *, partitions: int, tick_seconds: float, batch_records_max: int, queue_records_max: int
) -> Settings:
    return Settings(
        kafka=Kafka(transaction_timeout_ms=5_000),
        database=Database(command_timeout_seconds=1, idle_in_transaction_seconds_max=1),
        topics=Topics(partitions=partitions),
        publishing=Publishing(transaction_seconds_max=1, mode=mode),
        lanes=Lanes(
            batch_records_max=batch_records_max,
            queue_records_max=queue_records_max,
            tick_seconds=tick_seconds,
            drain_seconds_max=0.5,
            backoff_seconds_max=0.4,
            take_over_seconds_max=6,
        ),
        rules=RuleSettings(suspension_notice_seconds=0, tombstone_after_seconds=1),
    )
