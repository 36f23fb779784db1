"""What makes an installation and runs it."""

import typer

from worker.cli.options import Json

topics = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Compare the topics with the settings, and make them so.\n\nFor example: billing-worker topics plan",
)


def run() -> None:
    """Work: read commands, decide, publish what happened.

    Waits for a Kafka or PostgreSQL that is away, and says so in /readyz. SIGTERM or Ctrl-C ends it: what is under way
    is finished first. Start as many as there are partitions; they share the work.

    For example:
        billing-worker run
    """
    from worker.cli.run import work

    work()


def migrate(as_json: Json = False) -> None:
    """Bring the database to the schema of this release.

    Does nothing to a database that is there already. With BILLING_DATABASE__OWNER_URL set it works as that role, and
    lets the role in BILLING_DATABASE__URL run the worker: it adds to history and cannot rewrite it.

    For example:
        billing-worker migrate
    """
    from worker.cli.migrate import show_migration

    show_migration(as_json=as_json)


@topics.command("plan")
def _plan(as_json: Json = False) -> None:
    """Show what `apply` would do.

    Changes nothing, and exits with 0 also when something differs. With --json, `changes` tells whether `apply` has
    something to do, `problems` whether something differs that it will not mend.

    For example:
        billing-worker topics plan --json | jq .changes
    """
    from worker.cli.topics import show_plan

    show_plan(as_json=as_json)


@topics.command("apply")
def _apply(as_json: Json = False) -> None:
    """Make missing topics and set what differs.

    Settings of other matters stay as they are. Partitions are never added and topics never deleted: where their number
    differs, it says so and exits with 1.

    For example:
        billing-worker topics apply
    """
    from worker.cli.topics import show_application

    show_application(as_json=as_json)
