"""`dead-letters`, as it is typed."""

from typing import Annotated

import typer

from worker.cli.commands.recovering import As, Yes
from worker.cli.options import Json, Since

dead_letters = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Look after records that could not be read: requeue them after an edit, or discard them.\n\n"
    "A letter is called by where its record lay: TOPIC/PARTITION/OFFSET, or PARTITION/OFFSET of the commands.\n\n"
    "For example: billing-worker dead-letters list",
)
Letter = Annotated[str, typer.Argument(metavar="LETTER", help="A letter, as `list` calls it.")]
Letters = Annotated[list[str], typer.Argument(metavar="LETTER...", help="Letters, as `list` calls them.")]


@dead_letters.command("list")
def _list(
    *,
    every: Annotated[bool, typer.Option("--all", help="Those that were requeued or discarded too.")] = False,
    reason: Annotated[str | None, typer.Option("--reason", help="Only of this reason, as NOT_JSON.")] = None,
    organization: Annotated[str | None, typer.Option("--organization", help="Only of whom it seems to be.")] = None,
    since: Since = None,
    until: Annotated[str | None, typer.Option("--until", metavar="T", help="End before an instant.")] = None,
    count: Annotated[int | None, typer.Option("--count", min=1, help="End after so many.")] = None,
    as_json: Json = False,
) -> None:
    """Show what lies in the topic of dead letters: open ones, unless told otherwise.

    The organization is that of the content where it can be read, else of the key. With --json a line for each.

    For example:
        billing-worker dead-letters list --reason INTERNAL_ERROR --since 2026-11-01T00:00:00Z
    """
    from worker.cli.dead_letters import Sought, instant_of, list_letters

    list_letters(Sought(reason, since, instant_of(until), organization, every, count), as_json=as_json)


@dead_letters.command("show")
def _show(
    letter: Letter,
    *,
    raw: Annotated[bool, typer.Option("--raw", help="Only the bytes of the value, untouched, for a file.")] = False,
    as_hex: Annotated[bool, typer.Option("--hex", help="The value in hexadecimal.")] = False,
    as_json: Json = False,
) -> None:
    """Show a letter: why it lies there, its key, headers and value.

    What would move the cursor of a terminal is shown as an escape; what is no text in hexadecimal.

    For example:
        billing-worker dead-letters show 3/1234

        billing-worker dead-letters show 3/1234 --raw > letter.bin
    """
    from worker.cli.dead_letters import show_letter

    show_letter(letter, is_raw=raw, as_hex=as_hex, as_json=as_json)


@dead_letters.command("requeue")
def _requeue(
    letters: Letters,
    *,
    file: Annotated[str | None, typer.Option("--file", help="The document to send in its place; - is stdin.")] = None,
    edit_from: Annotated[str | None, typer.Option("--edit-from", help="Begin editing with this file.")] = None,
    unchanged: Annotated[bool, typer.Option("--unchanged", help="As it is: for what was no fault of its own.")] = False,
    id_: Annotated[str | None, typer.Option("--id", help="The new id. Default: the old one with -r1.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Also what was requeued or discarded before.")] = False,
    yes: Yes = False,
    who: As = None,
    as_json: Json = False,
) -> None:
    """Send a letter once more as a new command, after an edit.

    Opens the editor of $VISUAL or $EDITOR with the document, unless it is given otherwise. What comes of it is judged
    as the worker would: what it could not read, or would refuse by its form alone, is not sent. The new command has an
    id of its own, lies where its organization lives, and says in `requeuedfrom` where the old one lay. Without --yes
    it is only judged, and what was written is kept in a file.

    For example:
        billing-worker dead-letters requeue 3/1234 --yes

        billing-worker dead-letters requeue 3/1234 --file mended.json --yes --as ada

        billing-worker dead-letters requeue 3/1234 3/1240 --unchanged --yes
    """
    from worker.cli.dead_letters_requeue import Requeue, requeue_letters

    requeue_letters(Requeue(letters, file, edit_from, unchanged, id_, again, yes, who, as_json))


@dead_letters.command("discard")
def _discard(
    letters: Letters,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why nothing is to be done about it.")],
    yes: Yes = False,
    who: As = None,
    as_json: Json = False,
) -> None:
    """Note that nothing is to be done about letters.

    They stay in their topic until its time is over; `list` shows them with --all.

    For example:
        billing-worker dead-letters discard 3/1234 --reason "sent by a test" --yes
    """
    from worker.cli.dead_letters import discard_letters

    discard_letters(letters, reason, is_meant=yes, who=who, as_json=as_json)
