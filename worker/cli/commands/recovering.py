"""What operators do to recover, as it is typed: prove, rebuild, publish again, read again, mend.

What changes something only shows what it would do unless it is told --yes, and is noted in the table `audit`.
"""

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from worker.cli.options import At, Json

Yes = Annotated[bool, typer.Option("--yes", help="Do it. Without it, only show what would be done.")]
As = Annotated[str | None, typer.Option("--as", metavar="NAME", help="Who does it, for the audit. Default: the user.")]
Rate = Annotated[float | None, typer.Option("--rate", min=0.1, help="So many records a second at most.")]


def republish(
    *,
    topics: Annotated[
        str | None,
        typer.Option(
            "--topics",
            help="Which, with commas: account-events, binding-events, command-results, dead-letters, accounts, payers. "
            "Default: all, and the horizons of the lanes.",
        ),
    ] = None,
    lanes: Annotated[
        list[int] | None, typer.Option("--lane", min=0, help="Only this lane; may be given again.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="EDGE", help="From this offset of commands (with --lane) or instant on."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="EDGE", help="Up to before this offset or instant.")
    ] = None,
    organization: Annotated[str | None, typer.Option("--organization", help="Only of this organization.")] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", help="Only of accounts/ORG/ACCOUNT or projects/ORG/PROJECT.")
    ] = None,
    prefix: Annotated[
        str | None, typer.Option("--prefix", help="Into topics named so: PREFIX and the name of one's own.")
    ] = None,
    to_topic: Annotated[str | None, typer.Option("--to-topic", help="Into this topic; needs one of --topics.")] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also into topics of events, results, dead letters that are not empty.")
    ] = False,
    rate: Rate = None,
    yes: Yes = False,
    who: As = None,
    as_json: Json = False,
) -> None:
    """Publish again what the journal keeps: a range, an organization, a subject, or all of it.

    The same bytes, keys, headers and timestamps, in the order in which they were published first. Without --yes it
    only counts. Into new, empty topics after the loss of a cluster it writes everything, and the horizons of the lanes
    besides. Into a compacted topic goes only each key's latest state, and never where a newer one is: beside running
    workers too, whose lanes wait for it a moment at a time.

    Topics that keep every record must be empty, or --again says that it may come twice there: a subscriber that reads
    committed records sees these bytes once more and drops them by their `sequence`, results by their id. What a worker
    has decided and not yet published into these topics is left to him.

    Killed, it goes on where it was when the same is asked once more: how far it has come is committed with the records.
    Only one run of an installation goes at a time; a second one ends the first.

    For example:
        billing-worker republish

        billing-worker republish --organization acme --prefix copy. --yes

        billing-worker republish --topics accounts,payers --lane 3 --yes

        billing-worker republish --subject accounts/acme/main --from 2026-11-01T00:00:00Z --again --yes
    """
    from worker.cli.republish import Asked, show_republishing

    asked = Asked(topics, lanes or [], since, until, organization, subject, prefix, to_topic, again, rate)
    show_republishing(asked, is_meant=yes, who=who, as_json=as_json)


def verify(
    *,
    topics: Annotated[bool, typer.Option("--topics", help="Compare the topics as well.")] = False,
    organization: Annotated[str | None, typer.Option("--organization", help="Look at this one only.")] = None,
    at: At = None,
    digest_only: Annotated[bool, typer.Option("--digest-only", help="Prove nothing, only take the digest.")] = False,
    counterexamples: Annotated[
        int, typer.Option("--counterexamples", min=1, max=10_000, help="How many are shown of each check.")
    ] = 10,
    rate: Rate = None,
    as_json: Json = False,
) -> None:
    """Prove that the records of the system agree, and tell a digest of what they say.

    Reads only, all from one moment of the database, beside running workers too. It proves the rules that the database
    guards, counts, phases against their causes, timelines, lanes, the journal's order and completeness, and that the
    events in it make the accounts and projects as they stand. What contradicts a claim is shown, and the exit code 1.

    With --topics also that event topics are the journal byte for byte, as far as it was published, and that compacted
    topics end with what the tables hold.

    The digest is the same for two systems that hold the same, however their rows lie: of each organization, and of
    all. With --at it is of the past alone: who existed, holds, phases and who paid, as of that instant; it is final
    once every lane has come so far. --rate counts rows and records.

    For example:
        billing-worker verify

        billing-worker verify --topics --json | jq 'select(.holds == false)'

        billing-worker verify --digest-only --at 2026-11-01T00:00:00Z

        billing-worker verify --organization acme
    """
    from worker.cli.verify import show_verification
    from worker.recovery.verify.run import Asked

    show_verification(Asked(organization, at, topics, not digest_only, counterexamples, rate), as_json=as_json)


