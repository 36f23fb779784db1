"""Every command of the program: what `--help` says."""

from collections.abc import Iterator
from typing import Any, Final

import typer
from typer.core import TyperGroup

from reference.markdown import code, table
from worker.cli.program import COMMANDS, load

HEAD: Final = """# The program

What `billing-worker COMMAND --help` says, of every command. Results go to stdout, everything else to stderr; `--json`
is for programs. It ends with 0; with 1 when something is not as it should be; with 2 for wrong usage or settings.
`python -m worker` is the same program.

Where Kafka and PostgreSQL are, and all else that may be set, is in the environment: [Settings](settings.md).
"""

_EXAMPLES: Final = "For example:"


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_all()])


def _all() -> Iterator[str]:
    for name in COMMANDS:
        command: Any = load(name)
        if isinstance(command, TyperGroup):
            context = typer.Context(command, info_name=f"billing-worker {name}")
            for inner in command.list_commands(context):
                yield from _command(f"{name} {inner}", command.get_command(context, inner))
        else:
            yield from _command(name, command)


def _command(name: str, command: Any) -> Iterator[str]:
    context = typer.Context(command, info_name=f"billing-worker {name}")
    yield f"## {name}\n"
    yield f"```text\n{' '.join(['billing-worker', name, *command.collect_usage_pieces(context)])}\n```\n"
    said, _, examples = (command.help or "").partition(_EXAMPLES)
    yield f"{_escaped(said.strip())}\n"
    records = [record for each in command.get_params(context) if (record := each.get_help_record(context))]
    rows = [(code(option), _escaped(meaning)) for option, meaning in records if option != "--help"]
    if rows:
        yield f"{table(('Argument or option', 'Means'), rows)}\n"
    if examples:
        lines = "\n".join(line.strip() for line in examples.splitlines() if line.strip())
        yield f"{_EXAMPLES}\n\n```text\n{lines}\n```\n"


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;").replace("[required]", "(needed)")
