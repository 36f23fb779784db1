"""`migrate`: the database as this release needs it."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import make_url

from worker.cli.console import print_facts, print_json, say
from worker.cli.reach import address_of, finish, reaching_database
from worker.settings import Database, Settings, load
from worker.store import installation, revisions, roles, schema
from worker.store.engine import create_engine


@dataclass(frozen=True, slots=True)
class Migrated:
    """The database after a migration; `granted_to` is the role that workers connect as, if it is another."""

    address: str
    revision: str
    installation: UUID
    granted_to: str | None


def show_migration(*, as_json: bool) -> None:
    """Migrate, and tell where the database stands then."""
    done = finish(migrate(load()))
    if as_json:
        print_json({"revision": done.revision, "installation": str(done.installation), "role": done.granted_to})
        return
    facts = [("database", done.address), ("revision", done.revision), ("installation", done.installation)]
    print_facts([*facts, ("role of the worker", done.granted_to)] if done.granted_to else facts)


async def migrate(settings: Settings) -> Migrated:
    """Upgrade, then let the worker's role in. Says every step on stderr."""
    database = settings.database
    url = database.owner_url or database.url
    setting = "BILLING_DATABASE__OWNER_URL" if database.owner_url else "BILLING_DATABASE__URL"
    with reaching_database(url, setting):
        await schema.upgrade(url, say)
        engine = create_engine(url, application_name="billing-worker migrate", connections_max=1)
        try:
            async with engine.begin() as connection:
                granted_to = _runtime_role(database)
                if granted_to is not None:
                    await roles.grant_runtime(connection, granted_to, make_url(database.url).password)
                revision = await revisions.current_revision(connection)
                identity = await installation.read(connection)
        finally:
            await engine.dispose()
    return Migrated(address_of(url), str(revision), identity.id, granted_to)


def _runtime_role(database: Database) -> str | None:
    if database.owner_url is None:
        return None
    owner, role = make_url(database.owner_url).username, make_url(database.url).username
    return role if role != owner else None
