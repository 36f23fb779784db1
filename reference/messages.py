"""Topics, and every message with its fields."""

from collections.abc import Iterable
from typing import Final

from reference.markdown import code, table, wrapped
from reference.shapes import description, fields
from schemas.commands import COMMANDS
from schemas.events import ACCOUNT_EVENTS, BINDING_EVENTS
from schemas.results import RESULTS
from schemas.state import STATES
from schemas.topics import TOPICS

TOPICS_HEAD: Final = """# Topics and envelopes

Eight topics, all in JSON, all CloudEvents 1.0 but for dead letters, which stay as they came. Names, partitions,
copies and retention are [settings](settings.md). `billing-worker schemas --asyncapi` prints the same as one AsyncAPI
document.
"""

ENVELOPES: Final = {
    "command-envelope": "Around a command",
    "event-envelope": "Around an event or a state",
    "result-envelope": "Around a result",
    "horizon-envelope": "Around a horizon",
}

COMMANDS_HEAD: Final = """# Commands

What publishers send to `billing.commands`: every type with its data. A field with a question mark may be absent; one
that nobody knows is refused. Names of accounts, projects and organizations are DNS labels: 1 to 63 of `a-z`, `0-9` and
`-`. Instants are RFC 3339 with an offset. `billing-worker schemas project.bind` prints a type's JSON Schema.
"""

EVENTS_HEAD: Final = """# Events, results and states

What subscribers read: every type with its data. A field with a question mark may be absent. Instants are written
`YYYY-MM-DDTHH:MM:SS.ffffffZ`, always six digits. `billing-worker schemas binding.established` prints a type's JSON
Schema.
"""


def topics() -> str:
    """The page of topics and envelopes."""
    rows = (
        (
            code(topic.name),
            code(topic.key) if "/" in topic.key or topic.key == "organization" else topic.key,
            topic.policy if topic.retention_days is None else f"{topic.policy}, {topic.retention_days} days",
            topic.purpose,
        )
        for topic in TOPICS
    )
    parts = [TOPICS_HEAD, f"{table(('Topic', 'Key', 'Policy', 'Carries'), rows)}\n"]
    for name, title in ENVELOPES.items():
        parts += [f"## {title}\n", f"{wrapped(description(name))}\n", f"{fields(name)}\n"]
    return "\n".join(parts)


def commands() -> str:
    """The page of commands."""
    return "\n".join([COMMANDS_HEAD, *(_entry(kind) for kind in COMMANDS)])


def events() -> str:
    """The page of what the worker writes."""
    parts = [EVENTS_HEAD]
    for title, kinds in (
        ("On `billing.account-events`", (event.TYPE for event in ACCOUNT_EVENTS)),
        ("On `billing.binding-events`", (event.TYPE for event in BINDING_EVENTS)),
        ("On `billing.command-results`", RESULTS),
        ("On the compacted topics", STATES),
    ):
        parts += [f"## {title}\n", *_entries(kinds)]
    return "\n".join(parts)


def _entries(kinds: Iterable[str]) -> Iterable[str]:
    return (_entry(kind, "###") for kind in kinds)


def _entry(kind: str, level: str = "##") -> str:
    return f"{level} `{kind}`\n\n{wrapped(description(kind))}\n\n{fields(kind)}\n"
