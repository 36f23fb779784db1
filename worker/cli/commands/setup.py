"""What makes an installation and runs it."""

import re
from typing import Annotated

import typer

from worker.cli.commands.recovering import As, Yes
from worker.cli.options import Json

topics = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Compare the topics with the settings, and make them so.\n\nFor example: billing-worker topics plan",
)


def _principal(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z]+:.+", text):
        raise typer.BadParameter("must be a kind and a name, as in User:billing-worker")
    return text


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


def doctor(as_json: Json = False) -> None:
    """Tell whether all is as it must be, and what to do where it is not.

    Looks at Kafka, PostgreSQL, topics, rights, lanes, horizons, clocks and retention; changes nothing. Exits with 1 if
    something stops work or costs records. With --json a line for each finding, and the last for all.

    For example:
        billing-worker doctor
    """
    from worker.cli.doctor import show_findings

    show_findings(as_json=as_json)


@topics.command("plan")
def _plan(
    *,
    worker: Annotated[
        str, typer.Option("--worker-principal", callback=_principal, help="Workers, as the brokers name them.")
    ] = "User:billing-worker",
    publisher: Annotated[
        str, typer.Option("--publisher-principal", callback=_principal, help="Publishers of commands.")
    ] = "User:billing-publisher",
    subscriber: Annotated[
        str, typer.Option("--subscriber-principal", callback=_principal, help="Subscribers to events and states.")
    ] = "User:billing-subscriber",
    subscriber_group: Annotated[
        str, typer.Option("--subscriber-group", help="The group in which subscribers read.")
    ] = "billing-subscriber",
    as_json: Json = False,
) -> None:
    """Show what `apply` would do, and which rights workers, publishers and subscribers need.

    Changes nothing, and exits with 0 also when something differs. With --json, `changes` tells whether `apply` has
    something to do, `problems` whether something differs that it will not mend, `acls` the commands that give the
    rights: no more of them than are needed. Where the brokers ask for a user, kafka-acls reads admin.properties.

    For example:
        billing-worker topics plan --json | jq .changes

        billing-worker topics plan --json --publisher-principal User:orders | jq -r '.acls[]' | sh
    """
    from worker.broker.acls import Principals
    from worker.cli.topics import show_plan

    show_plan(Principals(worker, publisher, subscriber, subscriber_group), as_json=as_json)


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


@topics.command("cut-over")
def _cut_over(
    *,
    partitions: Annotated[int, typer.Option("--partitions", min=2, max=1_000, help="How many there are to be.")],
    watch_seconds: Annotated[
        float,
        typer.Option("--watch-seconds", min=0, max=3_600, help="How long to see whether publishers have paused."),
    ] = 5,
    yes: Yes = False,
    who: As = None,
    as_json: Json = False,
) -> None:
    """Have commands spread over more partitions: once publishers have paused, lanes are drained, and workers are gone.

    Adds partitions to the topic of commands, and to no other: the events of a subject stay in one partition, in their
    order. Organizations move to their new lanes, and every lane goes on above the latest instant of all.

    Without --yes it shows what stands in the way (exit code 1) and what it would do. Killed, it is begun once more:
    the database changes at once or not at all. It needs a role that may change the tables (BILLING_DATABASE__OWNER_URL)
    and leaves a record in the audit.

    For example:
        billing-worker topics cut-over --partitions 24

        billing-worker topics cut-over --partitions 24 --yes
    """
    from worker.cli.topics_cutover import CutOver, show_cut_over

    show_cut_over(CutOver(partitions, watch_seconds, yes, who, as_json))


@topics.command("declare")
def _declare(
    *,
    commands_anew: Annotated[
        bool,
        typer.Option("--commands-anew", help="The log of commands is a new one, or was cut: read it from its start."),
    ] = False,
    skip_to_start: Annotated[
        bool,
        typer.Option("--skip-to-start", help="Commands that are gone unread are lost: go on where the log starts."),
    ] = False,
    published_through_position: Annotated[
        bool, typer.Option("--published-through-position", help="Horizons are lost, and everything was published.")
    ] = False,
    publish_again: Annotated[
        bool, typer.Option("--publish-again", help="Horizons are lost, and so is what they told of: publish it again.")
    ] = False,
    lanes: Annotated[list[int] | None, typer.Option("--lane", min=0, help="Of this lane; may be given again.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Of all lanes.")] = False,
    watch_seconds: Annotated[
        float,
        typer.Option("--watch-seconds", min=0, max=3_600, help="How long to see whether publishers have paused."),
    ] = 5,
    yes: Yes = False,
    who: As = None,
    as_json: Json = False,
) -> None:
    """Say what you know of lanes that have stopped, so that they go on. Nothing is guessed.

    Without a word it shows what is seen of the lanes: their positions, what the log of commands is to them, what the
    topics tell of how far they are published, and what could be declared. What contradicts that is refused (exit code
    1). A lane whose cause is gone needs no word: it goes on when a worker takes it.

    Without --yes it only shows what a word would mean. Workers must be gone, and for --commands-anew publishers have to
    pause. It needs a role that may change the tables (BILLING_DATABASE__OWNER_URL), and each lane leaves a record in
    the audit.

    For example:
        billing-worker topics declare

        billing-worker topics declare --lane 3 --skip-to-start

        billing-worker topics declare --all --commands-anew --yes --as ada
    """
    from worker.cli.topics_declare import Declaration, show_declaration
    from worker.recovery.declare.sight import Word

    said = {
        Word.LOG_ANEW: commands_anew,
        Word.SKIP: skip_to_start,
        Word.PUBLISHED: published_through_position,
        Word.PUBLISH_AGAIN: publish_again,
    }
    words = [word for word, is_said in said.items() if is_said]
    show_declaration(Declaration(words, lanes or [], every, watch_seconds, yes, who, as_json))
