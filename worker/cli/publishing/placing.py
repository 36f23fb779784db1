"""How many partitions organizations are spread over: what the installation declared, not what the topic has."""

from sqlalchemy.exc import SQLAlchemyError

from worker.broker.topics import present_partitions
from worker.cli.console import fail, say
from worker.cli.reach import address_of, admin, fail_without
from worker.settings import Settings
from worker.store import installation
from worker.store.engine import create_engine


async def partitions_by_topic(settings: Settings) -> dict[str, int]:
    """The partitions of the topics that are there."""
    async with admin(settings.kafka) as client:
        return await present_partitions(client)


async def declared_partitions(settings: Settings, present: dict[str, int]) -> int:
    """Over how many partitions commands go. Without a database the settings count, and it is said."""
    topic = settings.topics.commands
    if topic not in present:
        await fail_without(settings.kafka, [topic])
    declared = await _declared(settings) or settings.topics.partitions
    if declared > present[topic]:
        fail(
            f"{topic} has {present[topic]} partitions, and commands belong to {declared}: "
            "is BILLING_TOPICS__PARTITIONS right?"
        )
    return declared


async def _declared(settings: Settings) -> int | None:
    engine = create_engine(settings.database.url, application_name="billing-worker publish", connections_max=1)
    try:
        async with engine.connect() as connection:
            return (await installation.read(connection)).partitions
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        if getattr(getattr(error, "orig", None), "sqlstate", None) is None:
            say(
                f"PostgreSQL does not answer at {address_of(settings.database.url)}; "
                f"commands go to {settings.topics.partitions} partitions, as the settings say.",
                style="yellow",
            )
        return None
    finally:
        await engine.dispose()
