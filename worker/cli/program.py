"""Every command by its name. What a command needs is imported when it is called, so that `--help` is quick."""

import logging
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from worker.cli.failures import told


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command is: a function or a group named `attribute` in a module, and what it does in one sentence."""

    module: str
    attribute: str
    sentence: str


COMMANDS: Final = {
    "dev": Entry("worker.cli.dev", "dev", "Start Kafka and PostgreSQL here, without containers, then the worker."),
    "run": Entry("worker.cli.commands.setup", "run", "Work: read commands, decide, publish what happened."),
    "migrate": Entry("worker.cli.commands.setup", "migrate", "Bring the database to the schema of this release."),
    "topics": Entry("worker.cli.commands.setup", "topics", "Compare the topics with the settings, and make them so."),
    "publish": Entry("worker.cli.commands.publishing", "publish", "Send commands, one or a whole file of them."),
    "watch": Entry("worker.cli.commands.messages", "watch", "Show what happens, a line for each event and result."),
    "payer": Entry(
        "worker.cli.commands.questions", "payer", "Tell who pays for a project, now or at any past instant."
    ),
    "history": Entry("worker.cli.commands.questions", "history", "Show everybody who ever paid for a project."),
    "account": Entry("worker.cli.commands.questions", "account", "Show an account as it stands."),
    "projects": Entry("worker.cli.commands.questions", "projects", "List the projects that an account pays for."),
    "lanes": Entry("worker.cli.commands.questions", "lanes", "Show how far each partition of commands has come."),
    "doctor": Entry(
        "worker.cli.commands.setup", "doctor", "Tell whether all is as it must be, and what to do where it is not."
    ),
    "verify": Entry(
        "worker.cli.commands.recovering",
        "verify",
        "Prove that the records of the system agree, and tell a digest of what they say.",
    ),
    "republish": Entry(
        "worker.cli.commands.recovering",
        "republish",
        "Publish again what the journal keeps: a range, an organization, a subject, or all of it.",
    ),
    "dead-letters": Entry(
        "worker.cli.commands.letters",
        "dead_letters",
        "Look after records that could not be read: requeue them after an edit, or discard them.",
    ),
    "replay": Entry(
        "worker.cli.commands.recovering",
        "replay",
        "Read commands again: for their answers, or to see what would be decided now.",
    ),
    "rebuild": Entry("worker.cli.commands.recovering", "rebuild", "Make an empty database what the topics say."),
    "schemas": Entry(
        "worker.cli.commands.messages", "schemas", "List the types of messages, or print the JSON Schema of one."
    ),
}


class Late(TyperCommand):
    """Stands for a command in the overview, and loads it when it is called."""

    def __init__(self, name: str, entry: Entry) -> None:
        super().__init__(name, help=entry.sentence)

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:  # noqa: D102
        return load(str(self.name)).make_context(info_name, args, parent, **extra)


def load(name: str) -> Any:
    """A command or group as click has it, with its arguments and options."""
    entry = COMMANDS[name]
    found = getattr(import_module(entry.module), entry.attribute)
    if isinstance(found, typer.Typer):
        return get_command(found)
    single = typer.Typer(add_completion=False, rich_markup_mode="rich")
    single.command(name)(found)
    return get_command(single)


class Overview(TyperGroup):
    """All commands, none of them loaded."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002, D102
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002, D102
        entry = COMMANDS.get(cmd_name)
        return Late(cmd_name, entry) if entry else None


app = typer.Typer(
    cls=Overview,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    epilog="To begin with: billing-worker dev --demo",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - reads the disk

        typer.echo(f"billing-worker {version('billing-worker')}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
]


@app.callback()
def _overview(version: Version = False) -> None:
    """Keep billing accounts and project bindings, and answer who pays for a project, now and at any past instant.

    Where Kafka and PostgreSQL are, and all else that may be set, is in the environment: BILLING_DATABASE__URL,
    BILLING_KAFKA__BOOTSTRAP_SERVERS, and so on. Results go to stdout, everything else to stderr.
    """


def main() -> None:
    """Run the program; ends the process with 0, 1, or 2 for wrong usage or settings."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # commands say themselves what cannot be reached
    try:
        app(prog_name="billing-worker")
    except Exception as error:  # noqa: BLE001 - people get a sentence, never a stack trace
        raise SystemExit(told(error)) from None