def replay(
    *,
    lanes: Annotated[
        list[int] | None, typer.Option("--lane", min=0, help="Only this lane; may be given again.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--from", metavar="EDGE", help="From this offset (with --lane) or instant on.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="EDGE", help="Up to before this offset or instant.")
    ] = None,
    organization: Annotated[str | None, typer.Option("--organization", help="Only of this organization.")] = None,
    command: Annotated[str | None, typer.Option("--id", help="Only commands with this id.")] = None,
    scratch: Annotated[
        bool, typer.Option("--scratch", help="Decide them anew in an empty schema, and publish nothing.")
    ] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="With --scratch: show what is decided otherwise than it was.")
    ] = False,
    rules_of_now: Annotated[
        bool, typer.Option("--rules-of-now", help="With --scratch: by the settings of now, not those of then.")
    ] = False,
    differences: Annotated[
        int, typer.Option("--differences", min=1, max=10_000, help="How many differences are shown.")
    ] = 20,
    keep: Annotated[bool, typer.Option("--keep", help="With --scratch: leave the schema there.")] = False,
    forgotten_too: Annotated[
        bool, typer.Option("--forgotten-too", help="Also what has no remembered answer: it is decided as new.")
    ] = False,
    progress: Annotated[
        Path | None, typer.Option("--progress", help="Keep in this file how far it has come, to go on after a kill.")
    ] = None,
    rate: Rate = None,
    yes: Yes = False,
    who: As = None,
    as_json: Json = False,
) -> None:
    """Read commands again: for their answers, or to see what would be decided now.

    Into the live system: what was applied is a duplicate there, gets its first answer again with `duplicate: true`, and
    changes nothing else. Commands without a remembered answer are left out. Without --yes it only counts.

    With --scratch: all commands of the lanes are decided once more from their beginning, by this release, in a schema
    of their own, with the rule settings that held then. With --compare the report tells every command that is decided
    otherwise; exit code 1 if there is one. It needs a role that may make a schema (BILLING_DATABASE__OWNER_URL).

    The offsets of the worker's group are never touched.

    For example:
        billing-worker replay --organization acme --from 2026-11-01T00:00:00Z --yes

        billing-worker replay --scratch --compare

        billing-worker replay --scratch --compare --rules-of-now --json
    """
    from worker.cli.replay import Asked, replay_live, replay_scratch

    asked = Asked(lanes or [], since, until, organization, command, rate)
    if compare and not scratch:
        raise typer.BadParameter("--compare needs --scratch")
    if scratch:
        replay_scratch(
            asked,
            with_rules_of_now=rules_of_now,
            compare=compare,
            differences_max=differences,
            is_kept=keep,
            as_json=as_json,
        )
    else:
        replay_live(asked, forgotten_too=forgotten_too, progress=progress, is_meant=yes, who=who, as_json=as_json)


def rebuild(
    *,
    from_state: Annotated[
        bool, typer.Option("--from-state", help="From the compacted topics, where the events are lost: no history.")
    ] = False,
    without_horizons: Annotated[
        UUID | None,
        typer.Option(
            "--without-horizons", metavar="INSTALLATION", help="Whose topics these are, where those are lost."
        ),
    ] = None,
    partitions: Annotated[
        int | None,
        typer.Option("--partitions", min=1, help="How many of commands count. Default: as the horizons tell."),
    ] = None,
    rate: Rate = None,
    yes: Yes = False,
    who: As = None,
    as_json: Json = False,
) -> None:
    """Make an empty database what the topics say.

    From the events alone come accounts, holds, phases, projects and bindings; from the results the ids that are used
    up; and the lanes stand where their horizons do, so that `run` goes on with the right command. The database must
    have been migrated and never used. Workers must not run meanwhile, and do not begin before it is done.

    Without --yes it only tells what would be read. Killed, it goes on where it was when it is called again.

    With --from-state the events are not needed: accounts, projects and who pays now are taken from the compacted
    topics. What was before is then known no more than those carry, so use it only where the events are lost.

    With --without-horizons and --partitions the topic of horizons is not needed: each lane goes on behind the last of
    its commands that brought anything about. Whose the topics are is proven by the ids in them.

    It needs a role that may change the tables (BILLING_DATABASE__OWNER_URL): keys and indexes are made at the end.

    For example:
        billing-worker rebuild

        billing-worker rebuild --yes
    """
    from worker.cli.rebuild import show_rebuild

    if without_horizons is not None and partitions is None:
        raise typer.BadParameter("--without-horizons needs --partitions: nothing else tells how many are declared")
    show_rebuild(
        from_state=from_state,
        without_horizons=without_horizons,
        is_meant=yes,
        partitions=partitions,
        rate=rate,
        who=who,
        as_json=as_json,
    )
